"""``sipxd init``: makes what is missing, and changes nothing that exists."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from cryptography import x509

from sipxd import config
from sipxd.cli import common

Sipxd = Callable[..., Result]


def contents(folder: Path) -> dict[str, bytes]:
    """The files that init has made."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_makes_everything_that_check_wants(
    sipxd: Sipxd, initialised: Path, configuration: Path
) -> None:
    made = config.load(configuration)
    assert (made.domain, made.state_dir) == ("example.test", initialised)
    with configuration.open("a") as file:  # ports that are free
        file.write('[web]\nlisten = ["127.0.0.1:0"]\nmetrics_listen = ""\n')
        file.write('[sip]\nlisten = ["udp:127.0.0.1:0"]\n')
    checked = sipxd("check")
    assert checked.exit_code == 0, checked.output


def test_secrets_are_readable_for_their_owner_alone(initialised: Path, configuration: Path) -> None:
    assert mode(initialised) == 0o700
    assert mode(initialised / "secret.key") == 0o600
    assert mode(initialised / "private_key.pem") == 0o600
    assert mode(initialised / "sipxd.sqlite") == 0o600
    assert mode(configuration) == 0o640


def test_a_second_run_changes_nothing_and_says_so(
    sipxd: Sipxd, initialised: Path, configuration: Path
) -> None:
    before = contents(initialised), configuration.read_bytes()
    done = sipxd("init", "--domain", "other.test", "--admin-password", "different")
    assert done.exit_code == 0, done.output
    assert (contents(initialised), configuration.read_bytes()) == before
    assert done.output.count("kept") == 4
    assert "stays example.test" in done.output


def test_a_generated_password_is_printed_once(sipxd: Sipxd, tmp_path: Path) -> None:
    arguments = ("init", "--domain", "example.test", "--state-dir", str(tmp_path / "state"))
    assert "Note it now" in sipxd(*arguments).output
    assert "Note it now" not in sipxd(*arguments).output


def test_a_given_password_is_not_repeated(sipxd: Sipxd, tmp_path: Path) -> None:
    done = sipxd(
        "init", "--domain", "example.test", "--state-dir", str(tmp_path / "state"),
        "--admin-password", "-", input="from-the-pipe\n",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "from-the-pipe" not in done.output
    assert "Note it" not in done.output


def test_the_certificate_is_for_the_domain_and_this_machine(initialised: Path) -> None:
    pem = (initialised / "certificate.pem").read_bytes()
    extension = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    names = extension.value.get_values_for_type(x509.DNSName)
    assert names[0] == "example.test"
    assert "localhost" in names


def test_without_a_domain_nothing_is_written(sipxd: Sipxd, tmp_path: Path) -> None:
    done = sipxd("init", "--state-dir", str(tmp_path / "state"))
    assert done.exit_code == 2
    assert "--domain" in done.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("domain", ["exa mple", 'a"b', "a\nb", ""])
def test_a_domain_that_is_none_is_refused_before_anything_is_written(
    sipxd: Sipxd, tmp_path: Path, domain: str
) -> None:
    done = sipxd("init", "--domain", domain, "--state-dir", str(tmp_path / "state"))
    assert done.exit_code == 1
    assert "domain" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_lost_key_file_is_not_replaced_in_silence(sipxd: Sipxd, initialised: Path) -> None:
    (initialised / "secret.key").unlink()
    done = sipxd("init")
    assert done.exit_code == 1
    assert "restore it from a backup" in done.stderr
    assert not (initialised / "secret.key").exists()


def test_certificates_of_the_operator_are_left_alone(
    sipxd: Sipxd, configuration: Path, tmp_path: Path
) -> None:
    configuration.write_text(
        f'domain = "example.test"\nstate_dir = "{tmp_path}/state"\n'
        f'[web]\ncertificate = "{tmp_path}/mine.pem"\nprivate_key = "{tmp_path}/mine.key"\n'
    )
    done = sipxd("init")
    assert done.exit_code == 0, done.output
    assert "yours, left alone" in done.output
    assert not (tmp_path / "mine.pem").exists()


def test_a_directory_that_cannot_be_made_is_one_sentence(sipxd: Sipxd, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = sipxd("init", "--domain", "example.test", "--state-dir", str(tmp_path / "file/state"))
    assert done.exit_code == 1
    assert "cannot be made" in done.stderr


def test_root_goes_on_as_the_owner_of_the_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that root left there would keep the daemon from opening its database."""
    became: list[tuple[str, object]] = []
    real = tmp_path.stat()
    owned = os.stat_result((real.st_mode, 0, 0, 1, 54321, 65432, 0, 0, 0, 0))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Path, "stat", lambda _self, **_options: owned)
    for name in ("setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda value, name=name: became.append((name, value)))
    common.become_owner(tmp_path)
    assert became == [("setgroups", [65432]), ("setgid", 65432), ("setuid", 54321)]
