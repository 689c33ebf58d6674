"""Secrets at rest: SIP passwords sealed with AES-256-GCM, PINs as argon2id hashes.

The SIP password must be recoverable, because a PBX may challenge with a realm and an algorithm of
its own (design section 4); its key lies in a file apart from the database.  A PIN is only ever
compared, so that only its hash is kept; where HTTP Digest is switched on, what that is checked with
is sealed beside it.
"""

from __future__ import annotations

import os
import secrets
import string
from pathlib import Path

import argon2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sipxd.errors import ConfigError

KEY_LENGTH = 32
NONCE_LENGTH = 12
PURPOSE = b"sipxd sip-password 1"
"""Bound to every sealed password, so that nothing else can be passed off as one."""
HA1 = b"sipxd http-digest 1"
"""The same for what HTTP Digest is checked with."""

MAX_SECRET = 128
"""Most characters of a PIN or a SIP password."""

_CLEAR = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))

_hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class Vault:
    """Seals and opens SIP passwords with one key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def open(cls, path: Path) -> Vault:
        """The vault whose key is in the file ``path``. Raises ConfigError."""
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            raise ConfigError(
                f"the key file {path} is missing; restore it from a backup, "
                "or run sipxd init where there are no users yet"
            ) from None
        except OSError as error:
            raise ConfigError(f"the key file {path} cannot be read: {error.strerror}") from None
        if len(key) != KEY_LENGTH:
            raise ConfigError(f"the key file {path} is damaged; restore it from a backup")
        return cls(key)

    @classmethod
    def create(cls, path: Path) -> Vault:
        """Make the key file (mode 0600) unless it is there, and open it. Raises ConfigError."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            if not path.exists():
                descriptor = os.open(temporary, flags, 0o600)
                try:
                    os.write(descriptor, os.urandom(KEY_LENGTH))
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                try:
                    os.link(temporary, path)  # whole or not at all, and never over another key
                except FileExistsError:
                    pass
                finally:
                    os.unlink(temporary)
        except OSError as error:
            raise ConfigError(f"the key file {path} cannot be made: {error.strerror}") from None
        return cls.open(path)

    def seal(self, secret: str, purpose: bytes = PURPOSE) -> bytes:
        """``secret``, encrypted; the same one never gives the same bytes twice."""
        nonce = os.urandom(NONCE_LENGTH)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), purpose)

    def unseal(self, sealed: bytes, purpose: bytes = PURPOSE) -> str:
        """What was sealed. Raises ConfigError where the key is not the one that sealed it."""
        try:
            clear = self._cipher.decrypt(sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:], purpose)
        except (InvalidTag, ValueError):
            raise ConfigError(
                "the key file does not belong to this database; restore both from the same backup"
            ) from None
        return clear.decode()


def hash_pin(pin: str) -> str:
    """The argon2id hash of ``pin`` (19 MiB, two passes: about 25 ms of CPU; blocks)."""
    return _hasher.hash(pin)


def pin_matches(pin_hash: str, pin: str) -> bool:
    """Whether ``pin`` is the one that was hashed; costs the same either way; blocks."""
    if len(pin) > MAX_SECRET or not pin.isprintable():
        pin = ""  # bounded work; no stored PIN is empty
    try:
        return _hasher.verify(pin_hash, pin)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def generate_pin() -> str:
    """Eight random digits, for a portal log-in that is also typed on telephones."""
    return f"{secrets.randbelow(10**8):08}"


def generate_password() -> str:
    """A random password of 20 letters and digits (116 bits) that can be read aloud."""
    return "".join(secrets.choice(_CLEAR) for _ in range(20))
