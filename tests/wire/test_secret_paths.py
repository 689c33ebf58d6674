"""Passwords, PINs and keys that stand in paths are in no log and no answer of a daemon."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from daemon import Client, Daemon

MY = "/sipxconfig/rest/my"
HIDDEN = "Versteckt77"
"""Begins whatever is secret here."""
PATHS = (f"{MY}/portal/password", f"{MY}/voicemail/pin")


def raw(daemon: Daemon, data: bytes) -> bytes:
    """What the daemon says to these bytes until it closes."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    received = b""
    with (
        socket.create_connection(("127.0.0.1", daemon.web_port), timeout=10) as plain,
        context.wrap_socket(plain) as connection,
    ):
        connection.sendall(data)
        while piece := connection.recv(65536):
            received += piece
    return received


def test_a_changed_password_and_pin_are_in_no_log(
    daemon: Daemon, new_user: Callable[[], str]
) -> None:
    name = new_user()
    client, told = daemon.client(name), b""
    for path in PATHS:
        for method in ("GET", "PUT", "POST", "PUT"):
            told += client.ask(method, f"{path}/{HIDDEN}%20{method}").body
            client.log_in(name, daemon.pin(name))
            # The last PUT of the password counts from now on.
            if method == "PUT" and "password" in path:
                daemon.know_user(name, f"{HIDDEN} PUT", daemon.sip_password(name))
                client.log_in(name, f"{HIDDEN} PUT")
    assert client.ask("GET", f"{MY}/time").status == 200
    assert HIDDEN.encode() not in told
    assert HIDDEN not in daemon.log()


def test_a_request_that_is_refused_early_leaves_no_secret_behind(
    daemon: Daemon, new_user: Callable[[], str]
) -> None:
    secret = HIDDEN.encode()
    head = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    told = b""
    for path in (*(path.encode() for path in PATHS), b"/sipxconfig/rest/private"):
        for request in (
            b"PUT %s/%s\xff" % (path, secret) + head,
            b"PUT %s/%s%%FF" % (path, secret) + head,
            b"BREW %s/%s" % (path, secret) + head,
            b"PUT %s/%s/%s" % (path, secret, b"a" * 40_000) + head,
            b"PUT https://elsewhere%s/%s" % (path, secret) + head,
            b"PUT %s/%s HTTP/9\r\n\r\n" % (path, secret),
            b"PUT %s/%s" % (path, secret) + head.replace(b"Host", b"No colon\r\nHost"),
            b"PUT /x" + head.replace(b"Host: x", b"Host: x\r\nReferer: %s/%s" % (path, secret)),
        ):
            answer = raw(daemon, request)
            assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501")), answer
            told += answer
    assert secret not in told
    assert HIDDEN not in daemon.log()


def test_a_token_and_a_private_key_are_in_no_log(
    daemon: Daemon, new_user: Callable[[], str]
) -> None:
    client = daemon.client(new_user())
    token = client.ask("POST", "/v1/users/me/tokens", {"label": "CRM"}).json()["token"]
    key = client.ask("POST", "/v1/users/me/private-key").json()["private_key"]
    bearer, nobody = Client(daemon.web_port, "", ""), Client(daemon.web_port, "", "")
    bearer.headers = {"Authorization": f"Bearer {token}"}
    told = b""
    for asking, path, status in (
        (bearer, f"{MY}/time", 200),
        (nobody, f"/sipxconfig/rest/private/{key}/time", 200),
        (nobody, f"/sipxconfig/rest/private/{key}/nothing", 404),
        (nobody, f"/sipxconfig/rest/private/{key}x/time", 401),
    ):
        answer = asking.ask("GET", path)
        assert answer.status == status, (path, answer)
        told += answer.body
    for secret in (token, key):
        assert secret.encode() not in told
        assert secret not in daemon.log()
