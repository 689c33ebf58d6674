"""What the web doors need of the services behind them; the services know nothing of the web."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import attrs

from sipxd.call.record import CallRecord
from sipxd.call.rehearsal import Rehearsal
from sipxd.directory.call_group import CallGroup
from sipxd.directory.forwarding import Forwarding
from sipxd.directory.park_orbit import ParkOrbit
from sipxd.directory.schedule import Period, Schedule
from sipxd.directory.user import User
from sipxd.service.account_requests import Generated, NewUser, UserChange
from sipxd.service.attendants import Attendants
from sipxd.service.branches import Branches
from sipxd.service.call_controller import Asked, Course
from sipxd.service.call_log import Cdr
from sipxd.service.conferences import Conferences
from sipxd.service.permissions import Permissions
from sipxd.service.phonebooks import Phonebooks
from sipxd.service.private_phonebooks import PrivatePhonebooks
from sipxd.service.profiles import Profiles
from sipxd.service.setting_values import SettingValues
from sipxd.service.settings import Settings
from sipxd.service.telephones import Lines, Telephones
from sipxd.service.user_groups import UserGroups
from sipxd.sip.registrar import Binding
from sipxd.store.calls import Wanted


class Accounts(Protocol):
    """Who exists, and who may log in."""

    def find(self, name_or_alias: str) -> User | None:
        """The user of that name or alias."""

    def all(self) -> list[User]:
        """All users, ordered by name."""

    def by_id(self, user_id: int) -> User | None:
        """The user with that id."""

    def sip_password(self, user: User) -> str:
        """The password of the user's phones. Raises NotFound when he was deleted."""

    def ha1(self, name: str) -> str | None:
        """What HTTP Digest is checked with, of the user with this very name."""

    async def judge(self, name: str, right: bool, source: str) -> User:
        """The user of that name, whose credentials were ``right``. Raises as ``authenticate``."""

    async def add(self, request: NewUser) -> tuple[User, Generated]:
        """Make a user; he can be called when this returns. Raises NotFound, Conflict."""

    async def change(self, who: User | str, change: UserChange) -> User:
        """Change the user, or the one of that name. Raises NotFound, BadInput, Conflict, Forbidden.

        A ``User`` is the same whatever he is called meanwhile; of a name that need not be true.
        """

    async def delete(self, who: User | str) -> User:
        """Delete a user. Raises NotFound, Forbidden."""

    async def authenticate(self, name: str, pin: str, source: str) -> User:
        """The user, or Unauthorized, or TooManyGuesses; ``source`` is the client's IP address."""


class Calls(Protocol):
    """Calls, living and ended."""

    async def click_to_call(
        self, user: User, number: str, *, source: str, flow: str | None = None
    ) -> CallRecord:
        """Begin the call, or find the one that is under way to the same number.

        ``flow`` is how to do it, None: as it is configured for him.
        Raises BadInput, Forbidden, NotFound, TooManyCalls, Overloaded.
        """

    async def outcome(self, call_id: str) -> CallRecord:
        """Wait until the call is bridged or has ended. Cancelling ends the waiting only."""

    async def find(self, call_id: str) -> CallRecord:
        """The record, or NotFound."""

    async def hang_up(self, call_id: str, *, by: str) -> CallRecord:
        """End the call in whatever state; ``by`` is the name of the user who asked."""

    async def history(
        self, *, user: str | None, before: str | None, limit: int
    ) -> list[CallRecord]:
        """Records older than the call ``before``, newest first; ``None``: of all users."""


class CallLog(Protocol):
    """The calls under way, and those that have ended."""

    def active(self, user: User | None = None) -> list[Cdr]:
        """The calls under way of ``user`` (None: of everybody), the newest first."""

    async def ended(
        self,
        user: User | None,
        wanted: Wanted,
        *,
        limit: int,
        offset: int = 0,
        order: str = "",
    ) -> list[CallRecord]:
        """The calls of ``user`` (None: of everybody) that have ended, the newest first."""

    def cdr(self, record: CallRecord) -> Cdr:
        """A call as sipXcom tells it."""


class CallController(Protocol):
    """Calls of two parties, and how they go."""

    async def start(
        self, agent: User, calling: str, called: str, asked: Asked, *, source: str
    ) -> None:
        """Ring ``calling``, then ``called``, for ``agent``. Raises Conflict, Forbidden, ..."""

    def transfer(self, agent: User, calling: str, called: str, target: str) -> None:
        """Connect ``called`` with ``target``. Raises BadInput, NotFound, Conflict."""

    def course(self, agent: User, calling: str, called: str) -> Course | None:
        """How the call goes, or went; None: nothing is known of it."""


class Forwardings(Protocol):
    """What users want done with the calls for them. Reads look into memory."""

    @property
    def default_timer(self) -> int:
        """Seconds that the phones of a user ring who has set no time."""

    def of(self, user: User) -> Forwarding:
        """What is stored of ``user``; the settings of a new user where nothing is."""

    def has_voicemail(self, user: User) -> bool:
        """Whether a call for ``user`` may end in a voicemail box."""

    async def change(
        self,
        user: User,
        make: Callable[[Forwarding], Forwarding],
        *,
        if_version: int | None = None,
    ) -> Forwarding:
        """Store what ``make`` makes of the present settings, whole or not at all.

        It holds for the next call, and is committed when this returns.  ``if_version``: only where
        nobody has changed them since that version was read.  Raises BadInput (a rule is broken, a
        schedule is not his, users would forward in a circle), Forbidden (his dial policy),
        PreconditionFailed, Overloaded; ``field`` is like ``rings[2].number``.
        """

    def schedules_of(self, user: User) -> list[Schedule]:
        """The schedules that his rings may use: his own, then those of his groups, by name each."""

    async def add_schedule(
        self, user: User, name: str, description: str, periods: Sequence[Period]
    ) -> Schedule:
        """Make a schedule of his own. Raises Unprocessable (``field`` names the member)."""

    async def change_schedule(
        self,
        user: User,
        schedule_id: int,
        name: str,
        description: str,
        periods: Sequence[Period],
        *,
        if_same: Schedule | None = None,
    ) -> Schedule:
        """Replace one of his own; with ``if_same`` only while it is still that.

        Raises NotFound where it is not his, PreconditionFailed, Unprocessable.
        """

    async def delete_schedule(
        self, user: User, schedule_id: int, *, if_same: Schedule | None = None
    ) -> None:
        """Delete one of his own; what used it holds always from now on. Raises as above."""

    def schedule(self, schedule_id: int) -> Schedule | None:
        """The schedule with that id, whosever it is."""

    def every_schedule(self) -> list[Schedule]:
        """The schedules of all users and groups and the general ones, by name."""

    async def user_groups(self) -> dict[int, str]:
        """The names of the user groups, by their ids."""

    async def add_any_schedule(self, new: Schedule) -> Schedule:
        """Make a schedule (its id is ignored) of the owner that it names. Raises Unprocessable."""

    async def change_any_schedule(
        self, schedule_id: int, make: Callable[[Schedule], Schedule]
    ) -> Schedule:
        """Store what ``make`` makes of the present schedule, whose owner stays.

        Raises NotFound, Unprocessable, and what ``make`` raises.
        """

    async def delete_any_schedule(self, schedule_id: int) -> None:
        """Delete a schedule; what used it holds always from now on. Raises NotFound."""


class CallGroups(Protocol):
    """The hunt groups."""

    def all(self) -> list[CallGroup]:
        """Every group, ordered by extension."""

    def get(self, group_id: int) -> CallGroup:
        """Raises NotFound."""

    async def add(self, new: CallGroup) -> CallGroup:
        """Make a group (its id and version are ignored).

        Raises BadInput (a rule is broken, a member does not exist, a circle), Conflict (a name is
        taken), Overloaded.
        """

    async def replace(self, group: CallGroup, *, if_version: int | None = None) -> CallGroup:
        """Replace the group with the id of ``group``. Raises as ``add``, NotFound,
        PreconditionFailed."""

    async def delete(self, group_id: int, *, if_version: int | None = None) -> None:
        """Raises NotFound, PreconditionFailed."""


class ParkOrbits(Protocol):
    """The park orbits."""

    def all(self) -> list[ParkOrbit]:
        """Every orbit, the oldest first."""

    def get(self, orbit_id: int) -> ParkOrbit:
        """Raises NotFound."""

    async def add(self, new: ParkOrbit) -> ParkOrbit:
        """Make an orbit (its id is ignored). Raises BadInput, Conflict."""

    async def change(self, orbit_id: int, make: Callable[[ParkOrbit], ParkOrbit]) -> ParkOrbit:
        """Store what ``make`` makes of the present orbit. Raises as ``add``, NotFound."""

    async def delete(self, orbit_ids: list[int]) -> None:
        """Delete these orbits, all of them or none. Raises NotFound."""


class Registrations(Protocol):
    """Which phones are registered."""

    def every(self) -> list[tuple[int, Binding]]:
        """The bindings of all users, each with the user's id."""

    async def drop(self, unwanted: Callable[[int, Binding], bool]) -> None:
        """Drop the bindings of which ``unwanted`` says so, given the user's id and the binding."""


class Rehearsals(Protocol):
    """What would become of a call, without ringing anybody."""

    async def rehearse(self, user: User, caller: str | None, at: float | None) -> Rehearsal:
        """A call for ``user`` from ``caller`` (None: an unknown one) at ``at`` (None: now).

        Raises BadInput where ``caller`` (field ``from``) or ``at`` cannot be.
        """


class Tokens(Protocol):
    """Tokens for programs, and private keys."""

    def user_of(self, token: str) -> User:
        """Whose token that is. Raises Unauthorized."""

    def user_of_key(self, key: str) -> User:
        """Whose private key that is. Raises Unauthorized."""

    def of(self, user: User) -> Sequence[Token]:
        """The tokens of ``user``, the oldest first."""

    async def make(self, user: User, label: str) -> tuple[str, Token]:
        """A new token and what is kept of it. Raises BadInput, NotFound."""

    async def revoke(self, user: User, token_id: str) -> None:
        """Make a token of ``user`` worthless. Raises NotFound."""

    async def make_key(self, user: User) -> str:
        """A new private key, in the place of the old one. Raises NotFound."""

    async def revoke_key(self, user: User) -> None:
        """Make the private key of ``user`` worthless."""


class Token(Protocol):
    """What is kept of a token."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def made(self) -> float: ...


class Configured(Protocol):
    """The part of the configuration that the doors read."""

    @property
    def domain(self) -> str: ...

    @property
    def realm_or_domain(self) -> str: ...

    @property
    def web(self) -> Any: ...

    @property
    def limits(self) -> Any: ...

    @property
    def phonebook(self) -> Any: ...


@attrs.frozen
class Services:
    """Everything that the site stands in front of."""

    config: Configured
    accounts: Accounts
    tokens: Tokens
    calls: Calls
    call_log: CallLog
    call_controller: CallController
    forwardings: Forwardings
    call_groups: CallGroups
    rehearsals: Rehearsals
    registrations: Registrations
    park_orbits: ParkOrbits
    phonebooks: Phonebooks
    private_phonebooks: PrivatePhonebooks
    profiles: Profiles
    settings: Settings
    conferences: Conferences
    user_groups: UserGroups
    branches: Branches
    permissions: Permissions
    setting_values: SettingValues
    attendants: Attendants
    telephones: Telephones
    lines: Lines
    ready: Callable[[], bool]
    """Whether calls are taken now."""
