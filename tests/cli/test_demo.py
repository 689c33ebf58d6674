"""``sipxd demo`` as a newcomer runs it: as a process, to its end and interrupted."""

from __future__ import annotations

import base64
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

SIPXD = str(Path(sys.executable).with_name("sipxd"))
IN_ORDER = (
    r"ok  certificate made",
    r"ok  database made",
    r"ok  server started: SIP at 127\.0\.0\.1:\d+ \(UDP\), HTTPS at 127\.0\.0\.1:\d+",
    r"ok  phones of 200, 201, 202, 203 registered",
    r"curl -k -X PUT https://200:\d{8}@127\.0\.0\.1:\d+/call/201",
    r"phone of 200 +sipxd +phone of 201",
    r"  \|<-+ INVITE -+\| +\|  ring 200, no media yet",
    r"  \|-+ 180 Ringing -+>\| +\|  rings",
    r"  \|-+ 200 OK -+>\| +\|  here is my media",
    r"  \|<-+ ACK -+\| +\|  held: no media yet",
    r"  \| +\|-+ INVITE -+>\|  gets 200's media address",
    r"  \| +\|<-+ 180 Ringing -+\|  rings",
    r"  \| +\|<-+ 200 OK -+\|  here is my media",
    r"  \| +\|-+ ACK -+>\|",
    r"  \|<-+ INVITE -+\| +\|  gets 201's media address",
    r"  \|<-+ ACK -+\| +\|",
    r"bridged",
    r"The two are connected",
    r"  \| +\|<-+ BYE -+\|  hangs up",
    r"  \|<-+ BYE -+\| +\|",
    r"The call has ended on both phones",
    r"<number>202</number>",
    r"curl -k -T forward\.xml https://201:\d{8}@127\.0\.0\.1:\d+/sipxconfig/rest/my/forward",
    r" s  the caller is there; 201 rings",
    r" s  the caller is there; 202, 203 ring",
    r" s  connected with 203",
    r" s  ended: Hung up\.",
    r"203 answered for 201, and the phone of 202 fell silent",
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Without colours, and with the test's own directory for temporary files."""
    return {**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "80"}


def test_once_draws_a_bridged_call_and_a_cascade_and_leaves_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [SIPXD, "demo", "--once"],
        env=environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert done.stdout.isascii()
    position = 0
    for pattern in IN_ORDER:
        match = re.compile(pattern).search(done.stdout, position)
        assert match, f"{pattern!r} is missing or comes too early:\n{done.stdout}"
        position = match.end()
    for secret in ("Authorization", "nonce", "argon2", "sip_password", "superadmin"):
        assert secret not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 90
    assert list(tmp_path.glob("sipxd-demo-*")) == []


def test_calls_by_curl_are_drawn_and_ctrl_c_clears_everything_away(
    environment: dict[str, str], tmp_path: Path
) -> None:
    output = tmp_path / "output"
    with output.open("w") as stream:
        process = subprocess.Popen(
            [SIPXD, "demo"], env=environment, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        wait_for(output, "Ctrl-C ends the demo")
        text = output.read_text()
        for place in re.findall(r"(?:configuration|directory|log) +(/\S+)", text):
            assert Path(place).exists()
        before = len(text)
        location = ask(text, "PUT", "/call/201?wait=bridged")
        wait_for(output, f"Call {location.rpartition('/')[2]}: 200 calls 201")
        wait_for(output, "bridged", before)
        ask(text, "DELETE", location)
        wait_for(output, "ended by api: Ended by 200.", before)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0, output.read_text()
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in output.read_text()
    assert list(tmp_path.glob("sipxd-demo-*")) == []


@pytest.mark.parametrize("seconds", [0.5, 1.5])
def test_ctrl_c_on_the_way_is_no_traceback(
    seconds: float, environment: dict[str, str], tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [SIPXD, "demo", "--once"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    output = first + process.communicate(timeout=30)[0]
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert list(tmp_path.glob("sipxd-demo-*")) == []


def test_a_reader_who_leaves_ends_the_demo(environment: dict[str, str], tmp_path: Path) -> None:
    process = subprocess.Popen([SIPXD, "demo"], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "INVITE" in line:
            break
    process.stdout.close()
    process.wait(30)
    assert list(tmp_path.glob("sipxd-demo-*")) == []


def wait_for(output: Path, text: str, start: int = 0) -> None:
    end = time.monotonic() + 60
    while text not in output.read_text()[start:]:
        assert time.monotonic() < end, f"waited for {text!r} in vain:\n{output.read_text()}"
        time.sleep(0.05)


def ask(printed: str, method: str, path: str) -> str:
    """Do what a printed curl command would; gives the Location."""
    found = re.search(r"https://(200:\d+)@(127\.0\.0\.1:\d+)/call/201", printed)
    assert found
    request = urllib.request.Request(f"https://{found[2]}{path}", method=method)
    credentials = base64.b64encode(found[1].encode()).decode()
    request.add_header("Authorization", f"Basic {credentials}")
    context = ssl._create_unverified_context()
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        return answer.headers.get("Location") or ""
