"""CPU per request of the REST interface: a call sequence, a phonebook, a call that is refused.

wrk asks over a few connections that are kept open, with the same credentials each time.  The
baseline is a bare resource of twisted.web behind the same kind of TLS, which answers the same bytes
to anybody; it runs in the same run, on the same processor.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import attrs
from load import SIPXD, Daemon, free_port, separate, used_by
from result import report

SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
"""How long each resource is asked for."""
CONNECTIONS = 8
TARGET = 5.0
"""The most that a call sequence may cost, as a multiple of the bare resource."""
PIN = "bench4711"
ENTRIES = 1000
"""Of the phonebook."""
RINGS = [{"number": f"4{number:03}", "seconds": 10} for number in range(10)]

BARE = """
import sys
from twisted.internet import reactor, ssl
from twisted.web.resource import Resource
from twisted.web.server import Site

class Bare(Resource):
    isLeaf = True
    def __init__(self, body):
        Resource.__init__(self)
        self.body = body
    def render_GET(self, request):
        request.setHeader(b"Content-Type", b"text/xml")
        return self.body
    render_PUT = render_GET

port, pem, key, size = sys.argv[1:]
site = Site(Bare(b"x" * int(size)))
site.log = lambda request: None
reactor.listenSSL(int(port), site, ssl.DefaultOpenSSLContextFactory(key, pem))
print("ready", flush=True)
reactor.run()
"""


CHANGING = """
wrk.headers["Content-Type"] = "text/xml"
local body = [[%s]]
local count, begin = 0, os.time()
function request()
  count = count + 1
  return wrk.format(nil, nil, nil, (body:gsub("NEXT", begin .. "-" .. count)))
end
"""
"""What lets wrk send another body each time."""


@attrs.frozen
class Question:
    """A request that is repeated."""

    name: str
    method: str
    path: str
    status: int
    user: str = "200"
    body: str = ""
    """Sent as XML; ``NEXT`` in it is another text each time."""


QUESTIONS = (
    Question("read_call_sequence", "GET", "/sipxconfig/rest/my/forward", 200),
    Question("read_phonebook", "GET", "/sipxconfig/rest/phonebook/bench", 200, "900"),
    Question("refused_call", "PUT", "/call/110", 403),
)


def ask(directory: Path, port: int, question: Question, pid: int) -> tuple[float, int]:
    """Microseconds of CPU that the process used for each request, and the requests a second."""
    token = base64.b64encode(f"{question.user}:{PIN}".encode()).decode()
    script = directory / f"{question.name}.lua"
    script.write_text(
        f'wrk.method = "{question.method}"\n'
        f'wrk.headers["Authorization"] = "Basic {token}"\n'
        + (CHANGING % question.body if question.body else "")
        + "bad = 0\n"
        f"function response(status) if status ~= {question.status} then bad = bad + 1 end end\n"
        "function setup(thread) first = first or thread end\n"
        'function done() io.write("bad: ", first:get("bad"), "\\n") end\n'
    )
    url = f"https://127.0.0.1:{port}{question.path}"

    def run(seconds: int) -> str:
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script, url]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    run(1)  # the PIN is checked once, and everything is warm
    before, begin = used_by(pid), time.monotonic()
    output = run(SECONDS)
    used, seconds = used_by(pid) - before, time.monotonic() - begin
    requests = int(re.search(r"(\d+) requests in", output)[1])  # type: ignore[index]
    assert "bad: 0" in output, output
    return used / requests * 1e6, round(requests / seconds)


def main() -> None:
    """Measure and report."""
    prefix = separate()
    with tempfile.TemporaryDirectory(prefix="sipxd-bench-") as name:
        directory = Path(name)
        daemon = Daemon(directory / "daemon")
        for user, more in (("200", ()), ("900", ("--admin",))):
            secrets = ("--pin", PIN, "--sip-password", f"bench-sip-{user}")
            daemon.command("user", "add", user, *secrets, *more)
            daemon.know_user(user, PIN, f"bench-sip-{user}")
        daemon.start(*prefix, str(SIPXD), "run", "--config", str(daemon.config))
        try:
            for question, figures in measure(directory, daemon, prefix):
                ratio = figures.pop("ratio")
                target = {"ratio": TARGET} if question.name == "read_call_sequence" else {}
                report(
                    f"rest_{question.name}", figures, baseline="twisted.web resource over TLS",
                    ratio=ratio, target=target, met=not target or ratio <= TARGET,
                )  # fmt: skip
        finally:
            daemon.stop()


def prepare(daemon: Daemon) -> None:
    """Store what is asked for."""
    stored = daemon.client("200").ask(
        "PUT", "/v1/users/me/forwarding", {"rings": RINGS, "rules": []}
    )
    assert stored.status == 200, stored
    administrator = daemon.client("900")
    book = administrator.ask("POST", "/v1/phonebooks", {"name": "bench"})
    entries = [
        {"first_name": f"Ada {number}", "last_name": "Park", "number": f"+4930{number:07}"}
        for number in range(ENTRIES)
    ]
    path = f"/v1/phonebooks/{book.json()['id']}/entries"
    added = administrator.ask("PUT", path, {"entries": entries})
    assert added.status == 200, added


def measure(
    directory: Path, daemon: Daemon, prefix: list[str]
) -> list[tuple[Question, dict[str, Any]]]:
    """Ask the daemon, and a bare resource with as long an answer."""
    prepare(daemon)
    measured = []
    for question in QUESTIONS:
        answer = daemon.client(question.user).ask(question.method, question.path)
        assert answer.status == question.status, answer
        cpu, rate = ask(directory, daemon.web_port, question, daemon.pid)
        port = free_port()
        files = [daemon.state_dir / "certificate.pem", daemon.state_dir / "private_key.pem"]
        bare = subprocess.Popen(
            [*prefix, sys.executable, "-c", BARE, str(port), *map(str, files),
             str(len(answer.body))],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert bare.stdout is not None and bare.stdout.readline() == "ready\n"
            at_bare = attrs.evolve(question, status=200)
            bare_cpu, bare_rate = ask(directory, port, at_bare, bare.pid)
        finally:
            bare.kill()
            bare.wait()
        figures = {
            "cpu_us": round(cpu),
            "requests_per_second": rate,
            "bare_cpu_us": round(bare_cpu),
            "bare_requests_per_second": bare_rate,
            "ratio": cpu / bare_cpu,
        }
        measured.append((question, figures))
    return measured


if __name__ == "__main__":
    main()
