"""The configuration file: every option documented, every mistake named."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, get_type_hints

import attrs
import pytest

from sipxd import config
from sipxd.config import Config
from sipxd.config_values import ListenAddress
from sipxd.errors import ConfigError

SAMPLE = Path(__file__).parent.parent / "etc" / "sipxd.toml"


def options(kind: Any, section: str = "") -> dict[str, Any]:
    """Every option of ``kind`` and its sections with its default, as TOML would give it."""
    found: dict[str, Any] = {}
    hints = get_type_hints(kind)
    for field in attrs.fields(kind):
        if attrs.has(hints[field.name]):
            found |= options(hints[field.name], f"{section}{field.name}.")
        elif field.default is not attrs.NOTHING:
            default = field.default
            found[f"{section}{field.name}"] = (
                list(default)
                if isinstance(default, tuple)
                else str(default)
                if isinstance(default, Path)
                else default
            )
    return found


def flat(data: dict[str, Any], section: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            found |= flat(value, f"{section}{key}.")
        else:
            found[f"{section}{key}"] = value
    return found


def mistake(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config.parse(text)
    return caught.value


def test_the_sample_names_every_option_with_its_true_default() -> None:
    written = flat(tomllib.loads(SAMPLE.read_text("utf-8")))
    assert written.pop("domain") == "example.org"
    assert written == options(Config)


def test_the_sample_loads_to_the_defaults() -> None:
    assert config.load(SAMPLE) == Config(domain="example.org")


def test_every_option_of_the_sample_has_a_comment() -> None:
    lines = SAMPLE.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            before = [lines[number - 1], lines[number - 2]]  # two options may share a comment
            assert any(each.startswith("#") for each in before), line


def test_a_file_with_everything_set_is_read() -> None:
    read = config.parse(
        """
        domain = "pbx.example.org"
        state_dir = "/srv/sipxd"
        [database]
        url = "postgresql://sipxd:secret@db/sipxd"
        [web]
        listen = ["[::]:8443", "127.0.0.1:443"]
        certificate = "/etc/ssl/a.pem"
        private_key = "a.key"
        metrics_listen = ""
        [sip]
        listen = ["udp:[::1]:5060", "udp:127.0.0.1:0"]
        advertise = "sip.example.org:5070"
        realm = "example"
        trusted_peers = ["10.0.0.0/8", "::1"]
        [call]
        ring_timeout = 999
        ringback = "sip:tone@pbx.example.org"
        emergency = []
        """
    )
    assert read.web.addresses == (
        ListenAddress("tcp", "::", 8443),
        ListenAddress("tcp", "127.0.0.1", 443),
    )
    assert read.web.metrics_address is None
    assert str(read.sip.addresses[0]) == "udp:[::1]:5060"
    assert read.sip.advertise == "sip.example.org:5070"
    assert [str(network) for network in read.sip.trusted_networks] == ["10.0.0.0/8", "::1/128"]
    assert read.database_url == "postgresql://sipxd:secret@db/sipxd"
    assert read.certificate_path == Path("/etc/ssl/a.pem")
    assert read.private_key_path == Path("/srv/sipxd/a.key")
    assert read.realm_or_domain == "example"
    assert read.call.emergency == ()


def test_paths_left_out_lie_in_the_state_folder() -> None:
    read = Config(domain="example.org", state_dir=Path("/s"))
    assert read.database_url == "sqlite:////s/sipxd.sqlite"
    assert read.certificate_path == Path("/s/certificate.pem")
    assert read.private_key_path == Path("/s/private_key.pem")
    assert read.admin_socket == Path("/s/admin.sock")
    assert read.key_path == Path("/s/secret.key")
    assert read.realm_or_domain == "example.org"
    assert read.sip.advertise == ""


@pytest.mark.parametrize(
    ("text", "field", "part"),
    [
        ("", "domain", "domain is missing"),
        ('domain = "a b"', "domain", "neither a host name nor an IP address"),
        ('domain = ""', "domain", "neither a host name nor an IP address"),
        ("domain = 5", "domain", "must be a text in quotes"),
        ('state_dir = "here"', "state_dir", "state_dir must be an absolute path"),
        ("state_dir = 1", "state_dir", "state_dir must be a text in quotes"),
        ("sip = 1", "sip", "sip must be a section"),
        ("[sip]\nlisen = []", "sip.lisen", "did you mean sip.listen?"),
        ("[sipp]", "sipp", "did you mean sip?"),
        ("[sip]\nzzzzzz = 1", "sip.zzzzzz", "known: "),
        ("[sip]\nlisten = []", "sip.listen", "at least 1"),
        ('[sip]\nlisten = "udp:0.0.0.0:5060"', "sip.listen", "must be a list in brackets"),
        ("[sip]\nlisten = [5060]", "sip.listen[0]", "must be a text in quotes"),
        ('[sip]\nlisten = ["ws:0.0.0.0:5060"]', "sip.listen", "must read udp:HOST:PORT"),
        ('[sip]\nlisten = ["udp:0.0.0.0"]', "sip.listen", "has no port"),
        ('[sip]\nlisten = ["udp:::1:5060"]', "sip.listen", "needs brackets"),
        ('[sip]\nlisten = ["udp:[::1:5060"]', "sip.listen", "unpaired brackets"),
        ('[sip]\nlisten = ["udp:localhost:5060"]', "sip.listen", "must name an IP address"),
        ('[sip]\nlisten = ["udp:0.0.0.0:65536"]', "sip.listen", "no number from 0 to 65535"),
        ('[sip]\nlisten = ["udp:0.0.0.0:٣"]', "sip.listen", "no number from 0 to 65535"),
        ('[sip]\nlisten = ["udp:1.2.3.4:1", "udp:1.2.3.4:1"]', "sip.listen", "twice"),
        ('[sip]\nadvertise = "a b"', "sip.advertise", "neither a host name"),
        ('[sip]\nadvertise = "a:0"', "sip.advertise", "port 0"),
        ('[sip]\nrealm = "a\\"b"', "sip.realm", "no quote"),
        ('[sip]\ntrusted_peers = ["10.0.0.1/8"]', "sip.trusted_peers", "host bits"),
        ('[web]\nlisten = ["8443"]', "web.listen", "has no port"),
        ('[web]\nmetrics_listen = "9464"', "web.metrics_listen", "has no port"),
        ('[database]\nurl = "mysql://u:geheim@h/d"', "database.url", "must start with"),
        ("[call]\nring_timeout = 0", "call.ring_timeout", "from 1 to 999, not 0"),
        ("[call]\nring_timeout = 1000", "call.ring_timeout", "from 1 to 999, not 1000"),
        ("[call]\nring_timeout = 1.5", "call.ring_timeout", "must be a whole number"),
        ("[call]\nring_timeout = true", "call.ring_timeout", "must be a whole number"),
        ('[call]\nringback = "tone"', "call.ringback", "must be a SIP URI"),
        ('[call]\nbusy_tone = "sip:a@b\\r\\nX: y"', "call.busy_tone", "must be a SIP URI"),
        ('[call]\nemergency = ["11o"]', "call.emergency", "'11o' is no number"),
        ("[call]\nsession_expires = 89", "call.session_expires", "from 90"),
        ("[limits]\ncalls = 0", "limits.calls", "from 1 to"),
        ("[limits]\ncalls = 99999999999999999999999", "limits.calls", ""),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_option(text: str, field: str, part: str) -> None:
    head = "" if "domain" in text or not text else 'domain = "example.org"\n'
    error = mistake(head + text)
    assert part in error.detail
    assert error.field == field
    assert field in error.detail
    assert "\n" not in error.detail
    assert "geheim" not in error.detail


def test_text_that_is_no_toml_says_where() -> None:
    assert "line 1" in mistake("domain = example.org").detail


def test_a_missing_file_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sipxd init"):
        config.load(tmp_path / "none.toml")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"domain = \xff")
    with pytest.raises(ConfigError, match=r"a\.toml is not UTF-8"):
        config.load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path)


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("domain = 1")
    with pytest.raises(ConfigError, match=r"a\.toml: domain must be a text"):
        config.load(path)


def test_the_environment_names_the_default_file() -> None:
    assert config.default_path({}) == Path("/etc/sipxd/sipxd.toml")
    assert config.default_path({"SIPXD_CONFIG": "/x"}) == Path("/x")
