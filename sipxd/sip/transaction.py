"""What the four transaction machines share: timers' values, effects, keys, ACK and CANCEL.

RFC 3261 section 17 with RFC 6026.  A machine is a plain class without IO: an event method returns
the effects, which its runner (`sipxd.net`) carries out in their order.  An event may come in any
state, also after the end; what the table of a machine does not name has no effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from sipxd.sip.message import Header, Request, Response

T1: Final = 0.5
"""Estimate of the round-trip time in seconds (RFC 3261 section 17.1.1.1)."""
T2: Final = 4.0
"""Longest interval between retransmissions of anything but an INVITE, in seconds."""
T4: Final = 5.0
"""How long a message stays in the network, in seconds."""
LIFETIME: Final = 64 * T1
"""Timers B, D, F, H, J, L and M on an unreliable transport, in seconds."""

BRANCH_PREFIX: Final = "z9hG4bK"
"""The start of every branch of RFC 3261; branches without it come from older peers."""


@attrs.frozen
class Send:
    """Send these octets over the transaction's flow."""

    data: bytes


@attrs.frozen
class StartTimer:
    """Call ``timer(name)`` of the machine after ``seconds``."""

    name: str
    seconds: float


@attrs.frozen
class StopTimer:
    """The timer ``name``, where it runs, is not needed any more."""

    name: str


@attrs.frozen
class Deliver:
    """Give ``response`` to the transaction's user."""

    response: Response


@attrs.frozen
class DeliverAck:
    """Give the ACK that has just come to the transaction's user (it is for a 2xx)."""


@attrs.frozen
class Failed:
    """Tell the transaction's user that no final response came: 408 in time, 503 sending failed."""

    status: int


@attrs.frozen
class SendCancel:
    """Start the transaction of the CANCEL for this INVITE now."""


@attrs.frozen
class Terminated:
    """The machine has ended; its runner forgets it."""


Effect = Send | StartTimer | StopTimer | Deliver | DeliverAck | Failed | SendCancel | Terminated
Effects = Sequence[Effect]

NOTHING: Final[Effects] = ()
TERMINATED: Final = Terminated()


def client_key(branch: str, method: str) -> str:
    """What a response and its client transaction have in common (RFC 3261 section 17.1.3).

    ``method`` is that of CSeq, because a CANCEL has the branch of its INVITE.
    """
    return f"{branch}\n{method}"


def server_key(request: Request, method: str | None = None) -> str:
    """What all requests of one server transaction have in common (RFC 3261 section 17.2.3).

    ``method`` overrides the request's own: "INVITE" finds what a CANCEL or an ACK is for.  A line
    end separates the parts, because no header value holds one.
    """
    if method is None:
        method = request.method
    via = request.via
    branch = via.branch
    if branch.startswith(BRANCH_PREFIX) and len(branch) > len(BRANCH_PREFIX):
        return f"{branch}\n{via.sent_by}\n{method}"
    # Before RFC 3261 a branch was not unique: the request's own marks take its place.
    return "\n".join(
        (
            request.uri,
            request.from_tag or "",
            request.call_id,
            str(request.cseq[0]),
            f"{via.sent_by} {branch}",
            method,
        )
    )


def merge_key(request: Request) -> str:
    """Equal for copies of one request that came over different paths (RFC 3261 section 8.2.2.2)."""
    number, method = request.cseq
    return f"{request.from_tag}\n{request.call_id}\n{number} {method}"


def _same_transaction(request: Request, method: str) -> list[Header]:
    """Top Via, Max-Forwards, Route, From, Call-ID and CSeq for an ACK or CANCEL of ``request``."""
    headers: list[Header] = []
    for header in request.headers:
        name = header[0]
        if name == "Via":
            if not headers:
                headers += [header, ("Max-Forwards", "70")]
        elif name in ("Route", "From", "Call-ID"):
            headers.append(header)
    headers.append(("CSeq", f"{request.cseq[0]} {method}"))
    return headers


def ack_for(request: Request, response: Response) -> Request:
    """The ACK for a final response of 300 and above (RFC 3261 section 17.1.1.3).

    ``request`` is the INVITE as it was sent, with our Via on top.
    """
    headers = _same_transaction(request, "ACK")
    headers.append(("To", response.get("To") or request.require("To")))
    return Request("ACK", request.uri, headers=headers)


def cancel_for(request: Request, headers: Iterable[Header] = ()) -> Request:
    """The CANCEL for an INVITE as it was sent, with our Via on top (RFC 3261 section 9.1)."""
    cancel = _same_transaction(request, "CANCEL")
    cancel.append(("To", request.require("To")))
    cancel.extend(headers)
    return Request("CANCEL", request.uri, headers=cancel)
