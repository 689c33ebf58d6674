"""The dialog: what two user agents know of each other between INVITE and BYE (RFC 3261 section 12).

`DialogState` is a value.  Building a request gives the next value, so a dialog can be stored, moved
and tested as plain data.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import msgspec

from sipxd.sip.flow import Flow
from sipxd.sip.headers import HeaderError, NameAddr, parse_name_addr
from sipxd.sip.message import Header, Message, Request, Response
from sipxd.sip.uri import UriError, parse_uri


class DialogError(ValueError):
    """A message that cannot make or refresh a dialog."""


_WITH_CONTACT = frozenset({"INVITE", "UPDATE", "ACK", "REFER", "NOTIFY"})
"""The requests that tell where we are; MESSAGE and INFO must not (RFC 3428 section 4, RFC 6086)."""


@attrs.frozen
class DialogState:
    """One dialog, seen from our side.

    ``local`` and ``remote`` are the From/To values without tags, ``route_set`` Route values in the
    order in which they are sent, ``remote_target`` the peer's Contact URI, ``remote_seq`` -1 while
    the peer has sent no request.  ``flow`` pins the dialog to the connection or address that its
    first request went over.
    """

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    remote: str
    local_seq: int
    remote_seq: int
    remote_target: str
    flow: Flow
    route_set: tuple[str, ...] = ()

    def request(
        self, method: str, *, contact: str, headers: Iterable[Header] = (), body: bytes = b""
    ) -> tuple[Request, DialogState]:
        """The next request of ``method`` in this dialog, and the state after it (12.2.1.1)."""
        after = attrs.evolve(self, local_seq=self.local_seq + 1)
        return self._build(method, after.local_seq, contact, headers, body), after

    def ack(
        self, cseq: int, *, contact: str, headers: Iterable[Header] = (), body: bytes = b""
    ) -> Request:
        """The ACK for a 2xx to the INVITE numbered ``cseq`` (13.2.2.4)."""
        return self._build("ACK", cseq, contact, headers, body)

    def _build(
        self, method: str, cseq: int, contact: str, extra: Iterable[Header], body: bytes
    ) -> Request:
        uri, routes = self._routing()
        headers: list[Header] = [("Route", route) for route in routes]
        headers += (
            ("Max-Forwards", "70"),
            ("From", f"{self.local};tag={self.local_tag}"),
            ("To", f"{self.remote};tag={self.remote_tag}" if self.remote_tag else self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
        )
        if method in _WITH_CONTACT:
            headers.append(("Contact", contact))
        headers.extend(extra)
        if body and not any(name == "Content-Type" for name, _ in headers):
            headers.append(("Content-Type", "application/sdp"))
        return Request(method, uri, headers=headers, body=body)

    def _routing(self) -> tuple[str, tuple[str, ...]]:
        """Request-URI and Route values; a strict router takes the Request-URI (12.2.1.1)."""
        if not self.route_set:
            return self.remote_target, ()
        first = parse_name_addr(self.route_set[0]).uri
        if parse_uri(first).parameter("lr") is not None:
            return self.remote_target, self.route_set
        return _request_uri(first), (*self.route_set[1:], f"<{self.remote_target}>")

    def matches(self, message: Message) -> bool:
        """Whether a request from the peer belongs to this dialog."""
        return (
            message.call_id == self.call_id
            and message.to_tag == self.local_tag
            and (message.from_tag or "") == self.remote_tag
        )

    def to_plain(self) -> dict[str, Any]:
        """The state as plain data for storage."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> DialogState:
        """The state that to_plain gave. Raises msgspec.ValidationError."""
        return msgspec.convert(plain, cls)


def without_tag(value: str) -> str:
    """A From or To value without its tag, otherwise as its sender wrote it."""
    address = parse_name_addr(value)
    return str(
        NameAddr(
            address.uri, address.display, tuple(p for p in address.parameters if p[0] != "tag")
        )
    )


def remote_target(message: Message) -> str | None:
    """The URI of the single Contact, or None where there is none that can be used."""
    value = message.get("Contact")
    if value is None:
        return None
    try:
        uri = parse_name_addr(message.values("Contact")[0]).uri
        return _request_uri(uri) if parse_uri(uri).scheme in ("sip", "sips") else None
    except (HeaderError, UriError, IndexError):
        return None


def _request_uri(text: str) -> str:
    """A URI without what a Request-URI must not have: headers and a method (19.1.1)."""
    uri = parse_uri(text)
    if uri.headers is None and uri.parameter("method") is None:
        return text
    parameters = tuple(p for p in uri.parameters if p[0] != "method")
    return str(attrs.evolve(uri, headers=None, parameters=parameters))


def uac_dialog(request: Request, response: Response, flow: Flow) -> DialogState:
    """The dialog that ``response`` to our ``request`` makes (12.1.2). Raises DialogError."""
    target = remote_target(response)
    if target is None:
        raise DialogError("the response has no usable Contact")
    try:
        routes = tuple(reversed(response.values("Record-Route")))
        return DialogState(
            call_id=request.call_id,
            local_tag=request.from_tag or "",
            remote_tag=response.to_tag or "",
            local=without_tag(request.require("From")),
            remote=without_tag(response.require("To")),
            local_seq=request.cseq[0],
            remote_seq=-1,
            remote_target=target,
            flow=flow,
            route_set=_checked(routes),
        )
    except HeaderError as error:
        raise DialogError(str(error)) from None


def makeshift_dialog(request: Request, response: Response, flow: Flow) -> DialogState:
    """A dialog good enough for ACK and BYE, where `uac_dialog` refuses ``response``."""
    return DialogState(
        call_id=request.call_id,
        local_tag=request.from_tag or "",
        remote_tag=response.to_tag or "",
        local=without_tag(request.require("From")),
        remote=without_tag(request.require("To")),
        local_seq=request.cseq[0],
        remote_seq=-1,
        remote_target=remote_target(response) or request.uri,
        flow=flow,
    )


def uas_dialog(request: Request, local_tag: str, flow: Flow) -> DialogState:
    """The dialog that our response to ``request`` makes (12.1.1). Raises DialogError."""
    target = remote_target(request)
    if target is None:
        raise DialogError("the request has no usable Contact")
    try:
        return DialogState(
            call_id=request.call_id,
            local_tag=local_tag,
            remote_tag=request.from_tag or "",
            local=without_tag(request.require("To")),
            remote=without_tag(request.require("From")),
            local_seq=0,
            remote_seq=request.cseq[0],
            remote_target=target,
            flow=flow,
            route_set=_checked(tuple(request.values("Record-Route"))),
        )
    except HeaderError as error:
        raise DialogError(str(error)) from None


def _checked(routes: tuple[str, ...]) -> tuple[str, ...]:
    try:
        for route in routes:
            parse_uri(parse_name_addr(route).uri)
    except (HeaderError, UriError) as error:
        raise DialogError(f"Record-Route: {error}") from None
    return routes
