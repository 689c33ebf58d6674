"""``sipxd phones`` without a daemon, in a real database, and with one, over the admin socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from sipxd.call.phones import Refusal, Refusing
from sipxd.store import phones
from sipxd.store.engine import create_engine

Sipxd = Callable[..., Result]
KNOWN = [
    {"user_agent": "Yealink [T46S]", "refuses": "offerless", "noted": 1_700_000_000.0},
    {"user_agent": "snomD785", "refuses": "refer", "noted": 1_700_000_000.0},
]


@pytest.fixture
def remembered(initialised: Path) -> Path:
    engine = create_engine(f"sqlite:///{initialised}/sipxd.sqlite")
    with engine.begin() as connection:
        for each in KNOWN:
            new = Refusing(str(each["user_agent"]), Refusal(each["refuses"]), 1_700_000_000.0)
            phones.add(connection, new)
    engine.dispose()
    return initialised


def test_what_is_remembered_is_shown_without_a_daemon(sipxd: Sipxd, remembered: Path) -> None:
    done = sipxd("phones", "list")
    assert done.exit_code == 0, done.output
    assert "Yealink [T46S]" in done.output and "flow offer is used" in done.output
    assert json.loads(sipxd("phones", "list", "--json").output) == KNOWN
    assert sipxd("phones").output == done.output


def test_one_kind_or_all_are_cleared_without_a_daemon(sipxd: Sipxd, remembered: Path) -> None:
    assert sipxd("phones", "clear", "snomD785").output == "forgotten: 1\n"
    assert json.loads(sipxd("phones", "list", "--json").output) == KNOWN[:1]
    assert sipxd("phones", "clear").output == "forgotten: 1\n"
    assert json.loads(sipxd("phones", "list", "--json").output) == []


def test_a_running_daemon_is_asked(sipxd: Sipxd, stand_in: Any) -> None:
    stand_in.answers = {"phones.list": [{"result": KNOWN}], "phones.clear": [{"result": 2}]}
    assert "snomD785" in sipxd("phones", "list").output
    assert sipxd("phones", "clear", "snomD785").output == "forgotten: 2\n"
    assert [request["arguments"] for request in stand_in.asked] == [{}, {"user_agent": "snomD785"}]
