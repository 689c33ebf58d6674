"""``sipxd import`` without a daemon, in a real database, and with one, over the admin socket."""

from __future__ import annotations

import csv
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import Result

from sipxd.service.import_users import Prepared
from sipxd.service.vault import Vault, pin_matches
from sipxd.store import users
from sipxd.store.engine import create_engine
from sipxd.store.users import StoredUser

Sipxd = Callable[..., Result]


def everybody(state_dir: Path) -> dict[str, StoredUser]:
    """All users but superadmin, by name."""
    engine = create_engine(f"sqlite:///{state_dir}/sipxd.sqlite", read_only=True)
    with engine.begin() as connection:
        found = {each.user.name: each for each in users.every(connection)}
    engine.dispose()
    del found["superadmin"]
    return found


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    """Write a CSV file; gives its path."""

    def write(text: str) -> str:
        path = tmp_path / "users.csv"
        path.write_text(text)
        return str(path)

    return write


def test_users_come_from_a_file_with_all_that_it_says(
    sipxd: Sipxd, initialised: Path, file: Callable[[str], str]
) -> None:
    path = file(
        "name,first_name,last_name,aliases,groups,permissions,pin,sip_password,admin\n"
        '200,Ann,Åberg,ann 5200,"sales,north wing",InternationalDialing,47110815,sip-200,yes\n'
        "201,Bob,,,,,11112222,sip-201,\n"
    )
    done = sipxd("import", path)
    assert (done.exit_code, done.output) == (0, "2 users added, 0 changed\n")
    ann, bob = everybody(initialised).values()
    assert (ann.user.first_name, ann.user.last_name) == ("Ann", "Åberg")
    assert (ann.user.aliases, ann.user.groups) == (("ann", "5200"), ("sales", "north wing"))
    assert ann.user.admin and "InternationalDialing" in ann.user.permissions
    assert not bob.user.admin and bob.user.enabled
    assert pin_matches(ann.pin_hash, "47110815") and pin_matches(bob.pin_hash, "11112222")
    vault = Vault.open(initialised / "secret.key")
    assert vault.unseal(bob.sip_password) == "sip-201"


def test_standard_input_is_read_as_well(sipxd: Sipxd, initialised: Path) -> None:
    done = sipxd("import", "-", input="name,pin,sip_password\n200,47110815,secret\n")
    assert done.exit_code == 0, done.output
    assert list(everybody(initialised)) == ["200"]


def test_what_is_generated_is_written_to_a_file_for_its_owner_alone(
    sipxd: Sipxd, initialised: Path, file: Callable[[str], str], tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets.csv"
    path = file("name,pin,sip_password\n200,,\n201,47110815,\n202,47110815,known\n")
    done = sipxd("import", path, "--secrets", str(secrets))
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    with secrets.open(newline="") as lines:
        told = {row["name"]: row for row in csv.DictReader(lines)}
    assert list(told) == ["200", "201"]
    assert (told["201"]["pin"], told["201"]["sip_password"] != "") == ("", True)
    stored = everybody(initialised)
    assert pin_matches(stored["200"].pin_hash, told["200"]["pin"])
    vault = Vault.open(initialised / "secret.key")
    for name, row in told.items():
        assert vault.unseal(stored[name].sip_password) == row["sip_password"]
        assert row["sip_password"] not in done.output


def test_nothing_is_generated_where_nobody_could_read_it(
    sipxd: Sipxd, initialised: Path, file: Callable[[str], str]
) -> None:
    path = file("name,sip_password\n200,secret\n201,\n")
    refused = sipxd("import", path)
    assert refused.exit_code == 1
    assert "2 new users lack" in refused.stderr and "--secrets FILE" in refused.stderr
    refused = sipxd("import", path, "--no-pins")
    assert "1 new users lack" in refused.stderr
    assert everybody(initialised) == {}


def test_without_pins_nobody_logs_in_and_telephones_register(
    sipxd: Sipxd, initialised: Path, file: Callable[[str], str]
) -> None:
    done = sipxd("import", file("name,sip_password\n200,secret\n"), "--no-pins")
    assert done.exit_code == 0, done.output
    assert everybody(initialised)["200"].pin_hash == ""


def test_a_file_of_secrets_that_is_there_is_not_overwritten(
    sipxd: Sipxd, initialised: Path, file: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "secrets.csv").write_text("precious")
    done = sipxd("import", file("name\n200\n"), "--secrets", str(tmp_path / "secrets.csv"))
    assert done.exit_code == 1
    assert "is there already" in done.stderr
    assert (tmp_path / "secrets.csv").read_text() == "precious"
    assert everybody(initialised) == {}


def test_everything_that_is_wrong_is_told_and_nothing_is_stored(
    sipxd: Sipxd, initialised: Path, file: Callable[[str], str], tmp_path: Path
) -> None:
    path = file("name,email,pin,admin\n200,ann@x.test,47110815,\n2 1,x,1,maybe\n200,,4711,\n")
    done = sipxd("import", path, "--secrets", str(tmp_path / "secrets.csv"))
    assert done.exit_code == 1
    *problems, last = done.stderr.splitlines()
    assert [problem.split(":")[0] for problem in problems] == [
        "line 3, admin",
        "line 3, name",
        "line 3, email",
        "line 3, pin",
        "line 4, name",
    ]
    assert last == "sipxd: nothing was imported: 5 mistakes in 2 lines"
    assert everybody(initialised) == {}
    assert not (tmp_path / "secrets.csv").exists()


def test_who_is_there_already_is_told_before_anything_is_hashed(
    sipxd: Sipxd, initialised: Path, file: Callable[[str], str], tmp_path: Path
) -> None:
    sipxd("user", "add", "200", "--alias", "ann")
    path = file("name,aliases\n200,\n201,ann\n")
    done = sipxd("import", path, "--secrets", str(tmp_path / "secrets.csv"))
    assert done.exit_code == 1
    assert "line 2, name: there is already a user 200; with --update" in done.stderr
    assert "line 3, aliases: ann is already a name of the user 200" in done.stderr
    assert list(everybody(initialised)) == ["200"]
    assert not (tmp_path / "secrets.csv").exists()


def test_with_update_he_is_changed_and_keeps_what_the_file_does_not_say(
    sipxd: Sipxd, initialised: Path, file: Callable[[str], str]
) -> None:
    sipxd("user", "add", "200", "--pin", "47110815", "--first-name", "Ann", "--alias", "ann")
    path = file("name,first_name,last_name,aliases\n200,,Bee,\n")
    done = sipxd("import", path, "--update")
    assert (done.exit_code, done.output) == (0, "0 users added, 1 changed\n")
    stored = everybody(initialised)["200"]
    assert (stored.user.first_name, stored.user.last_name) == ("Ann", "Bee")
    assert stored.user.aliases == ("ann",)
    assert pin_matches(stored.pin_hash, "47110815")


def test_check_only_says_what_is_wrong(
    sipxd: Sipxd, initialised: Path, file: Callable[[str], str]
) -> None:
    done = sipxd("import", file("name\n200\n201\n"), "--check")
    assert (done.exit_code, done.output) == (0, "2 users could be imported\n")
    assert everybody(initialised) == {}
    assert sipxd("import", file("name\nsuperadmin\n"), "--check").exit_code == 1


@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", "utf-8-sig"])
def test_files_of_spreadsheets_are_read_in_their_encodings(
    sipxd: Sipxd, initialised: Path, tmp_path: Path, charset: str
) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes("name;first_name;sip_password\r\n200;Jörg;secret\r\n".encode(charset))
    named = ("--charset", charset) if charset.startswith("iso") else ()
    done = sipxd("import", str(path), "--no-pins", *named)
    assert done.exit_code == 0, done.output
    assert everybody(initialised)["200"].user.first_name == "Jörg"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name\n\xff\xfe200\n", "the file is no UTF-8 at byte 5"),
        (b"", "has to name the columns"),
        (b"name\n", "no users in the file"),
        (b"name\n2\x0000\n", "U+0000"),
        (b"name,Phone model\n200,x\n", "no column 'Phone model'"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    sipxd: Sipxd, initialised: Path, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(content)
    done = sipxd("import", str(path))
    assert done.exit_code == 1
    (sentence,) = done.stderr.splitlines()
    assert says in sentence


def test_the_digest_of_http_is_stored_where_it_is_switched_on(
    sipxd: Sipxd, initialised: Path, configuration: Path, file: Callable[[str], str]
) -> None:
    configuration.write_text(configuration.read_text() + "[web]\ndigest = true\n")
    done = sipxd("import", file("name,pin,sip_password\n200,47110815,secret\n"))
    assert done.exit_code == 0, done.output
    assert everybody(initialised)["200"].ha1 is not None


# -- through the daemon ----------------------------------------------------------------------------


class Receiver:
    """A daemon that has user 201 already, and answers an import with ``answers``."""

    def __init__(self, stand_in: Any, directory: Path) -> None:
        self.answers: list[dict[str, Any]] = []
        self.handed: list[list[Prepared]] = []
        self.asked: list[dict[str, Any]] = []
        self.vault = Vault.create(directory / "secret.key")
        self._directory = directory
        stand_in.answer = self._answer

    def _answer(self, command: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        assert command == "user.import"
        self.asked.append(arguments)
        path = self._directory / arguments["file"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        lines = path.read_bytes().splitlines()
        self.handed.append([msgspec.json.decode(line, type=Prepared) for line in lines])
        found = {"result": {"problems": [], "existing": ["201"]}}
        return [found] if arguments["check"] else self.answers


@pytest.fixture
def daemon(stand_in: Any, tmp_path: Path) -> Receiver:
    return Receiver(stand_in, tmp_path)


def test_a_running_daemon_is_handed_what_is_hashed_and_sealed(
    sipxd: Sipxd, daemon: Receiver, file: Callable[[str], str], tmp_path: Path
) -> None:
    daemon.answers = [{"event": 1}, {"event": 2}, {"result": {"added": 1, "changed": 1}}]
    path = file("name,email,pin,sip_password\n200,a@x.test,47110815,secret\n201,b@x.test,,\n")
    done = sipxd("import", path, "--update")
    assert (done.exit_code, done.output) == (0, "1 users added, 1 changed\n")
    assert [(each["check"], each["update"]) for each in daemon.asked] == [
        (True, True),
        (False, True),
    ]
    new, old = daemon.handed[1]
    assert (new.name, new.change.email) == ("200", "a@x.test")
    assert new.pin_hash is not None and pin_matches(new.pin_hash, "47110815")
    assert new.sip_password is not None and daemon.vault.unseal(new.sip_password) == "secret"
    assert (old.pin_hash, old.sip_password) == (None, None)
    assert not list(tmp_path.glob("import-*"))  # taken away again


def test_what_the_daemon_finds_wrong_at_last_is_told(
    sipxd: Sipxd, daemon: Receiver, file: Callable[[str], str]
) -> None:
    problem = {"line": 2, "field": "name", "rule": "200 is taken"}
    daemon.answers = [{"result": {"problems": [problem]}}]
    done = sipxd("import", file("name,pin,sip_password\n200,47110815,secret\n"))
    assert done.exit_code == 1
    assert "line 2, name: 200 is taken\nsipxd: nothing was imported" in done.stderr


@pytest.mark.parametrize(
    ("answers", "kept"),
    [
        ([], True),  # the daemon ended
        ([{"error": {"kind": "internal", "detail": "internal error"}}], True),
        ([{"error": {"kind": "conflict", "detail": "200 is taken"}}], False),
        ([{"error": {"kind": "store-failed", "detail": "the disk is full"}}], True),
        ([{"result": {"problems": [{"line": 2, "field": "name", "rule": "is taken"}]}}], False),
    ],
)
def test_generated_secrets_are_kept_where_the_users_may_be_there(
    sipxd: Sipxd,
    daemon: Receiver,
    file: Callable[[str], str],
    tmp_path: Path,
    answers: list[dict[str, Any]],
    kept: bool,
) -> None:
    daemon.answers = answers
    secrets = tmp_path / "secrets.csv"
    done = sipxd("import", file("name\n200\n"), "--secrets", str(secrets))
    assert done.exit_code == 1
    assert secrets.exists() is kept
    assert ("secrets.csv is kept" in done.stderr) is kept
