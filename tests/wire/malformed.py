"""A hundred and fifty malformed messages, each with an address that nothing may be sent to.

They are what has felled SIP servers before: numbers beyond their type, nesting, repetition, headers
that contradict each other, addresses where no address belongs (PROTOS c07, and the reports since).
"""

from __future__ import annotations

from collections.abc import Iterator

_METHODS = (
    *("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO"),
    *("SUBSCRIBE", "NOTIFY", "REFER", "MESSAGE", "PUBLISH"),
)

_SDP = (
    "v=0\r\no=- 1 1 IN IP4 {decoy_host}\r\ns=-\r\nc=IN IP4 {decoy_host}\r\nt=0 0\r\n"
    "m=audio {decoy_port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


class _Writer:
    """Writes messages whose every address but the sender's is the decoy's."""

    def __init__(self, source: str, decoy: str, domain: str) -> None:
        self.source = source
        self.decoy = decoy
        self.domain = domain
        host, _, port = decoy.partition(":")
        self.sdp = _SDP.format(decoy_host=host, decoy_port=port)
        self._number = 0

    def write(
        self,
        method: str = "INVITE",
        *,
        uri: str = "",
        first: str = "",
        drop: str = "",
        more: str = "",
        body: str | None = None,
        **changed: str,
    ) -> bytes:
        """A request; ``changed`` are header values, with ``_`` for ``-``; ``drop`` names one that
        is left out, ``more`` are further header lines."""
        self._number += 1
        n = self._number
        if body is None:
            body = self.sdp if method == "INVITE" else ""
        headers = {
            "Via": f"SIP/2.0/UDP {self.source};rport;branch=z9hG4bKmal{n}",
            "From": f"<sip:x@{self.decoy}>;tag=mal{n}",
            "To": f"<sip:201@{self.domain}>",
            "Call-ID": f"mal{n}",
            "CSeq": f"1 {method}",
            "Max-Forwards": "70",
            "Contact": f"<sip:x@{self.decoy}>",
            "Content-Type": "application/sdp",
            "Content-Length": str(len(body)),
        }
        headers.update({name.replace("_", "-"): value for name, value in changed.items()})
        headers.pop(drop, None)
        line = first or f"{method} {uri or f'sip:201@{self.domain}'} SIP/2.0"
        lines = [line, *(f"{name}: {value}" for name, value in headers.items())]
        if more:
            lines.append(more)
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("utf-8", "surrogateescape")


def malformed(source: str, decoy: str, domain: str) -> dict[str, bytes]:
    """The messages by what is wrong with them. ``source`` and ``decoy`` are ``host:port``."""
    made: dict[str, bytes] = {}
    writer = _Writer(source, decoy, domain)
    for part in (_addresses, _numbers, _repetition, _nesting, _grammar, _bodies, _framing):
        for name, data in part(writer):
            assert name not in made, name
            made[name] = data[:65_000]
    return made


Part = Iterator[tuple[str, bytes]]


def _addresses(w: _Writer) -> Part:
    """Every header that could send something somewhere, in requests that nobody asked for."""
    d = w.decoy
    for method in _METHODS:
        yield f"{method} with a route to the decoy", w.write(method, Route=f"<sip:{d};lr>")
    for method in ("BYE", "INFO", "UPDATE", "NOTIFY", "REFER", "ACK", "INVITE"):
        yield (
            f"{method} in a dialog that nobody knows",
            w.write(method, uri=f"sip:x@{d}", To=f"<sip:x@{d}>;tag=none"),
        )
    yield "via of the decoy", w.write("OPTIONS", Via=f"SIP/2.0/UDP {d};branch=z9hG4bKd1")
    yield (
        "via with maddr",
        w.write("OPTIONS", Via=f"SIP/2.0/UDP {w.source};maddr={d};branch=z9hG4b"),
    )
    yield (
        "via that claims received and rport",
        w.write(
            "OPTIONS",
            Via=f"SIP/2.0/UDP {w.source};received={d.partition(':')[0]};rport={d.partition(':')[2]}"
            ";branch=z9hG4bKd2",
        ),
    )
    yield "two vias", w.write("OPTIONS", more=f"Via: SIP/2.0/UDP {d};branch=z9hG4bKd3")
    yield "request uri of the decoy", w.write("INVITE", uri=f"sip:201@{d}")
    yield (
        "request uri with maddr",
        w.write("INVITE", uri=f"sip:201@{w.domain};maddr={d.partition(':')[0]}"),
    )
    yield "strict route", w.write("INVITE", uri=f"sip:{d}", Route=f"<sip:201@{w.domain}>")
    yield "refer-to", w.write("REFER", Refer_To=f"<sip:x@{d}?Replaces=a%3Bto-tag%3Db>")
    yield "subscribe for the decoy", w.write("SUBSCRIBE", Event="dialog", Expires="999999")
    yield (
        "alert-info, call-info and error-info",
        w.write(
            "INVITE", more=f"Alert-Info: <http://{d}/>\r\nCall-Info: <http://{d}/>;purpose=icon"
        ),
    )
    yield "register with the decoy as path", w.write("REGISTER", Path=f"<sip:{d};lr>")
    yield (
        "a response of nobody",
        (
            f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {w.source};branch=z9hG4bKnobody\r\n"
            f"Via: SIP/2.0/UDP {d};branch=z9hG4bKnobody2\r\nRecord-Route: <sip:{d};lr>\r\n"
            f"From: <sip:a@{d}>;tag=a\r\nTo: <sip:b@{d}>;tag=b\r\nCall-ID: nobody\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:b@{d}>\r\nContent-Length: 0\r\n\r\n"
        ).encode(),
    )
    yield (
        "a redirection of nobody",
        (
            f"SIP/2.0 302 Moved\r\nVia: SIP/2.0/UDP {w.source};branch=z9hG4bKnobody3\r\n"
            f"From: <sip:a@{d}>;tag=a\r\nTo: <sip:b@{d}>;tag=b\r\nCall-ID: nobody3\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:b@{d}>\r\nContent-Length: 0\r\n\r\n"
        ).encode(),
    )


def _numbers(w: _Writer) -> Part:
    """Numbers below, above and beside what they may be."""
    for number in (
        *("-1", "4294967296", "2147483648", "18446744073709551616", "9" * 400, "1e3", "0x10"),
        *("1_0", "+1", "١", "1.0", ""),
    ):
        label = number[:24] or "nothing"
        yield f"cseq {label}", w.write("OPTIONS", CSeq=f"{number} OPTIONS")
        yield f"content-length {label}", w.write("INVITE", Content_Length=number)
        yield f"max-forwards {label}", w.write("OPTIONS", Max_Forwards=number)
    for number in ("-1", "4294967296", "9" * 400, "1e3", ""):
        label = number[:24] or "nothing"
        yield f"expires {label}", w.write("REGISTER", Expires=number)
        yield f"session-expires {label}", w.write("INVITE", Session_Expires=number)
        yield f"port {label}", w.write("OPTIONS", uri=f"sip:{w.domain}:{number}")
    yield "q of a contact", w.write("REGISTER", Contact=f"<sip:x@{w.decoy}>;q=9999999;expires=-7")
    yield "status of a million", b"SIP/2.0 1000000 OK\r\n\r\n"
    yield (
        "rseq and rack beyond 32 bits",
        w.write("PRACK", RAck=f"{2**64} {2**64} INVITE", RSeq=str(2**64)),
    )
    yield "cseq of two methods", w.write("OPTIONS", CSeq="1 INVITE OPTIONS")


def _repetition(w: _Writer) -> Part:
    """The same again, and again."""
    yield (
        "vias in one line",
        w.write("OPTIONS", Via=",".join([f"SIP/2.0/UDP {w.source};branch=z9hG4bKr"] * 500)),
    )
    yield (
        "vias in lines",
        w.write(
            "OPTIONS", more="\r\n".join([f"Via: SIP/2.0/UDP {w.decoy};branch=z9hG4bKr2"] * 240)
        ),
    )
    yield "header lines beyond the limit", w.write("OPTIONS", more="\r\n".join(["X: y"] * 2000))
    yield "routes", w.write("INVITE", Route=",".join([f"<sip:{w.decoy};lr>"] * 700))
    yield "record-routes", w.write("INVITE", Record_Route=",".join([f"<sip:{w.decoy};lr>"] * 700))
    yield "contacts", w.write("REGISTER", Contact=",".join([f"<sip:x@{w.decoy}>"] * 700))
    yield "parameters", w.write("OPTIONS", uri=f"sip:{w.domain}" + ";a=b" * 450)
    yield (
        "via parameters",
        w.write("OPTIONS", Via=f"SIP/2.0/UDP {w.source}" + ";a=b" * 1900 + ";branch=z9hG4bKr3"),
    )
    yield "tags", w.write("OPTIONS", From=f"<sip:x@{w.decoy}>" + ";tag=a" * 1200)
    yield "option tags", w.write("INVITE", Require=",".join(f"x{n}" for n in range(1500)))
    yield (
        "history",
        w.write(
            "INVITE", History_Info=",".join(f"<sip:{n}@{w.decoy}>;index=1.{n}" for n in range(250))
        ),
    )
    yield "one header twice", w.write("OPTIONS", more="Call-ID: other")
    yield "lengths that differ", w.write("INVITE", more="l: 0")
    yield "folded a thousand times", w.write("OPTIONS", Subject="\r\n x" * 1000)
    yield "an endless method", w.write("O" * 9000)
    yield "an endless user", w.write("INVITE", uri=f"sip:{'u' * 60_000}@{w.domain}")
    yield "an endless host", w.write("INVITE", uri=f"sip:201@{'h.' * 3000}")
    yield "an endless call-id", w.write("OPTIONS", Call_ID="c" * 8000)
    yield (
        "an endless branch",
        w.write("OPTIONS", Via=f"SIP/2.0/UDP {w.source};rport;branch=z9hG4bK{'b' * 8000}"),
    )
    yield "an endless tag", w.write("OPTIONS", From=f"<sip:x@{w.decoy}>;tag={'t' * 8000}")
    yield "blanks", w.write("OPTIONS", Call_ID=" " * 8000 + "c")
    yield "escapes", w.write("INVITE", uri=f"sip:{'%41' * 600}@{w.domain}")


def _nesting(w: _Writer) -> Part:
    """What opens and does not close, and what opens again before it has closed."""
    for piece in ('"', '\\"', "<", ">", "<<>>", "(", "[", "%", ",", ";", '"<', ">;", "\\", "a "):
        yield f"from of {piece}", w.write("OPTIONS", From=piece * 2000 + f"<sip:x@{w.decoy}>;tag=a")
        yield (
            f"credentials of {piece}",
            w.write("REGISTER", Authorization="Digest " + piece * 2000 + 'realm="x"'),
        )
    yield "a uri in a uri", w.write("INVITE", uri="sip:a@" * 300 + w.domain)
    yield (
        "headers in a uri in a header",
        w.write(
            "REFER",
            Refer_To=f"<sip:x@{w.decoy}?Refer-To=%3Csip%3Ax%40{w.decoy}%3FRefer-To%3D%253C%3E>",
        ),
    )
    yield (
        "multipart in multipart",
        w.write(
            "INVITE",
            Content_Type="multipart/mixed;boundary=a",
            body="--a\r\nContent-Type: multipart/mixed;boundary=a\r\n\r\n" * 400,
        ),
    )


def _grammar(w: _Writer) -> Part:
    """Lines that are nearly right."""
    for header in ("Via", "From", "To", "Call-ID", "CSeq", "Contact"):
        yield f"without {header}", w.write("INVITE", drop=header)
        yield f"empty {header}", w.write("INVITE", **{header.replace("-", "_"): ""})
        yield (
            f"{header} of octets",
            w.write("INVITE", **{header.replace("-", "_"): "\udcff\udcfe\udc80\x01"}),
        )
    for version in ("SIP/1.0", "SIP/2.1", "SIP/99999999999.0", "HTTP/1.1", "sip/2.0 ", "SIP/2.0\t"):
        yield f"version {version!r}", w.write(first=f"INVITE sip:201@{w.domain} {version}")
    for host in ("[::1", "[:::::]", "[12345::]", "-", "..", "a..b", "%31", "127.1", "0x7f000001"):
        yield f"host {host}", w.write("INVITE", uri=f"sip:201@{host}")
    yield "scheme", w.write("INVITE", uri=f"file://{w.decoy}/etc/passwd")
    yield "a nul", w.write("OPTIONS", Subject="a\0b")
    yield "a bare cr", w.write("OPTIONS", Subject="a\rContact: x")
    yield "a header name of blanks", w.write("OPTIONS", more="X Y : z")
    yield "a line without colon", w.write("OPTIONS", more="nothing here")
    yield "injected by an escape", w.write("INVITE", uri=f"sip:201%0d%0aContact:%20x@{w.domain}")


def _bodies(w: _Writer) -> Part:
    """Session descriptions that are none."""
    for name, body in {
        "of ten thousand lines": "v=0\r\n" + "a=x\r\n" * 10_000,
        "of a thousand streams": w.sdp + "m=audio 1 RTP/AVP 0\r\n" * 1000,
        "of one endless line": "v=0\r\ns=" + "x" * 50_000,
        "of nothing but types": "=\r\n" * 500,
        "with a port beyond all": w.sdp.replace("m=audio ", "m=audio 99999999999"),
        "with octets": w.sdp + "a=\udcff\udcfe\r\n",
        "with a payload type of letters": w.sdp + "m=video 4 RTP/AVP " + "x " * 5000 + "\r\n",
    }.items():
        yield f"sdp {name}", w.write("INVITE", body=body)
    yield "a body of another type", w.write("INVITE", Content_Type="text/html", body="<a>" * 9000)
    yield "a body that is packed", w.write("INVITE", Content_Encoding="gzip", body="\x1f\x8b" * 99)


def _framing(w: _Writer) -> Part:
    """What is hardly a message."""
    whole = w.write("OPTIONS")
    yield "half a message", whole[: len(whole) // 2]
    yield "a message behind rubbish", b"\xff\xd8\xff\xe0" + whole
    yield "line ends of lf", whole.replace(b"\r\n", b"\n")
    yield "line ends of cr", whole.replace(b"\r\n", b"\r")
    yield "line ends doubled", whole.replace(b"\r\n", b"\r\r\n")
    yield "nothing but line ends", b"\r\n" * 20_000
    yield "a request to another kind of server", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "a stun binding request", b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)
    yield "a tls greeting", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200)
    yield "nul octets", bytes(3000)
