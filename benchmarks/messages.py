"""Microseconds to parse a SIP message, read the headers that every message needs, and write it.

Each message has its own branch, tags and Call-ID, as on the wire, so that no cache of whole values
helps.  What repeats there (hosts, users, contacts of a few phones) repeats here.  Read are the top
Via, Call-ID, CSeq, both tags, the Request-URI and the Contact.

The baseline is the parser of ``twisted.protocols.sip`` at the same work in the same run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from result import report
from twisted.protocols import sip as twisted_sip

from sipxd.sip.dialog import remote_target
from sipxd.sip.message import Request, parse_message
from sipxd.sip.uri import parse_uri

MESSAGES = 500
ROUNDS = 60
TARGET = 50.0
USERS = 200

SDP = "\r\n".join(
    (
        "v=0",
        "o=- 3880844322 3880844322 IN IP4 192.0.2.17",
        "s=-",
        "c=IN IP4 192.0.2.17",
        "t=0 0",
        "m=audio 16384 RTP/AVP 9 8 0 18 101",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:18 G729/8000",
        "a=fmtp:18 annexb=no",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        "a=sendrecv",
        "",
    )
)

INVITE = "\r\n".join(
    (
        "INVITE sip:{callee}@example.org SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.17:5060;branch=z9hG4bK{unique}a;rport",
        "Record-Route: <sip:192.0.2.3:5060;transport=udp;lr;ftag={unique}f>",
        "Max-Forwards: 70",
        "Date: Sun, 22 Nov 2026 10:15:00 GMT",
        'From: "Ada Lovelace" <sip:{user}@example.org>;tag={unique}f',
        "To: <sip:{callee}@example.org>",
        "Call-ID: {unique}@192.0.2.17",
        "CSeq: 102 INVITE",
        "Contact: <sip:{user}@192.0.2.17:5060;transport=udp>",
        'Authorization: Digest username="{user}", realm="example.org", nonce="67a1b2c3d4e5f607182'
        '93a4b5c6d7e8f", uri="sip:{callee}@example.org", response="6629fae49393a0539745'
        '0978507c4ef1", algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=00000001',
        "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, MESSAGE, REFER, NOTIFY, PRACK",
        "Supported: replaces, 100rel, timer, norefersub",
        "Session-Expires: 1800",
        "Min-SE: 90",
        "User-Agent: Telephone 4.1.2",
        "P-Asserted-Identity: <sip:{user}@example.org>",
        "Allow-Events: talk, hold, conference, refer, check-sync",
        "Accept: application/sdp",
        "Content-Type: application/sdp",
        f"Content-Length: {len(SDP)}",
        "",
        SDP,
    )
)

OK = "\r\n".join(
    (
        "SIP/2.0 200 OK",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;rport=5060;received=192.0.2.1;branch=z9hG4bK{unique}b",
        "Record-Route: <sip:192.0.2.3:5060;transport=udp;lr;ftag={unique}f>",
        'From: "Ada Lovelace" <sip:{user}@example.org>;tag={unique}f',
        "To: <sip:{callee}@example.org>;tag={unique}t",
        "Call-ID: {unique}@192.0.2.1",
        "CSeq: 1 INVITE",
        "Contact: <sip:{callee}@192.0.2.18:5060;transport=udp>",
        "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO",
        "Server: Telephone 4.1.2",
        "Supported: timer",
        "Content-Type: application/sdp",
        f"Content-Length: {len(SDP)}",
        "",
        SDP,
    )
)


def make(template: str) -> list[bytes]:
    """Messages that differ as those of different calls do."""
    return [
        template.format(
            user=1000 + n % USERS, callee=2000 + n % USERS, unique=f"{n * 2654435761:016x}"
        ).encode()
        for n in range(MESSAGES)
    ]


def ours(data: bytes) -> bytes:
    """Parse, read, write."""
    message = parse_message(data)
    via = message.via
    assert via.branch and via.sent_by
    assert message.call_id and message.cseq[0] and message.from_tag
    assert remote_target(message)
    if isinstance(message, Request):
        assert parse_uri(message.uri).user and message.to_tag is None
    else:
        assert message.to_tag
    return message.encode()


def theirs(data: bytes) -> str:
    """The same by ``twisted.protocols.sip``."""
    got: list[Any] = []
    parser: Any = twisted_sip.MessagesParser(got.append)
    parser.dataReceived(data)
    parser.dataDone()
    message = got[0]
    headers = message.headers
    via: Any = twisted_sip.parseViaHeader(headers["via"][0])
    assert via.branch and via.host
    assert headers["call-id"][0] and int(headers["cseq"][0].split()[0])
    _, _, from_parameters = twisted_sip.parseAddress(headers["from"][0])
    _, _, to_parameters = twisted_sip.parseAddress(headers["to"][0])
    assert from_parameters["tag"]
    assert twisted_sip.parseAddress(headers["contact"][0])[1].host
    assert ("tag" in to_parameters) is isinstance(message, twisted_sip.Response)
    written: str = message.toString()
    return written


def microseconds(*works: tuple[Callable[[bytes], object], list[bytes]]) -> list[float]:
    """CPU time per message of each work, the best of many rounds; they take turns, so that a busy
    moment of the machine meets all of them."""
    best = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for index, (work, messages) in enumerate(works):
            start = time.process_time()
            for data in messages:
                work(data)
            best[index] = min(best[index], (time.process_time() - start) / len(messages) * 1e6)
    return best


def main() -> None:
    """Measure and report."""
    invites, oks = make(INVITE), make(OK)
    assert ours(invites[0]) == invites[0]
    assert ours(oks[0]) == oks[0]
    invite, ok, *others = microseconds(
        (ours, invites), (ours, oks), (theirs, invites), (theirs, oks)
    )
    other = sum(others)
    report(
        "messages",
        {
            "invite_us": round(invite, 1),
            "invite_octets": len(invites[0]),
            "ok_us": round(ok, 1),
            "ok_octets": len(oks[0]),
            "both_us": round(invite + ok, 1),
            "baseline_us": round(other, 1),
        },
        baseline="twisted.protocols.sip parsing, reading and writing the same two messages",
        ratio=(invite + ok) / other,
        target={"invite_us": TARGET, "ok_us": TARGET},
        met=max(invite, ok) <= TARGET,
    )


if __name__ == "__main__":
    main()
