"""Telephones, which are stored for clients that look after them; none is provisioned from here."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import sqlalchemy as sa

from sipxd.directory.telephone import MAX_LINES, Line, Telephone, address, is_model, is_serial
from sipxd.directory.user import User
from sipxd.errors import BadInput
from sipxd.service.accounts import Accounts
from sipxd.store import telephones as stored
from sipxd.store.store import Store

MAX_TEXT = 255
MAX_GROUPS = 50


class Telephones:
    """Read when somebody asks: no call goes by any of it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self) -> list[Telephone]:
        """Every telephone, the oldest first."""
        return await self._store.read("telephones", stored.every)

    async def find(self, serial: str) -> Telephone | None:
        """The telephone with that serial number."""
        return await self._store.read("telephone", lambda c: stored.find(c, serial))

    async def add(self, new: Telephone) -> Telephone:
        """Store a telephone (its id is ignored). Raises BadInput, Conflict, Overloaded."""
        _check(new)
        return await self._store.write("telephone.add", lambda c: stored.add(c, new))

    async def change(self, telephone_id: int, make: Callable[[Telephone], Telephone]) -> None:
        """Store what ``make`` makes of the present telephone. Raises as ``add``, NotFound."""

        def change(connection: sa.Connection) -> None:
            new = make(stored.get(connection, telephone_id))
            _check(new)
            stored.replace(connection, new)

        await self._store.write("telephone.change", change)

    async def delete(self, telephone_id: int) -> None:
        """Delete a telephone with its lines."""
        await self._store.write("telephone.delete", lambda c: stored.delete(c, telephone_id))


@attrs.frozen
class Lines:
    """What clients are told of lines; ``domain`` is that of the users'."""

    accounts: Accounts
    domain: str

    def user(self, line: Line) -> User | None:
        """Whose line it is; None: it is external."""
        return None if line.user_id is None else self.accounts.by_id(line.user_id)

    def name(self, line: Line) -> str:
        """The user name, here or at the other server."""
        user = self.user(line)
        return line.name if user is None else user.name

    def uri(self, line: Line) -> str:
        """The address, with the name that is shown."""
        user = self.user(line)
        if user is None:
            return line.uri
        return address(f"{user.first_name} {user.last_name}".strip(), user.name, self.domain)


def _check(telephone: Telephone) -> None:
    if not is_serial(telephone.serial):
        raise BadInput(
            f"serialNumber must have 12 hexadecimal digits, not {telephone.serial[:40]!r}",
            field="serialNumber",
        )
    if not is_model(telephone.model):
        raise BadInput(f"phone model doesn't exist: {telephone.model[:40]}", field="modelId")
    if len(telephone.lines) > MAX_LINES or len(telephone.groups) > MAX_GROUPS:
        raise BadInput(
            f"a telephone has at most {MAX_LINES} lines and {MAX_GROUPS} groups", field="lines"
        )
    texts = [("description", telephone.description), ("deviceVersion", telephone.version)]
    texts += [("groups", name) for name in telephone.groups]
    for line in telephone.lines:
        texts += [("userId", line.name), ("registrationServer", line.uri)]
    for field, text in texts:
        if len(text) > MAX_TEXT or not text.isprintable():
            raise BadInput(
                f"{field} must have at most {MAX_TEXT} printable characters", field=field
            )
