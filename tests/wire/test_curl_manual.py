"""The curl lines of sipXcom's manual, word for word, with host, user and number filled in."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon import ADMIN_PASSWORD, Client, Daemon
from telephones import Telephone

PIN = "pin4711Zk"
SIP_PASSWORD = "sip-Pw-of-{}"
PHONEBOOK = "curl --insecure --basic -u superadmin [https://]{host}/sipxconfig/rest/phonebook/sales"
CALL = "curl --insecure -X PUT [https://]{user}:{password}@{host}/sipxconfig/rest/call/{number}"
FORWARD = (
    "curl --insecure -X PUT [https://]{user}:{password}@{host}/sipxconfig/rest/my/forward/ "
    "--data-binary @{file.xml}"
)
SEQUENCE = """\
<call-sequence>
  <rings>
    <ring>
      <expiration>18</expiration>
      <type>If no response</type>
      <enabled>true</enabled>
      <number>201</number>
    </ring>
  </rings>
  <expiration>20</expiration>
  <withVoicemail>true</withVoicemail>
</call-sequence>
"""


@pytest.fixture(scope="module")
def running(make_daemon: Callable[..., Daemon]) -> Daemon:
    """A daemon with the users 200 and 201."""
    daemon = make_daemon()
    for name in ("200", "201"):
        secrets = ("--pin", PIN, "--sip-password", SIP_PASSWORD.format(name))
        daemon.command("user", "add", name, *secrets)
    daemon.start()
    return daemon


def filled(line: str, daemon: Daemon, **values: str) -> list[str]:
    """The words of a line, with what is in braces filled in, and the scheme that may be there."""
    values |= {"host": f"127.0.0.1:{daemon.web_port}", "user": "200", "password": PIN}
    line = line.replace("[https://]", "https://")
    for name, value in values.items():
        line = line.replace(f"{{{name}}}", value)
    assert "{" not in line, line
    return shlex.split(line)


def run(words: list[str], folder: Path) -> tuple[str, str]:
    """What curl prints, and the status, which it is asked for besides."""
    done = subprocess.run(
        [*words, "--silent", "--show-error", "--write-out", "\n%{http_code}"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    body, _, status = done.stdout.rpartition("\n")
    return body, status


def run_at_a_terminal(words: list[str], password: str) -> str:
    """What curl prints where it asks for the password."""
    process, terminal = pty.fork()
    if process == 0:
        os.execvp(words[0], [*words, "--silent"])
    told = b""
    try:
        while b"password for user" not in told:
            told += os.read(terminal, 4096)
        os.write(terminal, password.encode() + b"\n")
        told = b""
        while piece := os.read(terminal, 4096):
            told += piece
    except OSError:  # the terminal ends with curl
        pass
    finally:
        os.close(terminal)
        _, status = os.waitpid(process, 0)
    assert status == 0, told
    return told.decode().replace("\r\n", "\n").lstrip("\n")


def test_the_phonebook_line_prints_the_entries_as_csv(running: Daemon) -> None:
    client = Client(running.web_port, "superadmin", ADMIN_PASSWORD)
    made = client.ask("POST", "/v1/phonebooks", {"name": "sales"})
    assert made.status == 201, made
    entry = {"first_name": "Cleo", "last_name": "Marsh", "number": "403"}
    path = f"/v1/phonebooks/{made.json()['id']}/entries"
    added = client.ask("PUT", path, {"entries": [entry]})
    assert added.status < 300, added
    printed = run_at_a_terminal(filled(PHONEBOOK, running), ADMIN_PASSWORD)
    header, row, *rest = printed.splitlines()
    assert "First name" in header, printed
    assert "Cleo" in row and "Marsh" in row and "403" in row
    assert rest == []


def test_the_call_line_connects_the_user_with_the_number(
    running: Daemon, tmp_path: Path, start_telephone: Callable[..., Telephone]
) -> None:
    for name in ("200", "201"):
        start_telephone(
            "baresip",
            name,
            running.domain,
            registrar=running.sip_address,
            password=SIP_PASSWORD.format(name),
            answer="auto",
        )
    assert run(filled(CALL, running, number="201"), tmp_path) == ("", "200")
    client = Client(running.web_port, "200", PIN)
    client.wait_state(client.calls()[0]["id"], "bridged")
    client.hang_up_all()


def test_the_forward_line_stores_the_file(running: Daemon, tmp_path: Path) -> None:
    (tmp_path / "file.xml").write_text(SEQUENCE)
    words = filled(FORWARD, running, **{"file.xml": "file.xml"})
    assert run(words, tmp_path) == ("", "200")
    client = Client(running.web_port, "200", PIN)
    stored = client.ask("GET", "/sipxconfig/rest/my/forward")
    assert stored.body.decode() == SEQUENCE
