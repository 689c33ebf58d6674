"""What can be set of a user, by its path (contract 2, 3.12, 3.14).

Those whose effect takes a sub-system that is not there are kept for its clients.  Two families are
kept elsewhere, because calls go by them: ``callfwd/timer`` is `sipxd.directory.forwarding`'s, and
``permission/...`` are `sipxd.directory.permission`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sipxd.directory.setting import Setting, SettingType

IM = "im"
BOT = "im_notification"
MAILBOX = "voicemail/mailbox"
FAX = "voicemail/fax"
ATTENDANT = "personal-attendant"
KEYS = "0123456789*#"
"""What a caller may press in the menu of a personal attendant."""
GREETINGS = {
    "none": "None",
    "standard": "Standard",
    "outofoffice": "Out of office",
    "extendedabsence": "Extended absence",
}
FORMATS = {"FULL": "Full", "MEDIUM": "Medium", "BRIEF": "Brief"}
"""Of the mails that tell of a new voicemail."""


def _flag(path: str, default: bool, label: str) -> Setting:
    return Setting(path, SettingType.BOOLEAN, "1" if default else "0", label)


def _text(path: str, label: str, default: str = "") -> Setting:
    return Setting(path, SettingType.STRING, default, label)


def _choice(path: str, options: Mapping[str, str], label: str) -> Setting:
    return Setting(path, SettingType.ENUM, next(iter(options)), label, options=options)


def _mails(which: str, label: str) -> list[Setting]:
    begin = f"{MAILBOX}/{which}-email"
    return [
        _flag(f"{begin}-voicemail-notification", False, f"Tell of voicemail by mail, {label}"),
        _choice(f"{begin}-format", FORMATS, f"Format of these mails, {label}"),
        _flag(f"{begin}-attach-audio", False, f"Send the voicemail with them, {label}"),
    ]


_ALL: Iterable[Setting] = (
    _flag(f"{IM}/im-account", False, "Instant messages"),
    _flag(f"{IM}/advertise-sip-presence", True, "Show that the user is on the phone"),
    _flag(f"{IM}/include-call-info", False, "Show with whom"),
    _text(f"{IM}/on-the-phone-message", "What is shown of a user on the phone", "On the phone"),
    _flag(f"{IM}/fwd-vm-on-dnd", False, "Calls go to voicemail while messages are not wanted"),
    _flag(f"{BOT}/conferenceEntryIM", True, "A message when somebody enters his conference"),
    _flag(f"{BOT}/conferenceExitIM", True, "A message when somebody leaves his conference"),
    _flag(f"{BOT}/leaveMsgBeginIM", False, "A message when somebody begins to leave a voicemail"),
    _flag(f"{BOT}/leaveMsgEndIM", False, "A message when somebody has left a voicemail"),
    _flag(f"{BOT}/call", False, "Calls may be made by a message to the assistant"),
    _flag(f"{BOT}/callFromAnyNumber", False, "From any number"),
    _flag("user-portal/clickToCall-chat/clickToCall", True, "Click-to-call on contacts"),
    _flag("user-portal/clickToCall-chat/chat", True, "Chat on contacts"),
    _flag("user-portal/clickToCall-conf/conf", True, "Click-to-call on the conference page"),
    _choice(f"{MAILBOX}/active-greeting", GREETINGS, "Greeting"),
    *_mails("primary", "to the e-mail address"),
    *_mails("alternate", "to the further e-mail address"),
    _text(f"{MAILBOX}/audio-format", "Format of voicemails", "wav"),
    _text(f"{FAX}/extension", "Extension for fax"),
    _text(f"{FAX}/did", "Number for fax"),
    _flag(f"{ATTENDANT}/depositVM", True, "The attendant offers to leave a voicemail"),
    _flag(f"{ATTENDANT}/forwardDeleteVM", False, "Voicemails are deleted once they are forwarded"),
    _flag(f"{ATTENDANT}/playVMDefaultOptions", True, "The attendant tells the default choices"),
    _text(f"{ATTENDANT}/operator", "Personal operator"),
    *(_text(f"{ATTENDANT}/menu/{key}", f"Extension behind the key {key}") for key in KEYS),
    _text(f"{ATTENDANT}/language", "Language of the attendant"),
    _flag(f"{ATTENDANT}/overrideLanguage", False, "Whatever language the caller has"),
)
SETTINGS = {setting.path: setting for setting in _ALL}
"""By path, in an order to be shown in."""


def effective(own: Mapping[str, str], of_groups: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The value of every setting: his own, else of the first group that sets it, else by default.

    ``of_groups``: in the order in which his groups count.
    """
    values = {path: setting.default for path, setting in SETTINGS.items()}
    for settings in (*reversed(list(of_groups)), own):
        values.update((path, value) for path, value in settings.items() if path in SETTINGS)
    return values
