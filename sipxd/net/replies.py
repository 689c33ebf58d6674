"""What responses take from their request: where they go, and their To tag."""

from __future__ import annotations

import attrs

from sipxd.sip.flow import Flow
from sipxd.sip.headers import Via, split_list
from sipxd.sip.locate import PORTS
from sipxd.sip.message import Request

STATELESS = f"{hash('stateless') & 0xFFFFFFFF:08x}."
"""What the To tags of answers without a transaction begin with, another one in each process: an ACK
that repeats it acknowledges nothing that is kept."""


def reply_flow(via: Via, flow: Flow) -> Flow:
    """Where responses go (RFC 3261 section 18.2.2, RFC 3581 section 4): never to another address.

    With rport, and over a connection, to the port that the request came from, else to that of
    sent-by.  A maddr is not followed, for it would let a request send our responses to anybody.
    """
    if any(name == "rport" for name, _ in via.parameters) or flow.transport != "UDP":
        return flow
    port = via.port or PORTS["UDP"]
    return flow if port == flow.port else attrs.evolve(flow, port=port)


def mark_source(request: Request, via: Via, flow: Flow) -> None:
    """Put received and rport on the top Via (RFC 3261 section 18.2.1, RFC 3581 section 4).

    ``request`` has just been parsed and nobody else knows it, so it is changed in place.
    """
    wanted = claimed = False
    for name, _ in via.parameters:
        if name == "rport":
            wanted = True
        elif name == "received":
            claimed = True
    host = via.host
    if not wanted and not claimed and flow.host == (host[1:-1] if host[:1] == "[" else host):
        return
    headers = request.headers
    assert isinstance(headers, list)
    index = next(i for i, (name, _) in enumerate(headers) if name == "Via")
    top, *others = split_list(headers[index][1])
    top = top.partition(";")[0]
    parameters = "".join(
        f";{name}" if value is None else f";{name}={value}"
        for name, value in via.parameters
        if name not in ("rport", "received")
    )
    marks = f";received={flow.host.partition('%')[0]}"  # a zone means something to us only
    if wanted:
        marks = f";rport={flow.port}{marks}"
    headers[index] = ("Via", ", ".join([f"{top}{marks}{parameters}", *others]))


def stateless_tag(request: Request) -> str:
    """A To tag that is the same for every copy of a request, and not to be guessed."""
    return f"{STATELESS}{hash((request.from_tag, request.get('Call-ID'))) & 0xFFFFFFFFFFFF:012x}"
