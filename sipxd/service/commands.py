"""The commands of the admin socket: what ``sipxd user``, ``call``, ``forward`` and others ask.

Arguments are decoded strictly; a key that no command knows is an error, not a silence.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import attrs
import msgspec
from twisted.internet.defer import Deferred

from sipxd import __version__
from sipxd.call.phones import Refusing
from sipxd.call.record import CallRecord
from sipxd.call.rehearsal import Rehearsal
from sipxd.directory.forwarding import Forwarding
from sipxd.directory.schedule import Schedule
from sipxd.directory.user import User
from sipxd.errors import BadInput, NotFound
from sipxd.service.account_requests import Generated, NewUser, UserChange
from sipxd.service.accounts import Accounts
from sipxd.service.admin import Emit, Handler
from sipxd.service.gateways import GatewayStatus
from sipxd.service.import_users import Importer

T = TypeVar("T")

MAX_CALLS = 1000
"""So many calls at once are listed at most."""


class Calls(Protocol):
    """What the commands need of the calls."""

    async def click_to_call(
        self, user: User, number: str, *, source: str, flow: str | None = None
    ) -> CallRecord: ...

    def live(self) -> list[CallRecord]: ...

    async def find(self, call_id: str) -> CallRecord: ...

    async def history(
        self, *, user: str | None, before: str | None, limit: int
    ) -> list[CallRecord]: ...

    def subscribe(self, callback: Callable[[CallRecord], None]) -> Callable[[], None]: ...


class Phones(Protocol):
    """What the commands need of the memory of phones."""

    def all(self) -> list[Refusing]: ...

    async def clear(self, user_agent: str | None) -> int: ...


class Gateways(Protocol):
    """What the commands need of the gateways."""

    def all(self) -> list[GatewayStatus]: ...


class Forwardings(Protocol):
    """What the commands need of what users want done with their calls."""

    @property
    def default_timer(self) -> int: ...

    def of(self, user: User) -> Forwarding: ...

    def has_voicemail(self, user: User) -> bool: ...

    def schedules_of(self, user: User) -> list[Schedule]: ...


class Rehearsals(Protocol):
    """What the commands need of the rehearsals."""

    async def rehearse(self, user: User, caller: str | None, at: float | None) -> Rehearsal: ...


@attrs.frozen
class Nothing:
    """No arguments."""


@attrs.frozen
class Named:
    """Which user."""

    name: str


@attrs.frozen
class Changed:
    """Which user, and what shall become different."""

    name: str
    change: UserChange


@attrs.frozen
class FromFile:
    """Users in which file, whether those that are there may be changed, and whether the import
    shall be done or only looked at."""

    file: str
    update: bool = False
    check: bool = False


@attrs.frozen
class Dialled:
    """Who calls what."""

    user: str
    number: str
    flow: str | None = None


@attrs.frozen
class Rehearsed:
    """A call for whom, from whom, and when (seconds since the epoch)."""

    name: str
    caller: str | None = None
    at: float | None = None


@attrs.frozen
class Forgotten:
    """Which kind of phones, or every kind."""

    user_agent: str | None = None


@attrs.frozen
class Listed:
    """How many calls, the newest first."""

    limit: int = attrs.field(
        default=20, validator=[attrs.validators.ge(1), attrs.validators.le(MAX_CALLS)]
    )


@attrs.frozen
class Watched:
    """One call, or every call."""

    call: str | None = None


def decode(kind: type[T], arguments: dict[str, Any]) -> T:
    """The arguments as a value of an attrs class. Raises BadInput naming the field."""
    _refuse_unknown(arguments, kind)
    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        raise BadInput(f"wrong arguments: {error}") from None


def _refuse_unknown(arguments: dict[str, Any], kind: type) -> None:
    known = {field.name for field in attrs.fields(kind)}
    unknown = sorted(arguments.keys() - known)
    if unknown:
        raise BadInput(f"unknown argument {unknown[0]!r}; known: {', '.join(sorted(known))}")
    nested = arguments.get("change")
    if kind is Changed and isinstance(nested, dict):
        _refuse_unknown(nested, UserChange)


def plain(value: Any) -> Any:
    """A value of sipxd as JSON knows it; sets are sorted."""
    return msgspec.to_builtins(value, order="sorted")


def created(user: User, generated: Generated) -> dict[str, Any]:
    """The answer to ``user.add``: the user, and the secrets that he has to be told."""
    return {"user": plain(user), "generated": plain(generated)}


def make_commands(
    accounts: Accounts,
    calls: Calls,
    phones: Phones,
    gateways: Gateways,
    forwardings: Forwardings,
    rehearsals: Rehearsals,
    importer: Importer,
) -> dict[str, Handler]:
    """The handlers for the admin socket, by the name of their command."""

    async def user_add(arguments: dict[str, Any], _: Emit) -> Any:
        return created(*await accounts.add(decode(NewUser, arguments)))

    async def user_list(arguments: dict[str, Any], _: Emit) -> Any:
        decode(Nothing, arguments)
        return plain(accounts.all())

    async def user_show(arguments: dict[str, Any], _: Emit) -> Any:
        return plain(existing(decode(Named, arguments).name))

    async def user_set(arguments: dict[str, Any], _: Emit) -> Any:
        asked = decode(Changed, arguments)
        return plain(await accounts.change(asked.name, asked.change))

    async def user_delete(arguments: dict[str, Any], _: Emit) -> Any:
        return plain(await accounts.delete(decode(Named, arguments).name))

    async def user_import(arguments: dict[str, Any], emit: Emit) -> Any:
        asked = decode(FromFile, arguments)
        rows = await importer.read(asked.file)
        if asked.check:
            return plain(await importer.check(rows, asked.update))
        return plain(await importer.store(rows, asked.update, emit))

    async def call(arguments: dict[str, Any], _: Emit) -> Any:
        asked = decode(Dialled, arguments)
        user = existing(asked.user)
        record = await calls.click_to_call(
            user, asked.number, source="admin socket", flow=asked.flow
        )
        return plain(record)

    async def calls_list(arguments: dict[str, Any], _: Emit) -> Any:
        limit = decode(Listed, arguments).limit
        return plain(await calls.history(user=None, before=None, limit=limit))

    async def calls_watch(arguments: dict[str, Any], emit: Emit) -> Any:
        wanted = decode(Watched, arguments).call

        def changed(record: CallRecord) -> None:
            if wanted in (None, record.id):
                emit(plain(record))

        # First subscribed, then read: a change in between is told twice rather than never.
        unsubscribe = calls.subscribe(changed)
        try:
            for record in calls.live() if wanted is None else [await calls.find(wanted)]:
                emit(plain(record))
            await Deferred()  # the end of the reader ends it
        finally:
            unsubscribe()

    async def forward_show(arguments: dict[str, Any], _: Emit) -> Any:
        user = existing(decode(Named, arguments).name)
        return {
            "user": user.name,
            "forwarding": plain(forwardings.of(user)),
            "default_timer": forwardings.default_timer,
            "voicemail": forwardings.has_voicemail(user),
            "schedules": plain(forwardings.schedules_of(user)),
        }

    async def forward_rehearse(arguments: dict[str, Any], _: Emit) -> Any:
        asked = decode(Rehearsed, arguments)
        return plain(await rehearsals.rehearse(existing(asked.name), asked.caller, asked.at))

    async def phones_list(arguments: dict[str, Any], _: Emit) -> Any:
        decode(Nothing, arguments)
        return plain(phones.all())

    async def phones_clear(arguments: dict[str, Any], _: Emit) -> Any:
        return await phones.clear(decode(Forgotten, arguments).user_agent)

    async def gateways_list(arguments: dict[str, Any], _: Emit) -> Any:
        decode(Nothing, arguments)
        return plain(gateways.all())

    async def status(arguments: dict[str, Any], _: Emit) -> Any:
        decode(Nothing, arguments)
        return {"version": __version__, "pid": os.getpid(), "calls": len(calls.live())}

    def existing(name: str) -> User:
        user = accounts.find(name)
        if user is None:
            raise NotFound(f"there is no user {name[:80]!r}", field="name")
        return user

    return {
        "user.add": user_add,
        "user.list": user_list,
        "user.show": user_show,
        "user.set": user_set,
        "user.delete": user_delete,
        "user.import": user_import,
        "call": call,
        "calls": calls_list,
        "calls.watch": calls_watch,
        "forward.show": forward_show,
        "forward.rehearse": forward_rehearse,
        "phones.list": phones_list,
        "phones.clear": phones_clear,
        "gateways": gateways_list,
        "status": status,
    }
