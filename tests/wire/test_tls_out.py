"""Whom sipxd believes when it calls out over TLS: who proves his name, and nobody else."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from baresip import Baresip
from daemon import Daemon, free_port, until

from sipxd.testing.authority import Authority

REASONS = {
    "": "486",
    "name": "certificate does not carry that name",
    "date": "certificate verify failed",
    "authority": "certificate verify failed",
}
"""What the log says."""


class Gateway:
    """A gateway over TLS that refuses every request with 486, and notes what it is sent."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.port = free_port()
        self.connections = 0
        self.messages: list[str] = []
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", self.port))
        self.datagrams.setblocking(False)
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            with self.context.wrap_socket(plain, server_side=True) as connection:
                while data := connection.recv(65536):
                    request = data.decode()
                    self.messages.append(request)
                    if not request.startswith("ACK"):
                        connection.sendall(_busy(request))
        except OSError:
            return

    def invites(self) -> list[str]:
        return [message for message in self.messages if message.startswith("INVITE")]

    def close(self) -> None:
        self._listening.close()
        self.datagrams.close()


def _busy(request: str) -> bytes:
    kept = ("Via:", "From:", "To:", "Call-ID:", "CSeq:")
    lines = [line for line in request.split("\r\n") if line.startswith(kept)]
    lines = [f"{line};tag=g" if line.startswith("To:") else line for line in lines]
    return "\r\n".join(["SIP/2.0 486 Busy Here", *lines, "Content-Length: 0", "", ""]).encode()


@pytest.fixture
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gateway]:
    """With a certificate for its address, or one that is wrong in the way that is asked for."""
    wrong = request.param
    believed = Authority(tmp_path / "believed")
    issuer = Authority(tmp_path / "other") if wrong == "authority" else believed
    name = "other.example.com" if wrong == "name" else "127.0.0.1"
    made = Gateway(*issuer.issue(name, expired=wrong == "date"))
    yield made
    made.close()


@pytest.mark.parametrize("gateway", ["", "name", "date", "authority"], indirect=True)
def test_a_gateway_is_called_over_tls_where_it_proves_its_name_and_never_in_plain(
    gateway: Gateway,
    make_daemon: Callable[..., Daemon],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    wrong = request.node.callspec.params["gateway"]
    port, tls_port = free_port(), free_port()
    daemon = make_daemon(
        sip__listen=[
            f"udp:127.0.0.1:{port}", f"tcp:127.0.0.1:{port}", f"tls:127.0.0.1:{tls_port}",
        ],
        sip__ca=str(tmp_path / "believed" / "ca.pem"),
    )  # fmt: skip
    with daemon.config.open("a") as file:
        file.write(f'[[gateway]]\nname = "g"\nuri = "sip:127.0.0.1:{gateway.port};transport=tls"\n')
        file.write('health_check = 0\n[[route]]\npattern = "0X."\ngateways = ["g"]\n')
    daemon.start()
    user = daemon.add_user("6901")
    phone = Baresip(
        tmp_path / user,
        user,
        daemon.domain,
        registrar=f"127.0.0.1:{port}",
        password=daemon.sip_password(user),
    )
    try:
        answer = daemon.client(user).call("0301234567", wait=True)
        cause = answer.json()
        if wrong:
            until(lambda: gateway.connections, "sipxd to connect")
            assert (answer.status, cause["code"]) == (502, 503), cause
            assert gateway.messages == []
        else:
            assert (answer.status, cause["code"]) == (502, 486), cause
            assert len(gateway.invites()) == 1
            assert "Via: SIP/2.0/TLS " in gateway.invites()[0]
        with pytest.raises(BlockingIOError):
            gateway.datagrams.recv(65536)
        assert REASONS[wrong] in daemon.log()
    finally:
        phone.stop()
        daemon.stop()
