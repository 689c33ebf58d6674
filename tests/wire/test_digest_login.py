"""HTTP Digest, where it is switched on, as curl speaks it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from daemon import Daemon

PIN = "pin4711Zk"


@pytest.fixture(scope="module")
def daemon(make_daemon: Callable[..., Daemon]) -> Daemon:
    made = make_daemon(web__digest=True)
    for name in ("200", "201", "202", "203"):
        made.command("user", "add", name, "--alias", f"a{name}", "--pin", PIN,
                     "--sip-password", f"sip-Pw-of-{name}")  # fmt: skip
    made.start()
    return made


def curl(daemon: Daemon, *arguments: str, user: str = f"200:{PIN}", path: str = "") -> str:
    """The status lines of all answers and the last body."""
    url = f"https://127.0.0.1:{daemon.web_port}{path or '/sipxconfig/rest/my/callfwd'}"
    done = subprocess.run(
        ["curl", "--silent", "--insecure", "--include", "-u", user, *arguments, url],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return done.stdout


def statuses(output: str) -> list[str]:
    return [line.split()[1] for line in output.splitlines() if line.startswith("HTTP/1.1 ")]


def test_curl_logs_in_by_digest_whatever_the_method(daemon: Daemon) -> None:
    read = curl(daemon, "--digest")
    assert statuses(read) == ["401", "200"]
    ways = [line for line in read.splitlines() if line.lower().startswith("www-authenticate:")]
    assert [way.split()[1] for way in ways] == ["Digest", "Basic"]
    body = ("-X", "PUT", "-H", "Content-Type: application/json", "-d", '{"rings":[]}')
    assert statuses(curl(daemon, "--digest", *body))[-1] == "200"
    query = curl(daemon, "--digest", path="/sipxconfig/rest/my/redirect/cdr/200?limit=1")
    assert statuses(query) == ["401", "200"]


def test_basic_is_as_good_as_before(daemon: Daemon) -> None:
    assert statuses(curl(daemon, "--basic")) == ["200"]
    assert statuses(curl(daemon, "--anyauth"))[-1] == "200"


@pytest.mark.parametrize("user", ["200:wrong", "999:" + PIN, "a200:" + PIN, f"201x:{PIN}"])
def test_a_wrong_name_or_pin_is_refused(daemon: Daemon, user: str) -> None:
    assert statuses(curl(daemon, "--digest", user=user))[-1] == "401"


def test_guesses_by_digest_are_counted_like_others(daemon: Daemon) -> None:
    seen: set[str] = set()
    for number in range(15):
        seen.add(statuses(curl(daemon, "--digest", user=f"203:guess{number}"))[-1])
        if "429" in seen:
            break
    assert "429" in seen


def test_what_is_checked_follows_the_pin_and_the_name(daemon: Daemon) -> None:
    daemon.command("user", "set", "202", "--pin", "another4711")
    assert statuses(curl(daemon, "--digest", user=f"202:{PIN}"))[-1] == "401"
    assert statuses(curl(daemon, "--digest", user="202:another4711"))[-1] == "200"
    daemon.command("user", "set", "202", "--rename", "2002")
    assert statuses(curl(daemon, "--digest", user="2002:another4711"))[-1] == "401"
    assert statuses(curl(daemon, "--basic", user="2002:another4711"))[-1] == "200"


def test_it_is_off_by_default(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon()
    daemon.command("user", "add", "200", "--pin", PIN, "--sip-password", "sip-Pw-of-200")
    daemon.start()
    refused = curl(daemon, "--digest")
    assert statuses(refused) == ["401"]
    assert "Digest" not in refused
