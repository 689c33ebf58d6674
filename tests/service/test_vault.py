"""Secrets at rest."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sipxd.errors import ConfigError
from sipxd.service.vault import (
    MAX_SECRET,
    Vault,
    generate_password,
    generate_pin,
    hash_pin,
    pin_matches,
)


def test_a_password_comes_back_and_is_not_in_its_seal(tmp_path: Path) -> None:
    vault = Vault.create(tmp_path / "key")
    sealed = vault.seal("pässword")
    assert vault.unseal(sealed) == "pässword"
    assert "pässword".encode() not in sealed
    assert vault.seal("pässword") != sealed


def test_the_key_is_for_its_owner_alone_and_made_once(tmp_path: Path) -> None:
    path = tmp_path / "key"
    sealed = Vault.create(path).seal("x")
    key = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(key) == 32
    assert Vault.create(path).unseal(sealed) == "x"
    assert Vault.open(path).unseal(sealed) == "x"
    assert path.read_bytes() == key
    assert list(tmp_path.iterdir()) == [path]


def test_another_key_is_named_as_the_cause(tmp_path: Path) -> None:
    sealed = Vault.create(tmp_path / "a").seal("x")
    with pytest.raises(ConfigError, match="does not belong to this database"):
        Vault.create(tmp_path / "b").unseal(sealed)


@pytest.mark.parametrize("damage", [b"", b"short", bytes(40)])
def test_a_damaged_seal_is_refused(tmp_path: Path, damage: bytes) -> None:
    with pytest.raises(ConfigError):
        Vault.create(tmp_path / "a").unseal(damage)


def test_a_missing_or_damaged_key_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sipxd init"):
        Vault.open(tmp_path / "none")
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(ConfigError, match="damaged"):
        Vault.open(tmp_path / "key")
    with pytest.raises(ConfigError, match="cannot be read"):
        Vault.open(tmp_path)
    with pytest.raises(ConfigError, match="cannot be made"):
        Vault.create(tmp_path / "none" / "key")


def test_pins_are_hashed_with_argon2id_and_compared() -> None:
    hashed = hash_pin("1234")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hash_pin("1234") != hashed
    assert pin_matches(hashed, "1234")
    assert not pin_matches(hashed, "1235")
    assert not pin_matches("no hash", "1234")


@pytest.mark.parametrize("pin", ["", "\ud800", "12\x0034", "x" * (MAX_SECRET + 1), "x" * 1_000_000])
def test_what_can_be_no_pin_is_only_wrong(pin: str) -> None:
    assert not pin_matches(hash_pin("1234"), pin)


def test_generated_secrets_differ_and_fit_their_rules() -> None:
    assert len({generate_pin() for _ in range(50)}) > 45
    assert all(len(pin) == 8 and pin.isdigit() for pin in (generate_pin() for _ in range(50)))
    passwords = {generate_password() for _ in range(50)}
    assert len(passwords) == 50
    assert all(len(each) == 20 and each.isalnum() and each.isascii() for each in passwords)
