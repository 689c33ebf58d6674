"""SIP over TCP and TLS and over IPv6, with telephones and peers written by others."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import pytest
from baresip import Baresip
from daemon import Daemon, free_port, until
from linphone import Linphone
from telephones import Phones

from sipxd.testing.authority import Authority

_names = itertools.count(6001)


@attrs.frozen
class Server:
    """A daemon that speaks everything at one port, but TLS at another."""

    daemon: Daemon
    port: int
    tls_port: int
    authority: Authority

    def address(self, transport: str, host: str = "127.0.0.1") -> str:
        """Where phones register."""
        port = self.tls_port if transport == "tls" else self.port
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@pytest.fixture(scope="module")
def server(make_daemon: Callable[..., Daemon], tmp_path_factory: pytest.TempPathFactory) -> Server:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    certificate, key = authority.issue("localhost", "127.0.0.1", "::1")
    port, tls_port = free_port(), free_port()
    daemon = make_daemon(
        sip__listen=[
            f"{transport}:{host}:{at}"
            for host in ("127.0.0.1", "[::1]")
            for transport, at in (("udp", port), ("tcp", port), ("tls", tls_port))
        ],
        sip__certificate=str(certificate),
        sip__private_key=str(key),
        sip__ca=str(authority.path),
    )
    daemon.start()
    return Server(daemon, port, tls_port, authority)


@pytest.fixture
def pair(server: Server, tmp_path: Path) -> Iterator[Callable[..., Phones]]:
    """Two baresip phones that register over the transports and the address given."""
    daemon = server.daemon
    with ExitStack() as started:

        def make(first: str, second: str, host: str = "127.0.0.1") -> Phones:
            phones: list[Baresip] = []
            names = [daemon.add_user(str(next(_names))) for _ in range(2)]
            for name, transport, answer in zip(
                names, (first, second), ("auto", "manual"), strict=True
            ):
                phone = Baresip(
                    tmp_path / name,
                    name,
                    daemon.domain,
                    registrar=server.address(transport, host),
                    password=daemon.sip_password(name),
                    answer=answer,
                    transport=transport,
                    ca=server.authority.path if transport == "tls" else None,
                    host=host,
                )
                started.callback(phone.stop)
                phones.append(phone)
            client = daemon.client(names[0])
            started.callback(client.hang_up_all)
            return Phones(phones[0], phones[1], names[1], client)

        yield make


@pytest.mark.parametrize(
    ("first", "second", "host"),
    [
        ("tcp", "tcp", "127.0.0.1"),
        ("tls", "tls", "127.0.0.1"),
        ("tls", "udp", "127.0.0.1"),
        ("udp", "tcp", "127.0.0.1"),
        ("udp", "udp", "::1"),
        ("tcp", "tcp", "::1"),
        ("tls", "tcp", "::1"),
    ],
)
def test_click_to_call_over_every_transport(
    pair: Callable[..., Phones], first: str, second: str, host: str
) -> None:
    phones = pair(first, second, host)
    call = phones.bridged()
    for phone, transport in ((phones.a, first), (phones.b, second)):
        assert f"Via: SIP/2.0/{transport.upper()} " in phone.trace()
        others = {"udp", "tcp", "tls"} - {transport}
        assert not any(f"SIP/2.0/{other.upper()} " in phone.trace() for other in others)
    phones.hold("b")
    phones.b.resume()
    phones.talk()
    phones.b.hang_up()
    phones.are_free()
    record = phones.client.wait_state(call, "ended")
    assert record["cause"]["code"] == 200, record


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_phone_calls_over_a_connection(pair: Callable[..., Phones], transport: str) -> None:
    phones = pair(transport, transport)
    phones.a.dial(f"sip:{phones.b_name}@example.test")
    until(phones.b.is_ringing, "the other phone to ring")
    phones.b.accept()
    phones.talk()
    phones.a.hang_up()
    phones.are_free()


def test_after_a_restart_phones_over_tcp_are_rung_over_new_connections(
    server: Server, pair: Callable[..., Phones]
) -> None:
    phones = pair("tcp", "tcp")
    phones.client._connection.close()  # it is opened again when needed
    server.daemon.stop()
    server.daemon.start()
    phones.bridged()
    phones.a.hang_up()
    phones.are_free()


def test_after_a_restart_phones_over_tls_are_rung_when_they_have_registered_again(
    server: Server, pair: Callable[..., Phones], tmp_path: Path
) -> None:
    """A phone has no certificate by which it could be known: only it can open the connection."""
    daemon = server.daemon
    phones = pair("udp", "tls")
    phones.client._connection.close()  # it is opened again when needed
    daemon.stop()
    daemon.start()
    answer = phones.client.call(phones.b_name)
    assert answer.status == 404
    assert answer.json()["detail"] == f"No phone of {phones.b_name} is registered."
    phones.a.dial(f"sip:{phones.b_name}@{daemon.domain}")
    until(lambda: "SIP/2.0 404 Not Found" in phones.a.trace(), "the refusal of the call")
    until(phones.a.has_no_call, "the call to end")
    assert phones.b.has_no_call()
    phones.b.stop()
    again = Baresip(
        tmp_path / "again",
        phones.b_name,
        daemon.domain,
        registrar=server.address("tls"),
        password=daemon.sip_password(phones.b_name),
        answer="manual",
        transport="tls",
        ca=server.authority.path,
    )
    try:
        phones = attrs.evolve(phones, b=again)
        phones.bridged()
        phones.a.hang_up()
        phones.are_free()
    finally:
        again.stop()


@pytest.mark.parametrize("wrong", ["", "name", "date", "authority"])
def test_linphone_believes_a_right_certificate_and_no_other(
    make_daemon: Callable[..., Daemon], tmp_path: Path, wrong: str
) -> None:
    authority = Authority(tmp_path / "believed")
    issuer = Authority(tmp_path / "other") if wrong == "authority" else authority
    name = "other.example.com" if wrong == "name" else "localhost"
    certificate, key = issuer.issue(name, expired=wrong == "date")
    port = free_port()
    daemon = make_daemon(
        sip__listen=[f"tls:127.0.0.1:{port}"],
        sip__certificate=str(certificate),
        sip__private_key=str(key),
    )
    daemon.start()
    user = daemon.add_user(str(next(_names)))
    phone = Linphone(
        tmp_path / "linphone",
        user,
        daemon.domain,
        registrar=f"localhost:{port}",
        password=daemon.sip_password(user),
        transport="tls",
        ca=authority.path,
        registers=not wrong,
    )
    try:
        if wrong:
            until(lambda: "Certificate verification failed" in phone.trace(), "its refusal")
            assert not phone.is_registered()
    finally:
        phone.stop()
        daemon.stop()
