"""What becomes of accounts in the database: users made, changed and deleted on a connection.

The command line uses this where no daemon runs; ``Accounts`` keeps its table in step with it.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import sqlalchemy as sa

from sipxd.directory.permission import ADMIN, VOICEMAIL, PermissionRules
from sipxd.directory.user import User
from sipxd.errors import Forbidden, NotFound
from sipxd.service.account_requests import (
    MAX_NAME,
    SAME,
    Generated,
    NewUser,
    UserChange,
)
from sipxd.service.vault import HA1, Vault, generate_password, generate_pin, hash_pin
from sipxd.sip import digest
from sipxd.sip.digest import Algorithm
from sipxd.store import branches, call_groups, permissions, users
from sipxd.store.users import StoredUser

SUPERADMIN = "superadmin"
"""The account that exists always: it cannot be deleted, renamed, disabled or demoted."""


def create_user(
    connection: sa.Connection, vault: Vault, new_user: NewUser, digest_realm: str = ""
) -> tuple[User, Generated]:
    """Make a user. Raises Conflict when a name is taken. Hashes the PIN: takes about 25 ms.

    ``digest_realm`` is that of HTTP Digest; empty: it is switched off, here as below.
    """
    stored, generated = prepare(vault, new_user, digest_realm)
    return insert(connection, stored), generated


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
    return apply(
        connection,
        vault,
        name,
        change,
        None if change.pin is None else hashed(change.pin),
        digest_realm,
    ).user


def delete_user(connection: sa.Connection, who: User | str) -> User:
    """Delete a user. Raises NotFound; Forbidden for superadmin.

    ``who`` as in ``apply``.  He leaves his hunt groups; his forwarding and his schedules go with
    him.
    """
    user = _existing(connection, who).user
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


def _existing(connection: sa.Connection, who: User | str) -> StoredUser:
    if isinstance(who, User):
        found = users.some(connection, [who.id])
        stored, name = found[0] if found else None, who.name
    else:
        stored, name = users.by_name(connection, who) if len(who) <= MAX_NAME else None, who
    if stored is None:
        raise NotFound(f"there is no user {name[:80]!r}", field="name")
    return stored


def prepare(vault: Vault, new: NewUser, digest_realm: str = "") -> tuple[StoredUser, Generated]:
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


def insert(connection: sa.Connection, stored: StoredUser) -> User:
    """Store a new user. Raises Conflict, NotFound (his branch)."""
    if stored.user.branch is not None:
        branches.get(connection, stored.user.branch)
    return users.add(connection, stored)


def seal_ha1(vault: Vault, name: str, realm: str, pin: str) -> bytes | None:
    """What HTTP Digest is checked with, sealed; None where that is switched off."""
    return vault.seal(digest.ha1(Algorithm.MD5, name, realm, pin), HA1) if realm else None


def hashed(pin: str) -> str:
    """The hash of a new PIN, checked first. Raises BadInput. Takes about 25 ms."""
    NewUser(name="x", pin=pin)
    return hash_pin(pin)


def apply(
    connection: sa.Connection,
    vault: Vault,
    who: User | str,
    change: UserChange,
    pin_hash: str | None,
    digest_realm: str,
) -> StoredUser:
    """Store a change of a user, whose new PIN has this hash. Raises as ``change_user``.

    ``who`` is the user himself, however he is called meanwhile, or a name or alias.
    """
    old = _existing(connection, who)
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
