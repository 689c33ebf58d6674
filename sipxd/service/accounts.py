"""Accounts: who there is, and who has shown that he is one.

The functions on a Connection make the changes; the command line uses them where no daemon runs.
``Accounts`` is the daemon's table in memory, loaded at start and written through: nothing on the
path of a call reads the database.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import sqlalchemy as sa

from sipxd.directory.permission import ADMIN, VOICEMAIL, PermissionRules
from sipxd.directory.user import User
from sipxd.errors import Forbidden, NotFound, Unauthorized
from sipxd.service.account_requests import (
    MAX_NAME,
    SAME,
    Generated,
    NewUser,
    UserChange,
)
from sipxd.service.logins import WRONG, Logins
from sipxd.service.vault import HA1, Vault, generate_password, generate_pin, hash_pin
from sipxd.sip import digest
from sipxd.sip.digest import Algorithm
from sipxd.store import branches, call_groups, permissions, users
from sipxd.store.store import Store
from sipxd.store.users import StoredUser

SUPERADMIN = "superadmin"
"""The account that exists always: it cannot be deleted, renamed, disabled or demoted."""

# -- on a connection -----------------------------------------------------------------------------


def create_user(
    connection: sa.Connection, vault: Vault, new_user: NewUser, digest_realm: str = ""
) -> tuple[User, Generated]:
    """Make a user. Raises Conflict when a name is taken. Hashes the PIN: takes about 25 ms.

    ``digest_realm`` is that of HTTP Digest; empty: it is switched off, here as below.
    """
    stored, generated = _prepare(vault, new_user, digest_realm)
    return _insert(connection, stored), generated


def change_user(
    connection: sa.Connection,
    vault: Vault,
    name: str,
    change: UserChange,
    digest_realm: str = "",
) -> User:
    """Change the user with this name or alias. Raises NotFound, BadInput, Conflict, Forbidden.

    Under a new name he keeps his places in hunt groups.  Numbers that others have set stay as they
    are: a number is not a person.
    """
    return _apply(connection, vault, name, change, _hashed(change), digest_realm).user


def delete_user(connection: sa.Connection, name: str) -> User:
    """Delete the user with this name or alias. Raises NotFound; Forbidden for superadmin.

    He leaves his hunt groups; his forwarding and his schedules go with him.
    """
    user = _existing(connection, name).user
    if user.name == SUPERADMIN:
        raise Forbidden(f"{SUPERADMIN} cannot be deleted", field="name")
    users.delete(connection, user.id)
    call_groups.rename_member(connection, user.name, None)
    return user


def list_users(connection: sa.Connection) -> list[User]:
    """All users, ordered by name."""
    return sorted((stored.user for stored in users.every(connection)), key=lambda user: user.name)


def find_user(connection: sa.Connection, name: str) -> User:
    """The user with this name or alias. Raises NotFound."""
    return _existing(connection, name).user


def ensure_superadmin(
    connection: sa.Connection, vault: Vault, pin: str | None, digest_realm: str = ""
) -> str | None:
    """Make superadmin where he is missing; the generated PIN, or None where none was generated.

    An existing superadmin keeps his PIN, whatever ``pin`` says.
    """
    if users.by_name(connection, SUPERADMIN) is not None:
        return None
    chosen = generate_password() if pin is None else pin
    create_user(
        connection,
        vault,
        NewUser(name=SUPERADMIN, last_name="Administrator", admin=True, pin=chosen),
        digest_realm,
    )
    return chosen if pin is None else None


def _granted(user: User, change: UserChange) -> frozenset[str]:
    """What he himself is granted after ``change``."""
    granted = user.granted
    if change.permissions is not None:
        granted = frozenset(change.permissions) | (granted & {ADMIN, VOICEMAIL})
    for name, value in ((ADMIN, change.admin), (VOICEMAIL, change.voicemail)):
        if value is not None:
            granted = granted | {name} if value else granted - {name}
    return granted


def _denied(user: User, change: UserChange) -> frozenset[str]:
    """What he himself is denied after ``change``."""
    denied = user.denied - frozenset(change.permissions or ())
    if change.admin:
        denied -= {ADMIN}
    if change.voicemail is not None:
        denied = denied - {VOICEMAIL} if change.voicemail else denied | {VOICEMAIL}
    return denied


def _set_values(user: User, values: Mapping[str, bool | None], rules: PermissionRules) -> User:
    """``user`` with these permissions as wanted; what holds for him anyway is not kept of him."""
    anyway = rules.effective((), (), user.groups)
    granted, denied = set(user.granted), set(user.denied)
    for name, value in values.items():
        if name not in rules.defaults:
            raise NotFound(f"there is no permission {name[:80]!r}", field="permissions")
        granted.discard(name)
        denied.discard(name)
        if value is not None and value != (name in anyway):
            (granted if value else denied).add(name)
    return attrs.evolve(user, granted=frozenset(granted), denied=frozenset(denied))


def _existing(connection: sa.Connection, name: str) -> StoredUser:
    stored = users.by_name(connection, name) if len(name) <= MAX_NAME else None
    if stored is None:
        raise NotFound(f"there is no user {name[:80]!r}", field="name")
    return stored


def _prepare(vault: Vault, new: NewUser, digest_realm: str = "") -> tuple[StoredUser, Generated]:
    """The row of a new user. Hashes: takes about 25 ms."""
    pin = generate_pin() if new.pin is None else new.pin
    sip_password = generate_password() if new.sip_password is None else new.sip_password
    user = User(
        id=0,
        name=new.name,
        first_name=new.first_name,
        last_name=new.last_name,
        email=new.email,
        aliases=new.aliases,
        groups=new.groups,
        enabled=new.enabled,
        flow=new.flow,
        granted=new.granted,
        denied=new.denied,
        branch=new.branch,
    )
    generated = Generated(
        pin if new.pin is None else None, sip_password if new.sip_password is None else None
    )
    ha1 = seal_ha1(vault, new.name, digest_realm, pin)
    return StoredUser(user, hash_pin(pin), vault.seal(sip_password), ha1), generated


def _insert(connection: sa.Connection, stored: StoredUser) -> User:
    if stored.user.branch is not None:
        branches.get(connection, stored.user.branch)
    return users.add(connection, stored)


def seal_ha1(vault: Vault, name: str, realm: str, pin: str) -> bytes | None:
    """What HTTP Digest is checked with, sealed; None where that is switched off."""
    return vault.seal(digest.ha1(Algorithm.MD5, name, realm, pin), HA1) if realm else None


def _hashed(change: UserChange) -> str | None:
    """The hash of the new PIN, checked first. Takes about 25 ms."""
    if change.pin is None:
        return None
    NewUser(name="x", pin=change.pin)
    return hash_pin(change.pin)


def _apply(
    connection: sa.Connection,
    vault: Vault,
    name: str,
    change: UserChange,
    pin_hash: str | None,
    digest_realm: str,
) -> StoredUser:
    old = _existing(connection, name)
    user = old.user
    rules = permissions.rules(connection)
    new = _set_values(changed(user, change), change.values or {}, rules)
    if new.branch != user.branch and new.branch is not None:
        branches.get(connection, new.branch)
    sealed = old.sip_password if change.sip_password is None else vault.seal(change.sip_password)
    ha1 = old.ha1 if new.name == user.name else None  # the name is part of it
    if change.pin is not None:
        ha1 = seal_ha1(vault, new.name, digest_realm, change.pin)
    ruled = new.ruled_by(rules)
    if user.name == SUPERADMIN and not ruled.admin:
        raise Forbidden(f"{SUPERADMIN} cannot be demoted", field="permissions")
    stored = StoredUser(ruled, pin_hash or old.pin_hash, sealed, ha1)
    users.update(connection, stored)
    if new.name != user.name:
        call_groups.rename_member(connection, user.name, new.name)
    return stored


def changed(user: User, change: UserChange) -> User:
    """The user after ``change``, but for what he may do by it. Raises BadInput, Forbidden."""
    if user.name == SUPERADMIN and (
        change.name not in (None, SUPERADMIN) or change.admin is False or change.enabled is False
    ):
        raise Forbidden(f"{SUPERADMIN} cannot be renamed, disabled or demoted", field="name")
    given = {
        field.name: value
        for field in attrs.fields(UserChange)
        if (value := getattr(change, field.name)) is not None
        and field.name not in ("pin", "values", "joins", "leaves")
    }
    if change.joins or change.leaves:
        stays = (group for group in user.groups if group not in change.leaves)
        given["groups"] = tuple(dict.fromkeys((*stays, *change.joins)))
    # One set of rules for new and changed users.
    checked = NewUser(**({name: getattr(user, name) for name in SAME} | given))
    return attrs.evolve(
        user,
        **{name: getattr(checked, name) for name in given if name in SAME},
        granted=_granted(user, change),
        denied=_denied(user, change),
        branch=user.branch if change.branch is None else change.branch or None,
    )


# -- in the daemon -------------------------------------------------------------------------------


@attrs.frozen
class _Account:
    user: User
    pin_hash: str
    sip_password: str
    ha1: str | None


class Accounts:
    """Every account in memory, and the log-ins. Made by ``load``."""

    def __init__(self, store: Store, vault: Vault, reactor: Any, digest_realm: str = "") -> None:
        self._digest_realm = digest_realm
        self._store = store
        self._vault = vault
        self._accounts: dict[int, _Account] = {}
        self._by_name: dict[str, _Account] = {}  # names and aliases
        self._logins = Logins(reactor)
        self._observers: list[Callable[[User, User | None], None]] = []

    @classmethod
    async def load(
        cls, store: Store, vault: Vault, reactor: Any, digest_realm: str = ""
    ) -> Accounts:
        """Read all accounts. Raises ConfigError where the key file is not the database's.

        ``digest_realm`` is that of HTTP Digest; empty: it is switched off.
        """
        accounts = cls(store, vault, reactor, digest_realm)
        try:
            for stored in await store.read("accounts.load", users.every):
                accounts._keep(stored)
        except BaseException:
            accounts.close()
            raise
        return accounts

    def close(self) -> None:
        """Stop the hashing thread."""
        self._logins.close()

    def find(self, name_or_alias: str) -> User | None:
        """The user with this name or alias, compared exactly."""
        account = self._by_name.get(name_or_alias)
        return account.user if account is not None else None

    def by_id(self, user_id: int) -> User | None:
        """The user with this id."""
        account = self._accounts.get(user_id)
        return account.user if account is not None else None

    def sip_password(self, user: User) -> str:
        """The password of the user's phones. Raises NotFound when he was deleted."""
        account = self._accounts.get(user.id)
        if account is None:
            raise NotFound(f"there is no user {user.name!r}")
        return account.sip_password

    def all(self) -> list[User]:
        """All users, ordered by name."""
        return sorted((each.user for each in self._accounts.values()), key=lambda user: user.name)

    def observe(self, observer: Callable[[User, User | None], None]) -> None:
        """``observer`` is told the user before and after each change; None: he was deleted.

        It is told after the commit, in the order of commits.
        """
        self._observers.append(observer)

    # -- changes ----------------------------------------------------------------------------------

    async def add(
        self, request: NewUser, *, also: Callable[[sa.Connection, User], None] | None = None
    ) -> tuple[User, Generated]:
        """Make a user; he can be called when this returns. Raises Conflict, NotFound, Overloaded.

        ``also`` is given him, and stores more about him in the same transaction.
        """
        realm = self._digest_realm
        stored, generated = await self._logins.hash(lambda: _prepare(self._vault, request, realm))

        def write(connection: sa.Connection) -> User:
            user = _insert(connection, stored)
            if also is not None:
                also(connection, user)
            return user

        user = await self._store.write("user.add", write)
        self._keep(attrs.evolve(stored, user=user))
        return user, generated

    async def change(
        self,
        name: str,
        change: UserChange,
        *,
        also: Callable[[sa.Connection, User], None] | None = None,
    ) -> User:
        """Change a user. Raises NotFound, BadInput, Conflict, Forbidden, Overloaded.

        ``also`` is given him after the change, and stores more about him in the same transaction.
        """
        pin_hash = None
        if change.pin is not None:
            pin_hash = await self._logins.hash(lambda: _hashed(change))

        def write(connection: sa.Connection) -> StoredUser:
            realm = self._digest_realm
            stored = _apply(connection, self._vault, name, change, pin_hash, realm)
            if also is not None:
                also(connection, stored.user)
            return stored

        stored = await self._store.write("user.change", write)
        self.adopt(stored)
        return stored.user

    async def set_voicemail_pin(self, user: User, pin: str) -> None:
        """Replace the PIN of the user's voicemail box, of which the hash is kept.

        Raises BadInput, NotFound, Overloaded.
        """
        pin_hash = await self._logins.hash(lambda: _hashed(UserChange(pin=pin)))
        assert pin_hash is not None
        await self._store.write(
            "user.voicemail_pin", lambda c: users.save_voicemail_pin(c, user.id, pin_hash)
        )

    async def delete(self, name: str) -> User:
        """Delete a user. Raises NotFound, Forbidden, Overloaded."""
        user = await self._store.write(
            "user.delete", lambda connection: delete_user(connection, name)
        )
        self._tell(self._forget(user.id), None)
        return user

    def adopt(self, stored: StoredUser) -> None:
        """Take up a user, new or changed, as he has been stored."""
        before = self._forget(stored.user.id)
        self._keep(stored)
        self._tell(before, stored.user)

    def reconsider(
        self, rules: PermissionRules, change: Callable[[User], User] = lambda user: user
    ) -> None:
        """Take up what a change of groups, branches or permissions, now committed, means to users.

        ``change`` makes it of a user, but for his permissions, which follow from ``rules``.
        """
        effective = functools.lru_cache(maxsize=None)(rules.effective)  # many have the same
        for user_id, account in list(self._accounts.items()):
            before = account.user
            after = change(before)
            after = after.allowed(effective(after.granted, after.denied, after.groups))
            if after != before:
                self._replace(user_id, attrs.evolve(account, user=after))
                self._tell(before, after)

    def _replace(self, user_id: int, account: _Account) -> None:
        self._accounts[user_id] = account
        for name in (account.user.name, *account.user.aliases):
            self._by_name[name] = account

    def _tell(self, before: User | None, after: User | None) -> None:
        if before is not None:
            for observer in self._observers:
                observer(before, after)

    def _keep(self, stored: StoredUser) -> None:
        ha1 = None if stored.ha1 is None else self._vault.unseal(stored.ha1, HA1)
        password = self._vault.unseal(stored.sip_password)
        account = _Account(stored.user, stored.pin_hash, password, ha1)
        self._replace(stored.user.id, account)

    def _forget(self, user_id: int) -> User | None:
        account = self._accounts.pop(user_id, None)
        if account is None:
            return None
        for name in (account.user.name, *account.user.aliases):
            del self._by_name[name]
        return account.user

    async def authenticate(self, name: str, pin: str, source: str) -> User:
        """The user with this name or alias, whose PIN this is; ``source`` is the peer's address.

        Raises Unauthorized (in the same words and at the same cost for unknown and disabled users),
        TooManyGuesses after repeated failures, Overloaded when too many log-ins wait.
        """
        account = self._by_name.get(name)
        pin_hash = account.pin_hash if account is not None and account.user.enabled else None
        # The user name, not the alias typed, is what guesses are counted for.
        await self._logins.check(
            account.user.name if account is not None else name, pin_hash, pin, source
        )
        # Looked up again: he may have been changed or deleted while the PIN was checked.
        now = self._by_name.get(name)
        if now is None or not now.user.enabled or now.pin_hash != pin_hash:
            raise Unauthorized(WRONG)
        return now.user

    def ha1(self, name: str) -> str | None:
        """What HTTP Digest is checked with, of the user with this very name; None: it cannot be."""
        account = self._by_name.get(name)
        usable = account is not None and account.user.enabled and account.user.name == name
        return account.ha1 if account is not None and usable else None

    async def judge(self, name: str, right: bool, source: str) -> User:
        """The user of that name, whose credentials were ``right``. Raises as ``authenticate``."""
        await self._logins.judge(name, right, source)
        account = self._by_name.get(name)
        if account is None or not account.user.enabled:
            raise Unauthorized(WRONG)
        return account.user
