"""Kamailio as somebody to whom all calls go, and who sends them back to where they came from."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from daemon import until

_CONFIG = """\
#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
auto_aliases=no
listen=udp:{host}:{port}
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "corex.so"

request_route {{
    if (is_method("CANCEL") || has_totag()) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (!mf_process_maxfwd_header("70")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    t_check_trans();
    if (!is_method("INVITE")) {{ sl_send_reply("200", "OK"); exit; }}
    xlog("L_ALERT", "reflected $rU mf=$hdr(Max-Forwards)\\n");
    {headers}
{rules}
    sl_send_reply("404", "Not here");
}}
"""


class Reflector:
    """Sends an INVITE for a number to all of those that ``leads`` names for it, at sipxd.

    ``leads`` may name ``*``, which is every number.  ``forgets``: headers that it does not keep.
    """

    def __init__(
        self,
        directory: Path,
        host: str,
        port: int,
        sipxd_port: int,
        leads: Mapping[str, Sequence[str]],
        forgets: Sequence[str] = (),
    ) -> None:
        directory.mkdir(parents=True)
        rules = []
        for number, (first, *others) in leads.items():
            back = f"@127.0.0.1:{sipxd_port}"
            steps = [f'$ru = "sip:{first}{back}";']
            steps += [f'append_branch("sip:{other}{back}");' for other in others]
            condition = "" if number == "*" else f'if ($rU == "{number}") '
            rules.append(f"    {condition}{{ {' '.join(steps)} t_relay(); exit; }}")
        config = directory / "kamailio.cfg"
        config.write_text(
            _CONFIG.format(
                host=host,
                port=port,
                rules="\n".join(rules),
                headers=" ".join(f'remove_hf("{name}");' for name in forgets),
            )
        )
        self._log = directory / "log"
        self._port = port
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["kamailio", "-f", config, "-DD", "-E", "-m", "32", "-M", "4", "-Y", directory],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            until(self._is_listening, "Kamailio to listen")
        except BaseException:
            self.stop()
            raise

    def _is_listening(self) -> bool:
        assert self._process.poll() is None, f"Kamailio ended:\n{self.log()}"
        wanted = f":{self._port:04X} "
        return any(wanted in line for line in Path("/proc/net/udp").read_text().splitlines())

    def log(self) -> str:
        """All that it has written."""
        return self._log.read_text(errors="replace")

    @property
    def invites(self) -> int:
        """How many INVITEs have come, not counting repetitions."""
        return self.log().count("reflected ")

    def stop(self) -> None:
        """End it, in order or anyhow."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
