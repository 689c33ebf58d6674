"""A peer for legs under test: the requests and responses that it would send, as plain data."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any, TypeVar

from sipxd.sip import digest
from sipxd.sip import leg as sip
from sipxd.sip.credentials import Authorizer
from sipxd.sip.dialog import DialogState
from sipxd.sip.flow import Flow
from sipxd.sip.leg import Local, Output, Progress, SendAck, SendRequest, SendResponse
from sipxd.sip.message import Header, Request, Response, respond
from sipxd.sip.uac import Invitation, UacLeg
from sipxd.sip.uas import UasLeg
from sipxd.sip.usage import InviteUsage

FLOW = Flow("UDP", "udp:192.0.2.1:5060", "198.51.100.1", 5060)
PEER_CONTACT = "sip:phone@198.51.100.1:5060"
T = TypeVar("T")

EVENTS = (
    sip.Progress,
    sip.Up,
    sip.Offered,
    sip.Answered,
    sip.OfferFailed,
    sip.Updated,
    sip.Refused,
    sip.Ended,
    sip.Relay,
    sip.Relayed,
    sip.Referred,
    sip.ReferOutcome,
    sip.Gone,
)


def sdp(port: int = 4000, direction: str = "sendrecv", *, media: str = "RTP/AVP 0 8") -> bytes:
    return (
        "v=0\r\no=- 7 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n"
        f"m=audio {port} {media}\r\na={direction}\r\n"
    ).encode()


DTLS = sdp(media="UDP/TLS/RTP/SAVPF 0")
"""An offer that nobody without media can answer."""


def local(seed: int = 1, session_expires: int = 1800) -> Local:
    return Local(
        "<sip:leg1@192.0.2.1:5060>", "192.0.2.1", random.Random(seed).randbytes, session_expires
    )


def of(outputs: list[Output], kind: type[T]) -> list[T]:
    """The outputs of one kind."""
    return [output for output in outputs if isinstance(output, kind)]


def one(outputs: list[Output], kind: type[T]) -> T:
    """The only output of its kind."""
    found = of(outputs, kind)
    assert len(found) == 1, outputs
    return found[0]


def request_of(outputs: list[Output], method: str) -> SendRequest:
    """The only request of ``method`` that is sent."""
    found = [o for o in of(outputs, SendRequest) if o.request.method == method]
    assert len(found) == 1, outputs
    return found[0]


def status_of(outputs: list[Output]) -> int:
    """The status of the only response that is sent."""
    return one(outputs, SendResponse).response.status


def reply(
    request: Request,
    status: int,
    body: bytes = b"",
    *,
    tag: str | None = "peer",
    contact: str | None = PEER_CONTACT,
    headers: Iterable[Header] = (),
) -> Response:
    """The peer's response to a request of ours."""
    extra: list[Header] = [] if contact is None else [("Contact", f"<{contact}>")]
    extra += [] if any(h[0] == "Server" for h in headers) else [("Server", "phone/1")]
    if body:
        extra.append(("Content-Type", "application/sdp"))
    return respond(request, status, to_tag=tag, headers=[*extra, *headers], body=body)


def authorizer(secret: str = "secret") -> Authorizer:
    """An account "200" with realm "pbx"."""
    return Authorizer("200", secret, "pbx", iter(f"c{n}" for n in range(1000)).__next__)


def challenge(
    nonce: str = "n1", *, realm: str = "pbx", proxy: bool = False, more: str = ', qop="auth"'
) -> Header:
    """A challenge header."""
    name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
    return (name, f'Digest realm="{realm}", nonce="{nonce}"{more}')


def is_right(request: Request, header: str = "Authorization") -> bool:
    """Whether the request carries the credentials of `authorizer` for itself."""
    (value,) = request.get_all(header)
    fields = dict(part.strip().partition("=")[::2] for part in value.split(",")[1:])
    nonce = fields["nonce"].strip('"')
    (asked,) = digest.parse_challenges([challenge(nonce)[1]])
    expected = digest.authorize(
        asked, request.method, request.uri, "200", "secret",
        nc=int(fields["nc"], 16), cnonce=fields["cnonce"].strip('"'),
    )  # fmt: skip
    return value == expected


def uac(
    *,
    seed: int = 1,
    session_expires: int = 1800,
    routes: tuple[str, ...] = (),
    authorizer: Authorizer | None = None,
) -> UacLeg:
    invitation = Invitation(
        uri="sip:200@198.51.100.1:5060",
        from_='"201" <sip:201@example.test>',
        to="<sip:200@example.test>",
        flow=FLOW,
        call_id="call-1",
        routes=routes,
    )
    return UacLeg(local(seed, session_expires), invitation, authorizer)


def invite(body: bytes = b"", *, headers: Iterable[Header] = (), cseq: int = 1) -> Request:
    """The peer's INVITE that makes an incoming leg."""
    extra: list[Header] = [("Content-Type", "application/sdp")] if body else []
    return Request(
        "INVITE",
        "sip:201@example.test",
        headers=[
            ("Via", "SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKinvite"),
            ("From", '"A, B" <sip:200@example.test>;tag=peer'),
            ("To", "<sip:201@example.test>"),
            ("Call-ID", "call-2"),
            ("CSeq", f"{cseq} INVITE"),
            ("Contact", f"<{PEER_CONTACT}>"),
            ("Max-Forwards", "70"),
            *extra,
            *headers,
        ],
        body=body,
    )


def uas(body: bytes = b"", *, headers: Iterable[Header] = ()) -> UasLeg:
    return UasLeg(local(), "invite", invite(body, headers=headers), FLOW)


class Peer:
    """The far end of a dialog that is up: it counts its CSeq and knows the tags."""

    def __init__(self, leg: InviteUsage, cseq: int = 100) -> None:
        self.leg = leg
        self.cseq = cseq
        self.serial = 0

    def request(
        self,
        method: str,
        body: bytes = b"",
        *,
        headers: Iterable[Header] = (),
        cseq: int | None = None,
        contact: str = PEER_CONTACT,
        dialog: DialogState | None = None,
    ) -> Request:
        dialog = dialog or self.leg.dialog
        assert dialog is not None
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        self.serial += 1
        extra: list[Header] = [("Content-Type", "application/sdp")] if body else []
        if method in ("INVITE", "UPDATE"):
            extra.append(("Contact", f"<{contact}>"))
        return Request(
            method,
            "sip:leg1@192.0.2.1:5060",
            headers=[
                ("Via", f"SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK{self.serial}"),
                ("From", f"{dialog.remote};tag={dialog.remote_tag}"),
                ("To", f"{dialog.local};tag={dialog.local_tag}"),
                ("Call-ID", dialog.call_id),
                ("CSeq", f"{cseq} {method}"),
                *extra,
                *headers,
            ],
            body=body,
        )

    def send(self, method: str, body: bytes = b"", *, key: str = "in-1", **more: Any) -> list[Any]:
        """Let the leg receive a request."""
        return list(self.leg.receive_request(key, self.request(method, body, **more)))

    def acknowledge(self, response: Response, body: bytes = b"") -> list[Any]:
        """Let the leg receive the ACK for its 2xx."""
        return list(
            self.leg.receive_ack(self.request("ACK", body, cseq=response.cseq[0])),
        )


def answered(leg: UacLeg, *, allow: str = "INVITE, ACK, BYE", **more: Any) -> list[Output]:
    """The leg's INVITE with SDP goes out and gets a 200 with an answer."""
    out = leg.start(sdp(5000))
    sent = request_of(out, "INVITE")
    headers = [("Allow", allow), *more.pop("headers", ())]
    return leg.receive_response(
        sent.key, reply(sent.request, 200, sdp(4000), headers=headers, **more)
    )


def up_uac(**more: Any) -> tuple[UacLeg, Peer]:
    """An outgoing leg that is up."""
    leg = uac()
    answered(leg, **more)
    return leg, Peer(leg)


def up_uas(body: bytes | None = None, *, headers: Iterable[Header] = ()) -> tuple[UasLeg, Peer]:
    """An incoming leg that is up."""
    offer = sdp(4000) if body is None else body
    leg = uas(offer, headers=headers)
    leg.ring(Progress(180), "b1")
    peer = Peer(leg)
    response = one(leg.accept(sdp(5000), "b1"), SendResponse).response
    peer.acknowledge(response)
    return leg, peer


def ack_of(outputs: list[Output]) -> Request:
    """The only ACK that is sent."""
    return one(outputs, SendAck).request
