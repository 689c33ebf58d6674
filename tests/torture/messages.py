"""The torture messages of RFC 4475 and RFC 5118, and what the RFCs say of each.

The files are those of the archives in the RFCs' appendices, octet by octet (the archives' own
checksums agree).  RFC 5118's have plain LF at the ends of lines, no empty line after two of the
headers, and lengths that count neither; `wire` makes of them what goes over a wire.
"""

from __future__ import annotations

import re
from pathlib import Path

import attrs

_FOLDER = Path(__file__).parent

DROPPED = 0
"""In place of a status: nothing can be answered."""


@attrs.frozen
class Case:
    """One message. ``status`` is what `sipxd.sip.validate` owes it: None where it is in order."""

    rfc: str
    section: str
    name: str
    status: int | None
    answers: tuple[int, ...]
    """What a server that knows nobody of ``example.com`` may answer; nothing: silence."""
    stream: tuple[int, ...] | None = None
    """The same over a stream, where that is something else."""

    @property
    def octets(self) -> bytes:
        """The message as the archive has it."""
        return (_FOLDER / self.rfc / f"{self.name}.dat").read_bytes()

    @property
    def wire(self) -> bytes:
        """The message as it goes over a wire."""
        octets = self.octets
        if self.rfc == "rfc4475":
            return octets
        head, _, body = octets.replace(b"\n", b"\r\n").partition(b"\r\n\r\n")
        head = re.sub(rb"(?<=Content-Length: )\d+", str(len(body)).encode(), head.rstrip())
        return head + b"\r\n\r\n" + body

    def __str__(self) -> str:
        return f"{self.rfc}-{self.name}"


def _case(
    section: str,
    name: str,
    status: int | None,
    *answers: int,
    stream: tuple[int, ...] | None = None,
    rfc: str = "rfc4475",
) -> Case:
    return Case(rfc, section, name, status, answers, stream)


def _ipv6(section: str, name: str, status: int | None, *answers: int) -> Case:
    return _case(section, name, status, *answers, rfc="rfc5118")


ASKED = (401, 403, 404)
"""A stranger's call or registration, in order as a message."""
UNKNOWN = (405, 501)
"""A method that the server does not have."""

CASES = (
    # Valid messages.
    _case("3.1.1.1", "wsinv", None, 481),  # it has a To tag
    _case("3.1.1.2", "intmeth", None, *UNKNOWN),
    _case("3.1.1.3", "esc01", None, *ASKED),
    _case("3.1.1.4", "escnull", None, *ASKED),
    _case("3.1.1.5", "esc02", None, *UNKNOWN),
    _case("3.1.1.6", "lwsdisp", None, 200),
    _case("3.1.1.7", "longreq", None, *ASKED),
    # As a datagram the rest is no message (RFC 3261 18.3); in a stream it is the next one.
    _case("3.1.1.8", "dblreq", None, *ASKED),
    _case("3.1.1.9", "semiuri", None, 200),
    _case("3.1.1.10", "transports", None, 200),
    _case("3.1.1.11", "mpart01", None, *ASKED, *UNKNOWN),
    _case("3.1.1.12", "unreason", None),
    _case("3.1.1.13", "noreason", None),
    # Invalid messages. A stream that cannot be divided is left after an answer, or waited for.
    _case("3.1.2.1", "badinv01", 400, 400),
    _case("3.1.2.2", "clerr", 400, 400, stream=()),
    _case("3.1.2.3", "ncl", 400, 400),
    _case("3.1.2.4", "scalar02", 400, 400),
    _case("3.1.2.5", "scalarlg", DROPPED),
    _case("3.1.2.6", "quotbal", 400, 400),
    _case("3.1.2.7", "ltgtruri", 400, 400),
    _case("3.1.2.8", "lwsruri", 400, 400),
    _case("3.1.2.9", "lwsstart", 400, 400),
    _case("3.1.2.10", "trws", 400, 400),
    _case("3.1.2.11", "escruri", 400, 400),
    # "An element shouldn't do that unless the Date were actually important to its processing".
    _case("3.1.2.12", "baddate", None, *ASKED),
    _case("3.1.2.13", "regbadct", 400, 400),
    _case("3.1.2.14", "badaspec", 400, 400),
    _case("3.1.2.15", "baddn", 400, 400, stream=()),  # there is no empty line at its end
    _case("3.1.2.16", "badvers", 505, 505),
    _case("3.1.2.17", "mismatch01", 400, 400),
    _case("3.1.2.18", "mismatch02", 400, 400),
    _case("3.1.2.19", "bigcode", DROPPED),
    _case("3.2.1", "badbranch", 400, 400),
    # What goes beyond syntax.
    _case("3.3.1", "insuf", 400, 400),
    _case("3.3.2", "unkscm", 416, 416),
    _case("3.3.3", "novelsc", 416, 416),
    _case("3.3.4", "unksm2", 400, 400),
    _case("3.3.5", "bext01", 420, 420),
    _case("3.3.6", "invut", 415, 415),
    _case("3.3.7", "regaut01", None, *ASKED),
    _case("3.3.8", "multi01", 400, 400),
    _case("3.3.9", "mcl01", 400, 400),
    _case("3.3.10", "bcast", None),
    _case("3.3.11", "zeromf", None, 200, 483),
    _case("3.3.12", "cparam01", None, *ASKED),
    _case("3.3.13", "cparam02", None, *ASKED),
    _case("3.3.14", "regescrt", None, *ASKED),
    _case("3.3.15", "sdp01", 406, 406),
    # RFC 2543 had no Content-Length in streams either, which RFC 3261 20.14 demands there.
    _case("3.4.1", "inv2543", None, *ASKED, stream=(400,)),
    # IPv6.
    _ipv6("4.1", "ipv6-good", None, *ASKED),
    _ipv6("4.2", "ipv6-bad", 400, 400),
    _ipv6("4.3", "port-ambiguous", None, *ASKED),
    _ipv6("4.4", "port-unambiguous", None, *ASKED),
    _ipv6("4.5", "via-received-param-with-delim", None, 481),
    _ipv6("4.5", "via-received-param-no-delim", None, 200),
    _ipv6("4.6", "ipv6-in-sdp", None, *ASKED),
    _ipv6("4.7", "mult-ip-in-header", None, 481),
    _ipv6("4.8", "mult-ip-in-sdp", None, *ASKED),
    _ipv6("4.9", "ipv4-mapped-ipv6", None, *ASKED),
    _ipv6("4.10", "ipv6-bug-abnf-3-colons", None, 200),
    _ipv6("4.10", "ipv6-correct-abnf-2-colons", None, 200),
)
