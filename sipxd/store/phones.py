"""What kinds of phones have refused, so that a restart does not ask them all again."""

from __future__ import annotations

import sqlalchemy as sa

from sipxd.call.phones import Refusal, Refusing
from sipxd.store.schema import phones

MAXIMUM = 1000
"""Refusals that are kept; the oldest go first."""


def every(connection: sa.Connection) -> list[Refusing]:
    """All of them, the oldest first."""
    query = sa.select(phones).order_by(phones.c.noted, phones.c.user_agent, phones.c.refuses)
    known = {str(refusal) for refusal in Refusal}
    return [
        Refusing(row.user_agent, Refusal(row.refuses), row.noted)
        for row in connection.execute(query)
        if row.refuses in known  # a later release may know more
    ]


def add(connection: sa.Connection, new: Refusing) -> None:
    """Note one, in the place of what was noted of the same before."""
    same = sa.and_(phones.c.user_agent == new.user_agent, phones.c.refuses == str(new.refuses))
    connection.execute(sa.delete(phones).where(same))
    connection.execute(
        sa.insert(phones).values(
            user_agent=new.user_agent, refuses=str(new.refuses), noted=new.noted
        )
    )
    for old in every(connection)[:-MAXIMUM]:
        connection.execute(
            sa.delete(phones).where(
                phones.c.user_agent == old.user_agent, phones.c.refuses == str(old.refuses)
            )
        )


def clear(connection: sa.Connection, user_agent: str | None) -> int:
    """Forget what is known of ``user_agent``, None: of all; gives how many refusals that were."""
    query = sa.delete(phones)
    if user_agent is not None:
        query = query.where(phones.c.user_agent == user_agent)
    return connection.execute(query).rowcount
