"""A gateway on the in-memory network: it answers as told and keeps what it was sent."""

from __future__ import annotations

from collections.abc import Callable

from sipxd.sip.flow import Flow
from sipxd.sip.message import Header, Request, Response, parse_message, respond
from sipxd.testing.office import DOMAIN, SERVER, Office
from sipxd.testing.phone import Behaviour, Phone

Answer = Callable[[Request], Response | None]


def challenge(realm: str, nonce: str = "n1", *, proxy: bool = False) -> Header:
    """A challenge header."""
    name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
    return name, f'Digest realm="{realm}", nonce="{nonce}", algorithm=MD5, qop="auth"'


class FakeGateway:
    """``answers`` gives the final response to a request by its method; None: silence."""

    def __init__(self, office: Office, host: str, port: int = 5060) -> None:
        self.requests: list[Request] = []
        self.responses: list[Response] = []
        self.answers: dict[str, Answer] = {"OPTIONS": lambda request: respond(request, 200)}
        self.address = f"{host}:{port}"
        self._transport = office.network.node(host, port, self._receive)

    def refuse(self, status: int, *headers: Header) -> None:
        """Refuse every INVITE."""
        self.answers["INVITE"] = lambda request: respond(
            request, status, to_tag="gw", headers=headers
        )

    def of(self, method: str) -> list[Request]:
        """The different requests of ``method``, in order."""
        found: dict[str, Request] = {}
        for request in self.requests:
            if request.method == method:
                found.setdefault(request.via.branch, request)
        return list(found.values())

    def send(self, request: Request) -> None:
        """Send ``request`` to the server."""
        self._transport.send(request.encode(), Flow("UDP", self._transport.listener, *SERVER))

    def close(self) -> None:
        """Be gone."""
        self._transport.close()

    def _receive(self, data: bytes, flow: Flow) -> None:
        message = parse_message(data)
        if not isinstance(message, Request):
            self.responses.append(message)
            return
        self.requests.append(message)
        decide = self.answers.get(message.method)
        answer = None if decide is None else decide(message)
        if answer is not None:
            self._transport.send(answer.encode(), flow)


def answers_calls(office: Office, host: str) -> Phone:
    """A gateway that takes every call, played by a phone at ``host``."""
    gateway = Phone(
        "gw",
        "",
        domain=DOMAIN,
        server=Flow("UDP", f"udp:{host}:5060", *SERVER),
        clock=office.clock,
        random=office.random,
        behaviour=Behaviour(answer_after=0.5),
    )
    gateway.attach(office.network.node(host, 5060, gateway.stack.receive))
    return gateway
