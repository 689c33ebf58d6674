"""``sipxd user`` without a daemon, in a real database, and with one, over the admin socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result

from sipxd.service.vault import Vault, pin_matches
from sipxd.store import users
from sipxd.store.engine import create_engine
from sipxd.store.users import StoredUser

Sipxd = Callable[..., Result]


@contextmanager
def database(state_dir: Path) -> Iterator[sa.Connection]:
    engine = create_engine(f"sqlite:///{state_dir}/sipxd.sqlite", read_only=True)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def stored(state_dir: Path, name: str) -> StoredUser:
    with database(state_dir) as connection:
        found = users.by_name(connection, name)
    assert found is not None
    return found


def printed(output: str, label: str) -> str:
    """The secret printed behind the label."""
    (line,) = [line for line in output.splitlines() if line.startswith(f"{label}: ")]
    return line.removeprefix(f"{label}: ")


def test_secrets_left_out_are_generated_and_printed(sipxd: Sipxd, initialised: Path) -> None:
    done = sipxd("user", "add", "200")
    assert done.exit_code == 0, done.output
    user = stored(initialised, "200")
    assert pin_matches(user.pin_hash, printed(done.output, "PIN"))
    vault = Vault.open(initialised / "secret.key")
    assert vault.unseal(user.sip_password) == printed(done.output, "SIP password")


def test_secrets_that_are_given_are_not_printed(sipxd: Sipxd, initialised: Path) -> None:
    done = sipxd("user", "add", "200", "--pin", "98761234", "--sip-password", "known-secret")
    assert done.output == "user 200 added\n"
    assert pin_matches(stored(initialised, "200").pin_hash, "98761234")


def test_a_dash_reads_the_secrets_from_standard_input_pin_first(
    sipxd: Sipxd, initialised: Path
) -> None:
    done = sipxd(
        "user", "add", "200", "--sip-password", "-", "--pin", "-", input="11112222\nsip secret\n"
    )
    assert done.exit_code == 0, done.output
    user = stored(initialised, "200")
    assert pin_matches(user.pin_hash, "11112222")
    assert Vault.open(initialised / "secret.key").unseal(user.sip_password) == "sip secret"


def test_a_missing_line_of_standard_input_is_said_so(sipxd: Sipxd, initialised: Path) -> None:
    done = sipxd("user", "add", "200", "--pin", "-", input="")
    assert done.exit_code == 1
    assert "standard input ends before the line with the PIN" in done.stderr


def test_every_option_of_add_is_kept(sipxd: Sipxd, initialised: Path) -> None:
    done = sipxd(
        "user", "add", "200", "--first-name", "Ann", "--last-name", "Bee", "--email", "ann@b.test",
        "--alias", "ann", "--alias", "2000", "--group", "sales", "--admin",
        "--permission", "InternationalDialing",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    shown = json.loads(sipxd("user", "show", "2000", "--json").output)
    del shown["id"]
    assert set(shown.pop("permissions")) >= {"InternationalDialing", "superadmin", "LocalDialing"}
    assert shown == {
        "name": "200",
        "first_name": "Ann",
        "last_name": "Bee",
        "email": "ann@b.test",
        "aliases": ["ann", "2000"],
        "groups": ["sales"],
        "granted": ["InternationalDialing", "superadmin"],
        "denied": [],
        "branch": None,
        "admin": True,
        "enabled": True,
        "flow": "",
        "voicemail": True,
    }


def test_set_changes_what_is_given_and_nothing_else(sipxd: Sipxd, initialised: Path) -> None:
    sipxd("user", "add", "200", "--pin", "11112222", "--alias", "ann", "--first-name", "Ann")
    done = sipxd("user", "set", "200", "--last-name", "Bee", "--no-alias", "--disable")
    assert done.exit_code == 0, done.output
    user = stored(initialised, "200")
    assert (user.user.first_name, user.user.last_name) == ("Ann", "Bee")
    assert (user.user.aliases, user.user.enabled) == ((), False)
    assert pin_matches(user.pin_hash, "11112222")


def test_the_flow_of_a_user_is_set_shown_and_taken_back(sipxd: Sipxd, initialised: Path) -> None:
    assert sipxd("user", "add", "200", "--flow", "auto").exit_code == 0
    assert stored(initialised, "200").user.flow == "auto"
    sipxd("user", "set", "200", "--flow", "refer")
    assert "refer" in sipxd("user", "show", "200").output
    assert sipxd("user", "set", "200", "--flow", "configured").exit_code == 0
    assert stored(initialised, "200").user.flow == ""
    refused = sipxd("user", "set", "200", "--flow", "magic")
    assert refused.exit_code == 2
    assert all(flow in refused.output for flow in ("offer", "offerless", "refer", "auto"))


def test_voicemail_is_taken_away_shown_and_given_back(sipxd: Sipxd, initialised: Path) -> None:
    assert sipxd("user", "add", "200", "--no-voicemail").exit_code == 0
    assert not stored(initialised, "200").user.voicemail
    assert "no voicemail" in sipxd("user", "show", "200").output
    sipxd("user", "set", "200", "--last-name", "Bee")
    assert not stored(initialised, "200").user.voicemail
    assert sipxd("user", "set", "200", "--voicemail").exit_code == 0
    assert stored(initialised, "200").user.voicemail
    assert "voicemail" not in sipxd("user", "show", "200").output


def test_permissions_are_granted_shown_and_taken_away(sipxd: Sipxd, initialised: Path) -> None:
    sipxd("user", "add", "200", "--permission", "mobile")
    wanted = ("--permission", "InternationalDialing", "--permission", "sip-address")
    granted = sipxd("user", "set", "200", *wanted)
    assert granted.exit_code == 0, granted.output
    assert stored(initialised, "200").user.granted == {"InternationalDialing", "sip-address"}
    assert "InternationalDialing, sip-address" in sipxd("user", "show", "200").output
    assert sipxd("user", "set", "200", "--no-permission").exit_code == 0
    assert stored(initialised, "200").user.granted == frozenset()
    both = sipxd("user", "set", "200", "--permission", "mobile", "--no-permission")
    assert both.exit_code == 2


def test_set_renames(sipxd: Sipxd, initialised: Path) -> None:
    sipxd("user", "add", "200")
    assert sipxd("user", "set", "200", "--rename", "300").exit_code == 0
    assert stored(initialised, "300").user.name == "300"


@pytest.mark.parametrize("arguments", [(), ("--alias", "x", "--no-alias")])
def test_set_refuses_what_makes_no_sense(
    sipxd: Sipxd, initialised: Path, arguments: tuple[str, ...]
) -> None:
    sipxd("user", "add", "200")
    assert sipxd("user", "set", "200", *arguments).exit_code == 2


def test_list_shows_everybody_in_a_table(sipxd: Sipxd, initialised: Path) -> None:
    sipxd("user", "add", "200", "--first-name", "[bold]Ann", "--alias", "ann")
    lines = sipxd("user", "list").output.splitlines()
    assert lines[0].split() == ["User", "Name", "Aliases", "Groups", "E-mail"]
    assert lines[1].split() == ["200", "[bold]Ann", "ann"]
    assert lines[2].split()[0] == "superadmin"


def test_delete_deletes(sipxd: Sipxd, initialised: Path) -> None:
    sipxd("user", "add", "200")
    assert sipxd("user", "delete", "200").exit_code == 0
    done = sipxd("user", "show", "200")
    assert done.exit_code == 1
    assert "there is no user '200'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "2 00"), "user name"),
        (("add", "superadmin"), "already the name"),
        (("add", "200", "--pin", "1"), "pin must have"),
        (("set", "nobody", "--admin"), "there is no user"),
        (("delete", "superadmin"), "cannot be deleted"),
    ],
)
def test_what_breaks_a_rule_is_one_sentence(
    sipxd: Sipxd, initialised: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = sipxd("user", *arguments)
    assert done.exit_code == 1
    (sentence,) = done.stderr.splitlines()
    assert says in sentence


def test_without_a_database_it_says_how_to_make_one(sipxd: Sipxd, configuration: Path) -> None:
    configuration.write_text(f'domain = "a.test"\nstate_dir = "{configuration.parent}"\n')
    done = sipxd("user", "list")
    assert done.exit_code == 1
    assert "sipxd init" in done.stderr


def test_a_running_daemon_does_it(sipxd: Sipxd, stand_in: Any) -> None:
    stand_in.answers["user.add"] = [{"result": {"user": {}, "generated": {"pin": "123"}}}]
    stand_in.answers["user.set"] = [{"result": {}}]
    done = sipxd("user", "add", "200", "--alias", "a", "--sip-password", "pw")
    assert printed(done.output, "PIN") == "123"
    assert sipxd("user", "set", "200", "--pin", "4711").exit_code == 0
    added = {"name": "200", "aliases": ["a"], "sip_password": "pw", "admin": False}
    assert stand_in.asked == [
        {"command": "user.add", "arguments": added},
        {"command": "user.set", "arguments": {"name": "200", "change": {"pin": "4711"}}},
    ]


def test_the_daemons_sentence_is_shown(sipxd: Sipxd, stand_in: Any) -> None:
    stand_in.answers["user.delete"] = [{"error": {"kind": "not-found", "detail": "no such user"}}]
    done = sipxd("user", "delete", "200")
    assert (done.exit_code, done.stderr) == (1, "sipxd: no such user\n")


def test_a_daemon_that_ends_in_between_is_said_so(sipxd: Sipxd, stand_in: Any) -> None:
    stand_in.answers["user.list"] = []
    done = sipxd("user", "list")
    assert done.exit_code == 1
    assert "ended before it had answered" in done.stderr


def test_a_daemon_that_does_not_answer_is_given_up(
    sipxd: Sipxd, stand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sipxd.cli.daemon.ANSWER_TIME", 0.05)
    stand_in.answers["user.list"] = [{"event": {}}]
    done = sipxd("user", "list")
    assert done.exit_code == 1
    assert "did not answer" in done.stderr
