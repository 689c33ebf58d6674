"""UDP on real sockets, IPv4 and IPv6."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from world import World

from sipxd.errors import ConfigError
from sipxd.net.address import format_address
from sipxd.net.stack import ServerHandle, SipStack
from sipxd.net.timers import TimerQueue
from sipxd.net.udp import RECEIVE_BUFFER, UdpTransport
from sipxd.sip.flow import Flow
from sipxd.sip.message import Request, Response, respond

ADDRESSES = ["127.0.0.1", "::1"]


def ignore(data: bytes, flow: Flow) -> None:
    return None


class Peer:
    """Opens transports and closes them after the test."""

    def __init__(self) -> None:
        self.opened: list[UdpTransport] = []

    def __call__(
        self,
        host: str,
        receiver: Callable[[bytes, Flow], None] = ignore,
        port: int = 0,
        advertise: str = "",
    ) -> UdpTransport:
        transport = UdpTransport(reactor, host, port, receiver, advertise=advertise)
        transport.listen()
        self.opened.append(transport)
        return transport


@pytest.fixture
def listen() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    for transport in peer.opened:
        pytest_twisted.blockon(transport.close())


@pytest.mark.parametrize("host", ADDRESSES)
@pytest_twisted.ensureDeferred
async def test_a_datagram_of_any_size_comes_with_the_flow_back(listen: Peer, host: str) -> None:
    got: Deferred[tuple[bytes, Flow]] = Deferred()
    a = listen(host)
    b = listen(host, lambda data, flow: got.callback((data, flow)))
    data = b"x" * 60_000
    a.send(data, a.flow_to(host, b.port))
    assert await got == (data, Flow("UDP", f"udp:{format_address(host, b.port)}", host, a.port))
    assert b.listener == f"udp:{format_address(host, b.port)}"
    assert b.sent_by(host) == format_address(host, b.port)


@pytest.mark.parametrize("host", ADDRESSES)
@pytest_twisted.ensureDeferred
async def test_a_request_and_its_answer_cross_real_sockets(listen: Peer, host: str) -> None:
    class Handler:
        def screen(self, request: Request, flow: Flow) -> None:
            return None

        def on_request(self, handle: ServerHandle, request: Request, flow: Flow) -> None:
            stacks[1].respond(handle, respond(request, 200, to_tag="b"))

        def on_cancel(self, handle: ServerHandle, cancel: Request) -> None: ...

        def on_ack(self, request: Request, flow: Flow) -> None: ...

    timers = TimerQueue(reactor)
    world = World()
    stacks = [SipStack(reactor, timers, Handler(), limit=10, random=world.random) for _ in range(2)]
    a, b = (listen(host, stack.receive) for stack in stacks)
    for stack, transport in zip(stacks, (a, b), strict=True):
        stack.add_transport(transport)
    done: Deferred[Response | int] = Deferred()
    request = world.a.message("OPTIONS", world.b)
    stacks[0].request(request, Flow("UDP", a.listener, host, b.port), done.callback)
    response = await done
    timers.stop()
    assert isinstance(response, Response)
    assert response.status == 200
    assert f"received={host}" in (response.get("Via") or "")
    assert f"rport={a.port}" in (response.get("Via") or "")


@pytest_twisted.ensureDeferred
async def test_a_closed_port_and_rubbish_do_not_stop_the_listener(listen: Peer) -> None:
    got: list[bytes] = []
    done: Deferred[None] = Deferred()

    def receive(data: bytes, flow: Flow) -> None:
        got.append(data)
        if data == b"broken":
            raise RuntimeError("broken receiver")
        if data == b"last":
            done.callback(None)

    a = listen("127.0.0.1", receive)
    closed = listen("127.0.0.1")
    await closed.close()
    for _ in range(5):
        a.send(b"nobody there", a.flow_to("127.0.0.1", closed.port))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for data in (b"", b"\r\n\r\n", b"\xff" * 9000, b"last"):
            peer.sendto(data, ("127.0.0.1", a.port))
        await done
    assert got == [b"", b"\r\n\r\n", b"\xff" * 9000, b"last"]


@pytest_twisted.ensureDeferred
async def test_messages_of_one_peer_share_one_flow(listen: Peer) -> None:
    flows: list[Flow] = []
    done: Deferred[None] = Deferred()

    def receive(data: bytes, flow: Flow) -> None:
        flows.append(flow)
        if len(flows) == 2:
            done.callback(None)

    a, b = listen("127.0.0.1"), listen("127.0.0.1", receive)
    a.send(b"1", a.flow_to("127.0.0.1", b.port))
    a.send(b"2", a.flow_to("127.0.0.1", b.port))
    await done
    assert flows[0] is flows[1]


def test_the_kernel_is_asked_for_a_large_buffer(listen: Peer) -> None:
    transport = listen("127.0.0.1")
    assert transport._socket is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        wanted = plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    assert transport._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == wanted


def test_a_taken_port_is_one_clear_sentence(listen: Peer) -> None:
    port = listen("127.0.0.1").port
    with pytest.raises(ConfigError) as caught:
        listen("127.0.0.1", port=port)
    assert f"udp:127.0.0.1:{port}" in caught.value.detail
    assert "choose another port" in caught.value.detail
    assert caught.value.field == "sip.listen"


def test_an_address_of_another_machine_is_one_clear_sentence(listen: Peer) -> None:
    with pytest.raises(ConfigError, match="no such address"):
        listen("192.0.2.1")


def test_a_listener_on_every_address_tells_each_peer_its_own(listen: Peer) -> None:
    four, six = listen("0.0.0.0"), listen("::")
    assert four.sent_by("127.0.0.1") == f"127.0.0.1:{four.port}"
    assert six.sent_by("::1") == f"[::1]:{six.port}"
    assert four.sent_by("127.0.0.1") == f"127.0.0.1:{four.port}"
    again = listen("::", port=four.port)
    assert again.port == four.port, "IPv6 does not take the port of IPv4"


@pytest.mark.parametrize(
    ("advertise", "told"),
    [
        ("sip.example.com", "sip.example.com:{}"),
        ("sip.example.com:5070", "sip.example.com:5070"),
        ("2001:db8::1", "[2001:db8::1]:{}"),
        ("[2001:db8::1]", "[2001:db8::1]:{}"),
        ("[2001:db8::1]:5070", "[2001:db8::1]:5070"),
    ],
)
def test_what_is_advertised_is_told_to_everybody(listen: Peer, advertise: str, told: str) -> None:
    transport = listen("127.0.0.1", advertise=advertise)
    assert transport.sent_by("127.0.0.1") == told.format(transport.port)


def test_sending_what_cannot_be_sent_raises_oserror(listen: Peer) -> None:
    transport = listen("127.0.0.1")
    for data, host, port in (
        (b"x" * 70_000, "127.0.0.1", 5060),
        (b"x", "127.0.0.1", 70_000),
        (b"x", "127.0.0.1", 0),
        (b"x", "::1", 5060),
    ):
        with pytest.raises(OSError):
            transport.send(data, transport.flow_to(host, port))
    closed = UdpTransport(reactor, "127.0.0.1", 0, ignore)
    with pytest.raises(OSError, match="not open"):
        closed.send(b"x", closed.flow_to("127.0.0.1", 5060))
