"""The file in which generated secrets are told to whoever asked for them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sipxd.errors import BadInput
from sipxd.service.account_requests import Generated


class SecretsFile:
    """A new file that its owner alone may read, and that goes again unless it is ``kept``.

    It is a CSV file with the columns name, pin and sip_password.
    """

    def __init__(self, file: IO[str] | None) -> None:
        self._file = file
        self.count = 0
        """How many users' secrets are in it."""
        self.kept = False

    @classmethod
    @contextmanager
    def open(cls, path: Path | None) -> Iterator[SecretsFile]:
        """Make the file; None: there is none. Raises BadInput where it cannot be made."""
        if path is None:
            yield cls(None)
            return
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise BadInput(f"{path} is there already; name a new file for the secrets") from None
        except OSError as error:
            raise BadInput(f"{path} cannot be made: {error.strerror}") from None
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            secrets = cls(file)
            try:
                yield secrets
            finally:
                if not (secrets.kept and secrets.count):
                    file.truncate(0)
                    with suppress(OSError):  # of root, who has become somebody else since
                        path.unlink()

    def write(self, made: Iterable[tuple[str, Generated]]) -> None:
        """Write down what was generated for users, by their names; on the disk when this returns.

        Raises BadInput where there is no file, and something to be written.
        """
        told = [(name, each) for name, each in made if each.pin or each.sip_password]
        self.count = len(told)
        if not told:
            return
        if self._file is None:
            raise BadInput(
                f"{len(told)} new users lack a PIN or a SIP password in the file; name a new file "
                "for what is generated with --secrets FILE (--no-pins generates no PINs)"
            )
        lines = csv.writer(self._file)
        lines.writerow(("name", "pin", "sip_password"))
        lines.writerows((name, each.pin or "", each.sip_password or "") for name, each in told)
        self._file.flush()
        os.fsync(self._file.fileno())
