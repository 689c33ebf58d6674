"""What users set of instant messages, voicemail, fax and attendant (contract 3.12, 3.14).

All of it is stored; the servers that would go by it are no part of sipxd.  JSON only, without a
root member (1.7 b); of a PUT, what is absent or null stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.setting import SettingType
from sipxd.directory.user_setting import (
    ATTENDANT,
    BOT,
    FAX,
    GREETINGS,
    IM,
    KEYS,
    MAILBOX,
    SETTINGS,
)
from sipxd.errors import BadInput
from sipxd.service.settings import Mailbox, Settings
from sipxd.web.auth import Authenticator, shield
from sipxd.web.document import Node
from sipxd.web.negotiate import empty_answer, json_answer, read_plain, require_json_accepted

MY = "/sipxconfig/rest/my"
PERSONAL_ATTENDANT = "personal-auto-attendant"

_SWITCH = {"NO": "0", "YES": "1"}
_GREETING = dict(
    zip(("NONE", "STANDARD", "OUT_OF_OFFICE", "EXTENDED_ABSENCE"), GREETINGS, strict=True)
)


@attrs.frozen
class Member:
    """A member of a document, and the setting behind it."""

    name: str
    path: str
    words: Mapping[str, str] | None = None
    """How values are written in the document; None: as they are."""

    def told(self, values: Mapping[str, str]) -> Any:
        """The value as the document has it."""
        value = values[self.path]
        if self.words is not None:
            return next(word for word, meant in self.words.items() if meant == value)
        if SETTINGS[self.path].type is SettingType.BOOLEAN:
            return value == "1"
        return value

    def read(self, document: Node) -> str | None:
        """The value that a document gives; None: none. Raises BadInput."""
        member = document.member(self.name)
        if member is None:
            return None
        setting = SETTINGS[self.path]
        if self.words is None and setting.type is SettingType.BOOLEAN:
            return "1" if document.flag(self.name, False) else "0"
        text = member.as_text()
        words = self.words or {word: word for word in setting.options or {}}
        if words and text not in words:
            raise member.refusal(f"must be one of {', '.join(words)}")
        return words.get(text, text)


IM_PREFERENCES = (
    Member("statusPhonePresence", f"{IM}/advertise-sip-presence"),
    Member("statusCallInfo", f"{IM}/include-call-info"),
    Member("otpMessage", f"{IM}/on-the-phone-message"),
    Member("voicemailOnDnd", f"{IM}/fwd-vm-on-dnd"),
)
BOT_PREFERENCES = (
    Member("confEnter", f"{BOT}/conferenceEntryIM"),
    Member("confExit", f"{BOT}/conferenceExitIM"),
    Member("vmBegin", f"{BOT}/leaveMsgBeginIM"),
    Member("vmEnd", f"{BOT}/leaveMsgEndIM"),
)
FAX_PREFERENCES = (Member("extension", f"{FAX}/extension"), Member("did", f"{FAX}/did"))


def _mails(prefix: str, which: str) -> tuple[Member, Member, Member]:
    begin = f"{MAILBOX}/{which}-email"
    return (
        Member(f"{prefix}AttachType", f"{begin}-voicemail-notification", _SWITCH),
        Member(f"{prefix}Format", f"{begin}-format"),
        Member(f"{prefix}IncludeAudioAttachment", f"{begin}-attach-audio"),
    )


_PRIMARY = _mails("email", "primary")
_ALTERNATE = _mails("altEmail", "alternate")
_GREETS = Member("greeting", f"{MAILBOX}/active-greeting", _GREETING)
_AUDIO = Member("voicemailFormat", f"{MAILBOX}/audio-format")
VOICEMAIL_PREFERENCES = (_GREETS, *_PRIMARY, *_ALTERNATE, _AUDIO)

_LANGUAGE = Member("language", f"{ATTENDANT}/language")
_OPERATOR = Member("operator", f"{ATTENDANT}/operator")
_FLAGS = tuple(
    Member(name, f"{ATTENDANT}/{name}")
    for name in ("depositVM", "forwardDeleteVM", "playVMDefaultOptions")
)
_OVERRIDE = Member("overrideLanguage", f"{ATTENDANT}/overrideLanguage")
_MENU = tuple(Member(key, f"{ATTENDANT}/menu/{key}") for key in KEYS)
ATTENDANT_MEMBERS = (*_FLAGS, _OPERATOR, _LANGUAGE, _OVERRIDE)


def add_preferences_routes(app: Klein, authenticator: Authenticator, settings: Settings) -> None:
    """Add everything that is one document of a user's settings, and the ways to set one of them."""
    for path, members in (
        (f"{MY}/im/prefs", IM_PREFERENCES),
        (f"{MY}/imbot/prefs", BOT_PREFERENCES),
        (f"{MY}/faxprefs", FAX_PREFERENCES),
    ):
        _add_plain(app, authenticator, settings, path, members)
    _add_voicemail(app, authenticator, settings)
    _add_attendant(app, authenticator, settings)


def _add_plain(
    app: Klein,
    authenticator: Authenticator,
    settings: Settings,
    path: str,
    members: tuple[Member, ...],
) -> None:
    async def get(request: Request) -> bytes:
        user = await authenticator.user(request)
        require_json_accepted(request)
        values = await settings.of(user)
        return json_answer(request, 200, {each.name: each.told(values) for each in members})

    async def put(request: Request) -> bytes:
        user = await authenticator.user(request)
        await shield(settings.change(user, _read(read_plain(request), members)))
        return empty_answer(request, 200)

    for method, handler in (("GET", get), ("PUT", put)):
        handler.__qualname__ = f"{method} {path}"  # the router knows handlers by it
        app.route(path, methods=[method])(handler)


def _add_voicemail(app: Klein, authenticator: Authenticator, settings: Settings) -> None:
    @app.route(f"{MY}/vmprefs", methods=["GET"])
    async def get_voicemail(request: Request) -> bytes:
        user = await authenticator.user(request)
        require_json_accepted(request)
        told = _voicemail_document(await settings.mailbox(user), user.voicemail)
        return json_answer(request, 200, told)

    @app.route(f"{MY}/vmprefs", methods=["PUT"])
    async def put_voicemail(request: Request) -> bytes:
        user = await authenticator.user(request)
        document = read_plain(request)
        values = _read(document, VOICEMAIL_PREFERENCES)
        email, alternate = (_optional(document, name) for name in ("email", "altEmail"))
        if user.voicemail:
            try:
                await shield(settings.change_mailbox(user, values, email, alternate))
            except BadInput as error:
                field = "altEmail" if error.field == "alternate_email" else error.field
                raise BadInput(error.detail, field=field) from None
        return empty_answer(request, 200)

    @app.route(f"{MY}/mailbox/<name>/preferences/activegreeting/<greeting>", methods=["PUT"])
    async def put_greeting(request: Request, name: str, greeting: str) -> bytes:
        user = await authenticator.user(request)
        chosen = greeting if greeting in GREETINGS else "none"
        await shield(settings.change(user, {_GREETS.path: chosen}))
        return empty_answer(request, 200)


def _voicemail_document(mailbox: Mailbox, permitted: bool) -> dict[str, Any]:
    values = mailbox.values
    document = {"greeting": _GREETS.told(values)}
    for prefix, address, (switch, *rest) in (
        ("email", mailbox.email, _PRIMARY),
        ("altEmail", mailbox.alternate_email, _ALTERNATE),
    ):
        on = values[switch.path] == "1"
        document[prefix] = address or None
        document[switch.name] = switch.told(values)
        document |= {each.name: each.told(values) if on else None for each in rest}
    return document | {"voicemailPermission": permitted, _AUDIO.name: _AUDIO.told(values)}


def _add_attendant(app: Klein, authenticator: Authenticator, settings: Settings) -> None:
    operator_path = f"{MY}/voicemail/operator"

    @app.route(f"{MY}/voicemail/attendant", methods=["GET"])
    async def get_attendant(request: Request) -> bytes:
        user = await authenticator.user(request)
        require_json_accepted(request)
        values = await settings.of(user)
        document = {each.name: each.told(values) for each in _FLAGS}
        document |= {
            _OPERATOR.name: _OPERATOR.told(values) or None,
            "menu": {each.name: text for each in _MENU if (text := each.told(values))},
            _LANGUAGE.name: _LANGUAGE.told(values) or None,
            _OVERRIDE.name: _OVERRIDE.told(values),
            "personalAttendantPermission": PERSONAL_ATTENDANT in user.permissions,
        }
        return json_answer(request, 200, document)

    @app.route(f"{MY}/voicemail/attendant", methods=["PUT"])
    async def put_attendant(request: Request) -> bytes:
        user = await authenticator.user(request)
        document = read_plain(request)
        values = _read(document, ATTENDANT_MEMBERS)
        menu = document.member("menu")
        if menu is not None:  # it is replaced whole
            values |= {each.path: each.read(menu) or "" for each in _MENU}
        if PERSONAL_ATTENDANT in user.permissions:
            await shield(settings.change(user, values))
        return empty_answer(request, 200)

    @app.route(f"{MY}/voicemail/attendant/lang", methods=["GET"])
    async def get_languages(request: Request) -> bytes:
        await authenticator.user(request)
        require_json_accepted(request)
        return json_answer(request, 200, [])  # no prompts are installed

    @app.route(operator_path, methods=["PUT"])
    async def clear_operator(request: Request) -> bytes:
        user = await authenticator.user(request)
        await shield(settings.change(user, {_OPERATOR.path: ""}))
        return empty_answer(request, 200)

    @app.route(f"{operator_path}/<operator>", methods=["PUT"])
    async def put_operator(request: Request, operator: str) -> bytes:
        user = await authenticator.user(request)
        await shield(settings.change(user, {_OPERATOR.path: operator}))
        return empty_answer(request, 200)


def _read(document: Node, members: Iterable[Member]) -> dict[str, str | None]:
    """The values that are there, by their paths. Raises BadInput."""
    values: dict[str, str | None] = {}
    for member in members:
        value = member.read(document)
        if value is not None:
            values[member.path] = value
    return values


def _optional(document: Node, name: str) -> str | None:
    member = document.member(name)
    return None if member is None else member.as_text()
