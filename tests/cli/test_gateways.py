"""``sipxd gateways``: what it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from click.testing import Result

Sipxd = Callable[..., Result]


def gateway(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "uri": f"sip:{name}.example.net", "addresses": ["udp:192.0.2.7:5060"],
        "health": "well", "registration": "registered", "sentence": "", **more,
    }  # fmt: skip


def test_gateways_are_shown_with_their_health_and_registration(sipxd: Sipxd, stand_in: Any) -> None:
    stand_in.answers["gateways"] = [
        {
            "result": [
                gateway("one"),
                gateway("two", addresses=[], health="ill", registration="",
                        sentence="Nobody [knows] it."),
            ]
        }
    ]  # fmt: skip
    head, one, two = sipxd("gateways").output.splitlines()
    assert head.split() == ["Name", "Address", "Health", "Registration", "What", "is", "wrong"]
    assert one.split() == ["one", "udp:192.0.2.7:5060", "well", "registered"]
    assert two.split(maxsplit=4) == [
        "two", "sip:two.example.net", "ill", "none", "Nobody [knows] it.",
    ]  # fmt: skip


def test_without_gateways_it_says_so(sipxd: Sipxd, stand_in: Any) -> None:
    stand_in.answers["gateways"] = [{"result": []}]
    assert sipxd("gateways").output == (
        "There are no gateways; the configuration has no [[gateway]].\n"
    )


def test_without_a_daemon_it_is_one_sentence(sipxd: Sipxd, initialised: object) -> None:
    done = sipxd("gateways")
    assert done.exit_code == 1 and "no sipxd is running" in done.stderr
