"""What phones have refused, in the database."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sipxd.call.phones import Refusal, Refusing
from sipxd.store import phones

YEALINK = Refusing("Yealink T46S", Refusal.OFFERLESS, 10.0)
SNOM = Refusing("snomD785", Refusal.REFER, 20.0)


def test_refusals_come_back_oldest_first_and_the_same_one_once(connection: sa.Connection) -> None:
    for refusal in (SNOM, YEALINK, YEALINK):
        phones.add(connection, refusal)
    assert phones.every(connection) == [YEALINK, SNOM]


def test_clearing_one_phone_leaves_the_others(connection: sa.Connection) -> None:
    for refusal in (SNOM, YEALINK):
        phones.add(connection, refusal)
    assert phones.clear(connection, "snomD785") == 1
    assert phones.every(connection) == [YEALINK]
    assert phones.clear(connection, None) == 1
    assert phones.every(connection) == []


def test_beyond_the_bound_the_oldest_go(
    connection: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phones, "MAXIMUM", 3)
    for number in range(5):
        phones.add(connection, Refusing(f"phone {number}", Refusal.REFER, float(number)))
    assert [each.user_agent for each in phones.every(connection)] == [
        "phone 2",
        "phone 3",
        "phone 4",
    ]


def test_what_only_a_later_release_knows_is_passed_over(connection: sa.Connection) -> None:
    connection.exec_driver_sql("INSERT INTO phones VALUES ('x', 'something new', 1.0)")
    assert phones.every(connection) == []
