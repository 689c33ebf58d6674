"""CPU per SOAP operation: find a user by his name among 10,000, and add one.

The baseline is the same operation by sipXcom's REST interface, in the same run and of the same
daemon.  PINs are not hashed here: that costs both the same, and more than all the rest.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from load import Daemon, separate
from rest import PIN, Question, ask
from result import report

USERS = int(os.environ.get("BENCH_USERS", "10000"))
TARGET = 2.0
"""The most that an operation may cost, as a multiple of the same by REST."""
ASKING = "900"
"""The administrator who asks."""
WITHOUT_HASHING = """
import sys
import sipxd.service.account_changes as accounts
same = accounts.hash_pin("bench4711")
accounts.hash_pin = lambda pin: same
from sipxd.cli.main import main
sys.argv[0] = "sipxd"
main()
"""
ENVELOPE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:c="http://www.sipfoundry.org/2007/08/21/ConfigService"><e:Body>%s</e:Body></e:Envelope>'
)
MEMBERS = "<userName>%s</userName><lastName>Park</lastName><firstName>Ada</firstName>"
USER = MEMBERS + "<aliases>%s</aliases>"
FIND = "<c:FindUser><search><byUserName>5000</byUserName></search></c:FindUser>"
ADD = f"<c:AddUser><user>{USER}</user><pin>{PIN}</pin></c:AddUser>"
REST = f"<user>{MEMBERS}<pin>{PIN}</pin><aliases><alias><alias>%s</alias></alias></aliases></user>"


def questions(user_id: int) -> dict[str, tuple[Question, Question]]:
    """Each operation by SOAP and by REST."""
    service = "/sipxconfig/services/UserService"
    soap_add = ENVELOPE % (ADD % ("sNEXT", "t-NEXT"))
    rest_add = REST % ("rNEXT", "u-NEXT")
    return {
        "find_user": (
            Question("soap_find", "POST", service, 200, ASKING, ENVELOPE % FIND),
            Question("rest_find", "GET", f"/sipxconfig/rest/user/{user_id}", 200, ASKING),
        ),
        "add_user": (
            Question("soap_add", "POST", service, 200, ASKING, soap_add),
            Question("rest_add", "PUT", "/sipxconfig/rest/user", 201, ASKING, rest_add),
        ),
    }


def main() -> None:
    """Measure and report."""
    prefix = separate()
    with tempfile.TemporaryDirectory(prefix="sipxd-bench-") as name:
        directory = Path(name)
        daemon = Daemon(directory / "daemon")
        secrets = ("--pin", PIN, "--sip-password", "bench-sip-900")
        daemon.command("user", "add", "900", *secrets, "--admin")
        daemon.know_user("900", PIN, "bench-sip-900")
        file = directory / "users.csv"
        rows = "".join(f"{1000 + number},Ada,Park\n" for number in range(USERS))
        file.write_text(f"name,first_name,last_name\n{rows}")
        kept = str(directory / "secrets.csv")
        daemon.command("import", str(file), "--no-pins", "--secrets", kept)
        command = (sys.executable, "-c", WITHOUT_HASHING, "run", "--config", str(daemon.config))
        daemon.start(*prefix, *command)
        try:
            found = daemon.client("900").ask("GET", "/sipxconfig/api/users/5000")
            assert found.status == 200, found
            for operation, (soap, rest) in questions(found.json()["id"]).items():
                cpu, rate = ask(directory, daemon.web_port, soap, daemon.pid)
                rest_cpu, rest_rate = ask(directory, daemon.web_port, rest, daemon.pid)
                figures = {
                    "cpu_us": round(cpu),
                    "requests_per_second": rate,
                    "rest_cpu_us": round(rest_cpu),
                    "rest_requests_per_second": rest_rate,
                }
                ratio = cpu / rest_cpu
                report(
                    f"soap_{operation}", figures, baseline="the same by REST", ratio=ratio,
                    target={"ratio": TARGET}, met=ratio <= TARGET,
                )  # fmt: skip
        finally:
            daemon.stop()


if __name__ == "__main__":
    main()
