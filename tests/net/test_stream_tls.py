"""SIP over TLS on real sockets: who is believed, for which name, and what never happens instead."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from streamkit import Node, connect, octets, pause, until
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from sipxd.errors import ConfigError
from sipxd.net.sip_tls import SipTls
from sipxd.testing.authority import Authority
from sipxd.web.tls import load_context

Make = Callable[..., Node]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


@pytest.fixture
def make(authority: Authority) -> Iterator[Make]:
    """Nodes with certificates; they believe ``authority``."""
    made: list[Node] = []

    def node(
        *names: str, issuer: Authority = authority, expired: bool = False, host: str = "127.0.0.1"
    ) -> Node:
        files = issuer.issue(*(names or ("sipxd.example.com",)), expired=expired)
        made.append(Node(host, tls=SipTls(load_context(*files), authority.path)))
        return made[-1]

    yield node
    for one in made:
        pytest_twisted.blockon(Deferred.fromCoroutine(one.close()))


@pytest.mark.parametrize(
    ("host", "certified", "name"),
    [
        ("127.0.0.1", "pbx.example.com", "pbx.example.com"),
        ("127.0.0.1", "pbx.example.com", "PBX.example.com."),
        ("127.0.0.1", "127.0.0.1", ""),
        ("::1", "::1", ""),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_right_name_is_believed(make: Make, host: str, certified: str, name: str) -> None:
    a, b = make(host=host), make(certified, host=host)
    flow = a.flow_to(b, name)
    assert flow.name == certified
    assert await a.request(flow).result() == 200
    assert b.flows[0].transport == "TLS"
    assert b.requests[0].request.require("Via").startswith("SIP/2.0/TLS ")
    assert ";transport=tls>" in b.requests[0].request.require("Contact")
    assert await b.request(b.flows[0]).result() == 200, "and back over the same connection"


@pytest.mark.parametrize("wrong", ["name", "address", "date", "authority"])
@pytest_twisted.ensureDeferred
async def test_a_wrong_certificate_is_503_and_not_one_octet_of_the_request_gets_out(
    make: Make, tmp_path: Path, wrong: str
) -> None:
    a, b = make(), _wrong(make, tmp_path, wrong)
    flow = a.flow_to(b, "" if wrong == "address" else "pbx.example.com")
    assert await a.request(flow, "INVITE").result() == 503
    await pause()
    assert b.requests == []
    assert sum(b.counts.values()) == 0
    assert len(a.connections) == 0
    assert a.stack.client_count == 0


def _wrong(make: Make, tmp_path: Path, wrong: str) -> Node:
    match wrong:
        case "name":
            return make("other.example.com")
        case "date":
            return make("pbx.example.com", expired=True)
        case "authority":
            return make("pbx.example.com", issuer=Authority(tmp_path / "theirs"))
        case _:
            return make("pbx.example.com")


@pytest_twisted.ensureDeferred
async def test_a_connection_is_used_again_only_for_the_same_name(make: Make) -> None:
    a, b = make(), make("one.example.com", "two.example.com")
    for name in ("one.example.com", "one.example.com", "two.example.com"):
        assert await a.request(a.flow_to(b, name)).result() == 200
    assert len(a.connections) == 2
    assert await a.request(a.flow_to(b, "three.example.com")).result() == 503


@pytest_twisted.ensureDeferred
async def test_a_listener_that_speaks_no_tls_is_503(make: Make) -> None:
    a, plain = make(), Node()
    flow = a.transport.flow_to("127.0.0.1", plain.transport.port, "pbx.example.com")
    exchange = a.request(flow)
    await until(lambda: len(plain.connections) == 1)
    a.time.clock.advance(10)
    assert await exchange.result() == 503
    assert plain.requests == []
    await plain.close()


@pytest_twisted.ensureDeferred
async def test_a_handshake_that_never_ends_ends_the_connection(make: Make) -> None:
    a = make()
    silent = socket.create_server(("127.0.0.1", 0))
    try:
        flow = a.transport.flow_to("127.0.0.1", silent.getsockname()[1], "pbx.example.com")
        exchange = a.request(flow)
        await pause()
        assert exchange.statuses == []
        a.time.clock.advance(10)
        assert await exchange.result() == 503
    finally:
        silent.close()
    await until(lambda: len(a.connections) == 0)


@pytest_twisted.ensureDeferred
async def test_half_a_handshake_costs_its_peer_the_connection_after_seconds(make: Make) -> None:
    node = make()
    half = await connect(node)  # TCP only: what it sends is no handshake yet
    half.send(b"\x16\x03\x01")
    await until(lambda: len(node.connections) == 1)
    for _ in range(3):
        node.time.clock.advance(5)
    await until(lambda: half.ended)
    assert len(node.connections) == 0
    plain = await connect(node)
    plain.send(octets())
    await until(lambda: plain.ended)
    assert node.requests == [], "what comes in plain is no message here"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest_twisted.ensureDeferred
async def test_tls_1_2_and_later_are_spoken(make: Make, version: ssl.TLSVersion) -> None:
    node = make()
    assert await deferToThread(_handshake, node.transport.port, version) is not None


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest_twisted.ensureDeferred
async def test_earlier_versions_are_not(make: Make) -> None:
    node = make()
    with pytest.raises((ssl.SSLError, OSError)):
        await deferToThread(_handshake, node.transport.port, ssl.TLSVersion.TLSv1_1)


def _handshake(port: int, version: ssl.TLSVersion) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain) as secure,
    ):
        return secure.version()


def test_a_ca_file_that_is_none_is_one_clear_sentence(authority: Authority, tmp_path: Path) -> None:
    server = load_context(*authority.issue("a.example.com"))
    (tmp_path / "rubbish").write_text("rubbish")
    for name, sentence in (("missing", "cannot be read"), ("rubbish", "no certificates")):
        with pytest.raises(ConfigError, match=sentence) as caught:
            SipTls(server, tmp_path / name)
        assert caught.value.field == "sip.ca"


def test_a_name_that_cannot_be_one_is_an_oserror(make: Make) -> None:
    node = make()
    exchange = node.request(node.transport.flow_to("127.0.0.1", 5061, "x" * 300))
    assert exchange.statuses == [503]
    assert len(node.connections) == 0
