"""Telephones of the users of a whole daemon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest_twisted
from twisted.internet import reactor, task

from sipxd.cli.phone import Account, open_phone, register
from sipxd.config_values import ListenAddress
from sipxd.testing.phone import Behaviour, Phone


async def until(condition: Callable[[], object]) -> None:
    for _ in range(500):
        if condition():
            return
        await task.deferLater(reactor, 0.01)
    raise AssertionError("waited 5 s in vain")


@pytest_twisted.async_yield_fixture
async def phones(house: Any) -> Any:
    """The phones of 200 and 201, which answer at once."""
    port = house.app.sip.open[0].port
    opened: dict[str, Phone] = {}
    transports = []
    for name in ("200", "201"):
        account = Account(name, f"secret-{name}", "example.org", "127.0.0.1", port)
        listen = ListenAddress("udp", "127.0.0.1", 0)
        behaviour = Behaviour(answer_after=0.05)
        opened[name], transport = open_phone(reactor, account, behaviour, listen)
        transports.append(transport)
        await register(opened[name], f"127.0.0.1:{port}", reactor)
    yield opened
    for phone in opened.values():
        phone.timers.stop()
    for transport in transports:
        await transport.close()


async def talk(house: Any, phones: dict[str, Phone]) -> None:
    """200 talks to 201."""
    answer = await house.request("PUT", "/call/201?wait=bridged", user="200")
    assert answer.status == 200
    await until(lambda: all(phone.calls and phone.calls[-1].up for phone in phones.values()))


async def hang_up(house: Any, phones: dict[str, Phone]) -> None:
    phones["201"].calls[-1].hang_up()
    await until(lambda: not house.app.table.calls)
