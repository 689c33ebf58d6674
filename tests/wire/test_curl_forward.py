"""The call sequence stored and read by the program ``curl``, as sipXcom's manual shows it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon import Daemon

EXAMPLE = """\
<call-sequence>
  <rings>
    <ring>
      <expiration>18</expiration>
      <type>If no response</type>
      <enabled>true</enabled>
      <number>402</number>
    </ring>
    <ring>
      <expiration>24</expiration>
      <type>At the same time</type>
      <enabled>false</enabled>
      <number>+15550100</number>
    </ring>
  </rings>
  <expiration>20</expiration>
  <withVoicemail>true</withVoicemail>
</call-sequence>
"""


@pytest.fixture
def forward(daemon: Daemon, new_user: Callable[[], str]) -> Callable[..., str]:
    """Run curl on /my/forward of a new user with these options; gives what it prints."""
    user = new_user()
    url = f"https://127.0.0.1:{daemon.web_port}/sipxconfig/rest/my/forward"
    credentials = f"{user}:{daemon.pin(user)}"

    def run(*options: str) -> str:
        command = ["curl", "--insecure", "--silent", "--show-error", "-u", credentials, url]
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout

    return run


def test_curl_stores_the_example_and_reads_it_again(
    forward: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "file.xml"
    file.write_text(EXAMPLE)
    for sending in (["-X", "PUT", "--data-binary", f"@{file}"], ["-T", str(file)]):
        assert forward(*sending, "--write-out", "%{http_code}") == "200"
        assert forward() == EXAMPLE
    assert forward("-H", "Accept: application/json").startswith('{"call-sequence":{"rings":[{')


def test_curl_is_told_the_place_of_what_is_wrong(
    forward: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "file.xml"
    file.write_text(EXAMPLE.replace("<expiration>24", "<expiration>1000"))
    told = forward("-X", "PUT", "--data-binary", f"@{file}", "--write-out", "%{http_code}")
    assert told.endswith('"field":"/call-sequence/rings/ring[2]/expiration"}400')
    assert "<rings/>" in forward()
