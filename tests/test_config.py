"""The configuration file: every option documented, every mistake named."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, get_args, get_type_hints

import attrs
import pytest

from sipxd import config
from sipxd.config import Config
from sipxd.config_values import ListenAddress
from sipxd.directory.gateway import Gateway
from sipxd.directory.route import Route
from sipxd.errors import ConfigError

SAMPLE = Path(__file__).parent.parent / "etc" / "sipxd.toml"


def options(kind: Any, section: str = "") -> dict[str, Any]:
    """Every option of ``kind`` and its sections with its default, as TOML would give it."""
    found: dict[str, Any] = {}
    hints = get_type_hints(kind)
    for field in attrs.fields(kind):
        kinds = get_args(hints[field.name])
        if kinds and attrs.has(kinds[0]):
            found |= options(kinds[0], f"{section}{field.name}[].")
        elif attrs.has(hints[field.name]):
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
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            found |= flat(value[0], f"{section}{key}[].")
        else:
            found[f"{section}{key}"] = value
    return found


def sample() -> str:
    """The sample with its examples of gateways and routes made real."""
    return re.sub(r"^#(?=\[\[|\w+ = )", "", SAMPLE.read_text("utf-8"), flags=re.MULTILINE)


REQUIRED = {"domain", "gateway[].name", "gateway[].uri", "route[].pattern", "route[].gateways"}


def mistake(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config.parse(text)
    return caught.value


def test_the_sample_names_every_option_with_its_true_default() -> None:
    written = flat(tomllib.loads(sample()))
    examples = {name: written.pop(name) for name in REQUIRED}
    assert examples["domain"] == "example.org"
    assert written == options(Config)


def test_the_examples_of_the_sample_load() -> None:
    read = config.parse(sample())
    assert read.gateway == (Gateway("provider", "sip:sip.example.net"),)
    assert read.route == (Route("0X.", ("provider",)),)


def test_the_sample_loads_to_the_defaults() -> None:
    assert config.load(SAMPLE) == Config(domain="example.org")


def test_every_option_of_the_sample_has_a_comment() -> None:
    lines = sample().splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            before = lines[max(0, number - 4) : number]  # up to four options may share a comment
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
        listen = ["udp:[::1]:5060", "tls:127.0.0.1:0"]
        advertise = "sip.example.org:5070"
        realm = "example"
        trusted_peers = ["10.0.0.0/8", "::1"]
        [call]
        ring_timeout = 999
        ringback = "sip:tone@pbx.example.org"
        emergency = []
        home = ["+49", "0049"]
        forbidden = ["0900"]
        [[gateway]]
        name = "provider"
        uri = "sip:sip.example.net;transport=tls"
        username = "4930"
        password = "geheim"
        register = true
        caller_id = "+4930"
        [[gateway]]
        name = "pstn"
        uri = "sip:[2001:db8::1]:5080"
        [[route]]
        pattern = "0[1-9]."
        strip = 1
        prepend = "+49"
        gateways = ["provider", "pstn"]
        permission = "LongDistance"
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
    assert read.call.home == ("+49", "0049")
    assert [gateway.realm_or_domain for gateway in read.gateway] == [
        "sip.example.net",
        "[2001:db8::1]",
    ]
    assert read.route == (
        Route("0[1-9].", ("provider", "pstn"), 1, "+49", permission="LongDistance"),
    )
    assert "geheim" not in repr(read)


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
        ('[call]\nhome = ["49+"]', "call.home", "no beginning of a number"),
        ("[gateway]\nname = 1", "gateway", "must be written [[gateway]]"),
        ("gateway = [1]", "gateway[0]", "must be a section"),
        ("[[gateway]]\nnam = 1", "gateway[0].nam", "did you mean gateway[0].name?"),
        ('[[gateway]]\nname = "a"', "gateway[0].uri", "is missing"),
        ('[[gateway]]\nname = "a b"\nuri = "sip:a"', "gateway[0].name", "1 to 64 characters"),
        ('[[gateway]]\nname = "a"\nuri = "sip:u@a"', "gateway[0].uri", "must read sip:HOST"),
        ('[[gateway]]\nname = "a"\nuri = "sip:a:0"', "gateway[0].uri", "no number from 1"),
        (
            '[[gateway]]\nname = "a"\nuri = "sip:a"\npassword = "geheim"',
            "gateway[0].username",
            "is missing beside the password",
        ),
        (
            '[[gateway]]\nname = "a"\nuri = "sip:a"\npassword = "geheim\\n"',
            "gateway[0].password",
            "at most 128 characters",
        ),
        (
            '[[gateway]]\nname = "a"\nuri = "sip:a"\npatience = 0',
            "gateway[0].patience",
            "from 1 to 32, not 0",
        ),
        (
            '[[gateway]]\nname = "a"\nuri = "sip:a"\n[[gateway]]\nname = "a"\nuri = "sip:b"',
            "gateway[1].name",
            "as that of another gateway",
        ),
        (
            '[sip]\nlisten = ["udp:0.0.0.0:5060"]\n'
            '[[gateway]]\nname = "a"\nuri = "sip:a;transport=tcp"',
            "gateway[0].uri",
            "needs an entry tcp:HOST:PORT in [sip] listen",
        ),
        (
            '[sip]\nlisten = ["udp:0.0.0.0:5060"]\n[[gateway]]\nname = "a"\nuri = "sips:a"',
            "gateway[0].uri",
            "needs an entry tls:",
        ),
        ("[[route]]\nparmission = 1", "route[0].parmission", "did you mean route[0].permission?"),
        ('[[route]]\npattern = "0"\ngateways = []', "route[0].gateways", "must name 1 to 10"),
        ('[[route]]\npattern = "0Y"\ngateways = ["a"]', "route[0].pattern", "holds 'Y'"),
        (
            '[[gateway]]\nname = "pstn"\nuri = "sip:a"\n[[route]]\npattern = "0"\n'
            'gateways = ["pst"]',
            "route[0].gateways",
            "did you mean 'pstn'?",
        ),
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


def test_voicemail_in_our_own_domain_needs_the_pbx_that_has_it() -> None:
    voicemail = 'domain = "example.org"\n[voicemail]\nuri = "sip:*97{user}@example.org;x=y"\n'
    assert "voicemail.uri is an address of example.org" in str(mistake(voicemail))
    proxy = '[sip]\noutbound_proxy = "sip:pbx.example.net"\n'
    assert config.parse(voicemail + proxy).voicemail.host == "example.org"
    other = voicemail.replace("example.org;", "example.org.uk;")
    assert config.parse(other).voicemail.host == "example.org.uk"
