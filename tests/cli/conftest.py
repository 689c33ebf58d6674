"""The command as a person uses it, and a stand-in for the daemon that answers it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer
from typing import Any

import attrs
import pytest
from click.testing import CliRunner, Result

from sipxd.cli.main import main

Sipxd = Callable[..., Result]


@attrs.define
class StandIn:
    """Answers each command with the messages given for it; hangs up where there are none."""

    answers: dict[str, list[dict[str, Any]]] = attrs.field(factory=dict)
    answer: Callable[[str, dict[str, Any]], list[dict[str, Any]]] | None = None
    """Gives the messages by the arguments, too, where they depend on them."""
    asked: list[dict[str, Any]] = attrs.field(factory=list)


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """Where the configuration is or will be."""
    return tmp_path / "sipxd.toml"


@pytest.fixture
def sipxd(configuration: Path) -> Sipxd:
    """Run ``sipxd ARGUMENTS --config FILE``."""

    def run(*arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(main, [*arguments, "--config", str(configuration)], **options)

    return run


@pytest.fixture
def initialised(sipxd: Sipxd, tmp_path: Path) -> Path:
    """The state directory after ``sipxd init``."""
    state_dir = tmp_path / "state"
    where = ("--domain", "example.test", "--state-dir", str(state_dir))
    done = sipxd("init", *where, "--admin-password", "topsecret")
    assert done.exit_code == 0, done.output
    return state_dir


@pytest.fixture
def stand_in(configuration: Path, tmp_path: Path) -> Iterator[StandIn]:
    """A daemon on the admin socket of a configuration without anything else."""
    stand_in = StandIn()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                request = json.loads(line)
                stand_in.asked.append(request)
                if stand_in.answer is None:
                    messages = stand_in.answers[request["command"]]
                else:
                    messages = stand_in.answer(request["command"], request["arguments"])
                if not messages:
                    return
                for message in messages:
                    self.wfile.write(json.dumps(message).encode() + b"\n")

    configuration.write_text(f'domain = "example.test"\nstate_dir = "{tmp_path}"\n')
    with ThreadingUnixStreamServer(str(tmp_path / "admin.sock"), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield stand_in
        server.shutdown()
        thread.join()
