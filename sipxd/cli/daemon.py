"""The way from a command to the running daemon: the admin socket of the state directory."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any, Self

from sipxd.config import Config
from sipxd.errors import SipxdError

ANSWER_TIME = 60.0
"""Seconds for the answer to a command; one that takes longer is stuck."""


class Daemon:
    """A connection to the running daemon."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")

    @classmethod
    def find(cls, config: Config) -> Daemon | None:
        """Connect to the daemon that runs with this configuration; None when none runs.

        Raises SipxdError when one runs but may not be asked by this user.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(ANSWER_TIME)
        try:
            connection.connect(str(config.admin_socket))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            connection.close()
            return None
        except PermissionError:
            connection.close()
            raise SipxdError(
                f"{config.admin_socket} belongs to another user; run this command as the user "
                "that sipxd runs as, or as root"
            ) from None
        except OSError as error:
            connection.close()
            raise SipxdError(f"{config.admin_socket} does not answer: {error}") from None
        return cls(connection)

    @classmethod
    def needed(cls, config: Config) -> Daemon:
        """Connect to the daemon. Raises SipxdError also when none runs."""
        daemon = cls.find(config)
        if daemon is None:
            raise SipxdError(
                f"no sipxd is running with state_dir {config.state_dir}; start it with "
                "'systemctl start sipxd' or 'sipxd run'"
            )
        return daemon

    def ask(self, command: str, /, **arguments: Any) -> Any:
        """Carry out a command; returns its result. Raises SipxdError with the daemon's sentence."""
        return self.follow(command, arguments, lambda _: None)

    def follow(self, command: str, arguments: dict[str, Any], told: Callable[[Any], object]) -> Any:
        """The same; ``told`` is called with each event on the way to the result."""
        for message in self._messages(command, arguments):
            if "result" in message:
                return message["result"]
            told(message.get("event"))
        raise SipxdError("sipxd ended before it had answered; its log says why")

    def stream(self, command: str, /, **arguments: Any) -> Iterator[Any]:
        """The events of a command until it ends, however long they take. Raises SipxdError."""
        self._connection.settimeout(None)
        for message in self._messages(command, arguments):
            if "event" in message:
                yield message["event"]
            elif "result" in message:
                return

    def _messages(self, command: str, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
        request = json.dumps({"command": command, "arguments": arguments})
        try:
            self._connection.sendall(request.encode() + b"\n")
            for line in self._lines:
                message: dict[str, Any] = json.loads(line)
                if "error" in message:
                    error = SipxdError(message["error"]["detail"])
                    error.kind = message["error"]["kind"]
                    raise error
                yield message
        except TimeoutError:
            raise SipxdError(f"sipxd did not answer within {ANSWER_TIME:.0f} s") from None
        except OSError as error:
            raise SipxdError(f"the connection to sipxd broke: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._lines.close()
        self._connection.close()
