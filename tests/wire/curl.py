"""The documented command line: click-to-call by the program ``curl``."""

from __future__ import annotations

import subprocess

from daemon import Daemon


def curl_call(daemon: Daemon, user: str, number: str, *, flow: str = "") -> str:
    """The user asks for a call, by the configured flow or by this one; returns the call's id."""
    host = f"127.0.0.1:{daemon.web_port}"
    url = f"https://{user}:{daemon.pin(user)}@{host}/sipxconfig/rest/call/{number}"
    done = subprocess.run(
        ["curl", "--insecure", "-X", "PUT", url + (f"?flow={flow}" if flow else ""),
         "--silent", "--show-error", "--include"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    head, _, body = done.stdout.replace("\r", "").partition("\n\n")
    assert head.split()[1] == "200", done.stdout
    assert body == ""
    _, found, call = head.partition("ocation: /v1/calls/")
    assert found, done.stdout
    return call.partition("\n")[0]
