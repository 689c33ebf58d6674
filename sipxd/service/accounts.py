"""Accounts: who there is, and who has shown that he is one.

``Accounts`` is the daemon's table in memory, loaded at start and written through: nothing on the
path of a call reads the database.  `sipxd.service.account_changes` makes the changes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import attrs
import sqlalchemy as sa
from twisted.internet.defer import DeferredLock
from twisted.internet.task import deferLater

from sipxd.directory.permission import PermissionRules
from sipxd.directory.user import User
from sipxd.errors import NotFound, Unauthorized
from sipxd.service.account_changes import apply, delete_user, hashed, insert, prepare
from sipxd.service.account_requests import (
    Generated,
    NewUser,
    UserChange,
)
from sipxd.service.logins import WRONG, Logins
from sipxd.service.vault import HA1, Vault
from sipxd.store import users
from sipxd.store.store import Store
from sipxd.store.users import StoredUser

AT_ONCE = 100
"""Users who are reconsidered in one go; so many may take 5 ms."""


@attrs.frozen
class _Account:
    user: User
    pin_hash: str
    sip_password: str
    ha1: str | None
    taken_up: int = 0
    """How many changes of groups, branches and permissions he had in him when he was stored."""


class Accounts:
    """Every account in memory, and the log-ins. Made by ``load``."""

    def __init__(self, store: Store, vault: Vault, reactor: Any, digest_realm: str = "") -> None:
        self._digest_realm = digest_realm
        self._store = store
        self._vault = vault
        self._accounts: dict[int, _Account] = {}
        self._by_name: dict[str, _Account] = {}  # names and aliases
        self._logins = Logins(reactor)
        self._reactor = reactor
        self._reconsidering = DeferredLock()
        self._reconsidered = 0
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
        stored, generated = await self._logins.hash(lambda: prepare(self._vault, request, realm))
        mailbox_hash = await self._hashed(request.voicemail_pin)

        def write(connection: sa.Connection) -> User:
            user = insert(connection, stored)
            if mailbox_hash is not None:
                users.save_voicemail_pin(connection, user.id, mailbox_hash)
            if also is not None:
                also(connection, user)
            return user

        user = await self._store.write("user.add", write)
        self._keep(attrs.evolve(stored, user=user))
        return user, generated

    async def change(
        self,
        who: User | str,
        change: UserChange,
        *,
        also: Callable[[sa.Connection, User], None] | None = None,
    ) -> User:
        """Change a user. Raises NotFound, BadInput, Conflict, Forbidden, Overloaded.

        ``who`` is the user himself, however he is called meanwhile, or a name or alias.
        ``also`` is given him after the change, and stores more about him in the same transaction.
        """
        pin_hash = await self._hashed(change.pin)
        mailbox_hash = await self._hashed(change.voicemail_pin)

        def write(connection: sa.Connection) -> StoredUser:
            realm = self._digest_realm
            stored = apply(connection, self._vault, who, change, pin_hash, realm)
            if mailbox_hash is not None:
                users.save_voicemail_pin(connection, stored.user.id, mailbox_hash)
            if also is not None:
                also(connection, stored.user)
            return stored

        stored = await self._store.write("user.change", write)
        self.adopt(stored)
        return stored.user

    async def _hashed(self, pin: str | None) -> str | None:
        """The hash of a PIN, made in the thread. Raises BadInput."""
        return None if pin is None else await self._logins.hash(lambda: hashed(pin))

    async def delete(self, who: User | str) -> User:
        """Delete a user (``who`` as in ``change``). Raises NotFound, Forbidden, Overloaded."""
        user = await self._store.write(
            "user.delete", lambda connection: delete_user(connection, who)
        )
        self._tell(self._forget(user.id), None)
        return user

    def adopt(self, stored: StoredUser) -> None:
        """Take up a user, new or changed, as he has been stored."""
        before = self._forget(stored.user.id)
        self._keep(stored)
        self._tell(before, stored.user)

    async def reconsider(
        self, rules: PermissionRules, change: Callable[[User], User] = lambda user: user
    ) -> None:
        """Take up what a change of groups, branches or permissions, just committed, means to users.

        ``change`` makes it of a user, but for his permissions, which follow from ``rules``; whom it
        does not concern it gives back as he is.  They may be many: calls are attended to meanwhile.
        """
        self._reconsidered += 1
        number = self._reconsidered
        effective = functools.lru_cache(maxsize=None)(rules.effective)  # many have the same
        async with self._reconsidering:  # one after the other, as they were committed
            for place, user_id in enumerate(list(self._accounts), 1):
                account = self._accounts.get(user_id)
                # Who was stored later came with it.
                if account is not None and account.taken_up < number:
                    before = account.user
                    after = change(before)
                    allowed = effective(after.granted, after.denied, after.groups)
                    if allowed != after.permissions:
                        after = after.allowed(allowed)
                    if after is not before:
                        self._replace(user_id, attrs.evolve(account, user=after))
                        self._tell(before, after)
                if place % AT_ONCE == 0:
                    await deferLater(self._reactor, 0)

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
        account = _Account(stored.user, stored.pin_hash, password, ha1, self._reconsidered)
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
