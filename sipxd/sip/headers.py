"""Header fields: names, lists, parameters and the structured values that sipxd reads.

RFC 3261 sections 7.3 and 20.  Values stay text as they came; the functions here read them with
plain string operations, which cost a fraction of a regular expression and cannot backtrack.
"""

from __future__ import annotations

import functools

import attrs


class HeaderError(ValueError):
    """A header value that does not follow its grammar."""


COMPACT_FORMS = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
}
"""One-letter forms, RFC 3261 section 7.3.3 and the IANA registry."""

_KNOWN = """
    Accept Accept-Contact Accept-Encoding Accept-Language Alert-Info Allow Allow-Events
    Authentication-Info Authorization Call-ID Call-Info Contact Content-Disposition Content-
    Encoding Content-Language Content-Length Content-Type CSeq Date Diversion Error-Info Event
    Expires From History-Info In-Reply-To Max-Forwards MIME-Version Min-Expires Min-SE
    Organization P-Asserted-Identity P-Preferred-Identity Path Priority Privacy Proxy-
    Authenticate Proxy-Authorization Proxy-Require RAck Reason Record-Route Refer-To Referred-
    By Reject-Contact Replaces Reply-To Request-Disposition Require Retry-After Route RSeq
    Server Service-Route Session-Expires Subject Subscription-State Supported Timestamp To
    Unsupported User-Agent Via Warning WWW-Authenticate X-sipxd-Path
""".split()  # noqa: SIM905 (a list literal of 70 lines reads worse)

KNOWN_NAMES = frozenset(_KNOWN)
"""The header names whose spelling `canonical_name` makes uniform."""

_CANONICAL: dict[str, str] = {}
for _name in _KNOWN:
    _CANONICAL[_name] = _CANONICAL[_name.lower()] = _name
for _letter, _name in COMPACT_FORMS.items():
    _CANONICAL[_letter] = _CANONICAL[_letter.upper()] = _name

TOKEN_CHARACTERS = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~"
)


def is_token(text: str) -> bool:
    """Whether ``text`` is a token of RFC 3261 section 25.1."""
    return bool(text) and TOKEN_CHARACTERS.issuperset(text)


def canonical_name(name: str) -> str:
    """The usual spelling of a header name, its compact form resolved.

    An unknown name is returned as written.  Raises HeaderError where it is no token.
    """
    known = _CANONICAL.get(name)
    if known is not None:
        return known
    known = _CANONICAL.get(name.lower())
    if known is not None:
        return known
    if not is_token(name):
        raise HeaderError("a header name is not a token")
    return name


_LONGEST_CACHED = 256
"""Characters up to which the unchanging part of a value is looked up in a cache."""


def _split_quoted(text: str, separator: str) -> list[str]:
    """Split at ``separator`` outside quoted strings and angle brackets."""
    parts: list[str] = []
    start = 0
    quoted = escaped = False
    depth = 0
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            if character == "\\":
                escaped = True
            elif character == '"':
                quoted = False
        elif character == '"' and not depth:
            quoted = True
        elif character == "<":
            depth = 1
        elif character == ">":
            depth = 0
        elif character == separator and not depth:
            parts.append(text[start:index])
            start = index + 1
    if quoted:
        raise HeaderError("a quoted string is not closed")
    parts.append(text[start:])
    return parts


def split_list(value: str) -> list[str]:
    """The members of a comma-separated header value, stripped; empty members are left out."""
    if "," not in value:
        stripped = value.strip()
        return [stripped] if stripped else []
    return [part for part in map(str.strip, _split_quoted(value, ",")) if part]


def unquote(text: str) -> str:
    """The content of a quoted string, without NULs; other text is returned as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1].replace("\\\0", "")  # legal as a quoted pair, and fatal to databases
    if "\\" not in inner:
        return inner
    out: list[str] = []
    escaped = False
    for character in inner:
        if escaped or character != "\\":
            out.append(character)
            escaped = False
        else:
            escaped = True
    return "".join(out)


def quote(text: str) -> str:
    """``text`` as a quoted string; control characters are left out."""
    safe = "".join(c for c in text if c >= " " and c != "\x7f")
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'


Parameters = tuple[tuple[str, str | None], ...]
"""Parameters in order: lower-case name, and the value as written (``None``: no ``=``)."""


_COMMON_PARAMETERS = frozenset(("branch", "expires", "lr", "q", "received", "rport", "tag"))
"""Names that need no look at their characters."""


def parse_parameters(text: str) -> Parameters:
    """Parameters from ``;a=b;c``. Raises HeaderError where a name is missing or no token."""
    if not text or text.isspace():
        return ()
    parts = _split_quoted(text, ";") if '"' in text else text.split(";")
    if parts[0].strip():
        raise HeaderError("there is text before the first parameter")
    parameters: list[tuple[str, str | None]] = []
    for part in parts[1:]:
        name, equals, value = part.partition("=")
        if name in _COMMON_PARAMETERS:
            parameters.append((name, value.strip() if equals else None))
            continue
        name = name.strip()
        if not name:
            if not part.strip():
                continue  # ";;" is a common slip of phones and says nothing
            raise HeaderError("a parameter has no name")
        if not is_token(name):
            raise HeaderError("a parameter name is not a token")
        parameters.append((name.lower(), value.strip() if equals else None))
    return tuple(parameters)


def parameter(parameters: Parameters, name: str) -> str | None:
    """The value of the first parameter called ``name``, ``""`` for one without value."""
    for key, value in parameters:
        if key == name:
            return "" if value is None else value
    return None


def quality(parameters: Parameters) -> float:
    """q from 0 to 1 with up to three decimals; 1 where it is missing or malformed."""
    text = parameter(parameters, "q") or ""
    whole, _, fraction = text.partition(".")
    if whole not in ("0", "1") or len(fraction) > 3 or not (text + "0").isascii():
        return 1.0
    return min(1.0, float(text)) if (fraction + "0").isdigit() else 1.0


def format_parameters(parameters: Parameters) -> str:
    """The opposite of parse_parameters."""
    return "".join(
        f";{name}" if value is None else f";{name}={value}" for name, value in parameters
    )


@attrs.frozen
class NameAddr:
    """A name-addr or addr-spec with header parameters (From, To, Contact, Route ...).

    ``uri`` is the text of the URI; ``display`` the display name without quotes.
    """

    uri: str
    display: str = ""
    parameters: Parameters = ()

    @property
    def tag(self) -> str | None:
        """The tag parameter of From and To."""
        return parameter(self.parameters, "tag") or None

    def __str__(self) -> str:
        display = f"{quote(self.display)} " if self.display else ""
        return f"{display}<{self.uri}>{format_parameters(self.parameters)}"


def parse_name_addr(value: str) -> NameAddr:
    """One address of a From, To, Contact, Route or Record-Route value.

    Without angle brackets everything behind the first ``;`` belongs to the header, and a URI with a
    comma or question mark is refused (RFC 3261 section 20).
    """
    value = value.strip()
    address, bracket, tail = value.rpartition(">")
    if bracket and '"' not in tail and len(address) <= _LONGEST_CACHED:
        # Names and addresses repeat, tags do not.
        display, uri, rest = _split_address(address + ">")
        return NameAddr(uri, display, parse_parameters(rest + tail))
    display, uri, rest = _split_address.__wrapped__(value)
    return NameAddr(uri, display, parse_parameters(rest.strip()))


@functools.lru_cache(maxsize=2048)
def _split_address(value: str) -> tuple[str, str, str]:
    """Display name, URI, and the text of the parameters behind them."""
    display = ""
    rest = value
    quoted = value.startswith('"')
    if quoted:
        end = 1
        while True:
            end = value.find('"', end)
            if end < 0:
                raise HeaderError("the display name is not closed")
            backslashes = 0
            while value[end - 1 - backslashes] == "\\":
                backslashes += 1
            if backslashes % 2 == 0:
                break
            end += 1
        display = unquote(value[: end + 1])
        rest = value[end + 1 :].lstrip()
        if not rest.startswith("<"):
            raise HeaderError("a display name needs an address in angle brackets")
    before, bracket, tail = rest.partition("<")
    if bracket:
        if not quoted:
            display = before.strip()
            if display and not all(is_token(word) for word in display.split()):
                # A non-ASCII display name without quotes is sent by real phones; it harms nobody.
                if display.isascii() and not display.replace(" ", "").isprintable():
                    raise HeaderError("the display name holds control characters")
                if any(c in display for c in '",;@'):
                    raise HeaderError("the display name must be quoted")
        uri, bracket, parameters = tail.partition(">")
        if not bracket:
            raise HeaderError("an angle bracket is not closed")
        if uri != uri.strip():
            raise HeaderError("blanks stand inside the angle brackets")
        return display, uri, parameters
    uri, semicolon, parameters = rest.partition(";")
    uri = uri.strip()
    if not uri or any(c in uri for c in ",? \t"):
        raise HeaderError("the address needs angle brackets")
    return "", uri, semicolon + parameters


def tag_of(value: str) -> str | None:
    """The tag of a From or To value by the cheapest way; None where none is, or a broken one."""
    if '"' in value:
        try:
            return parse_name_addr(value).tag
        except HeaderError:
            return None
    tail = value.partition(">")[2] if "<" in value else value.partition(";")[2]
    for part in tail.split(";"):
        name, _, tag = part.partition("=")
        if name.strip().lower() == "tag":
            return tag.strip() or None
    return None


@attrs.frozen
class Via:
    """The parts of one Via value that a transaction layer needs (RFC 3261 section 20.42)."""

    transport: str
    host: str
    port: int | None
    parameters: Parameters
    version: str = "2.0"

    @property
    def branch(self) -> str:
        """The branch parameter, empty where it is missing."""
        return parameter(self.parameters, "branch") or ""

    @property
    def sent_by(self) -> str:
        """``host`` or ``host:port`` in lower case, as it identifies a transaction."""
        return self.host if self.port is None else f"{self.host}:{self.port}"


def split_host_port(text: str) -> tuple[str, int | None]:
    """Host (IPv6 in brackets) and port of ``text``. Raises HeaderError."""
    text = text.strip()
    if not text.isascii():
        raise HeaderError("a host is not ASCII")
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        if not bracket:
            raise HeaderError("an IPv6 address is not closed")
        if "." in host:
            # RFC 3261's grammar puts a colon too many before an IPv4 part (RFC 5118 section 4.10).
            host = host.replace(":::", "::")
        host += "]"
        rest = rest.strip()
        if not rest:
            return host.lower(), None
        if not rest.startswith(":"):
            raise HeaderError("there is text behind an IPv6 address")
        port = rest[1:]
    else:
        host, colon, port = text.partition(":")
        if not colon:
            return host.strip().lower(), None
    port = port.strip()
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise HeaderError("a port is not a number from 0 to 65535")
    return host.strip().lower(), int(port)


def parse_via(value: str) -> Via:
    """One Via value. Raises HeaderError."""
    head, semicolon, tail = value.partition(";")
    transport, host, port, version = (
        _via_head(head) if len(head) <= _LONGEST_CACHED else _via_head.__wrapped__(head)
    )
    return Via(transport, host, port, parse_parameters(semicolon + tail), version)


@functools.lru_cache(maxsize=2048)
def _via_head(head: str) -> tuple[str, str, int | None, str]:
    """Transport, host, port and version of a Via value without its parameters."""
    words = head.split()
    if len(words) == 2 and words[0].count("/") == 2 and not words[0].endswith("/"):
        parts, sent_by = words[0].split("/"), words[1]
    else:
        # White space may surround the slashes and the colon: "SIP / 2.0 / UDP a.example.com: 4000".
        words = head.replace("/", " ").split()
        if len(words) < 4 or head.count("/") < 2:
            raise HeaderError("a Via value lacks protocol, transport or sent-by")
        parts, sent_by = words[:3], "".join(words[3:])
    if parts[0].lower() != "sip" or not is_token(parts[1]):
        raise HeaderError("a Via value is not of SIP")
    transport = parts[2]
    if not is_token(transport):
        raise HeaderError("the transport of a Via value is not a token")
    transport = transport.upper()
    host, port = split_host_port(sent_by)
    if not host:
        raise HeaderError("a Via value has no host")
    return transport, host, port, parts[1]


def parse_number(text: str, maximum: int) -> int:
    """``[0-9]+`` up to ``maximum``, where int() takes much else. Raises HeaderError."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 20:
        raise HeaderError("a number is not made of digits")
    number = int(text)
    if number > maximum:
        raise HeaderError(f"a number is above {maximum}")
    return number


def parse_cseq(value: str) -> tuple[int, str]:
    """Sequence number (below 2**31) and method. Raises HeaderError (RFC 3261 section 20.16)."""
    words = value.split()
    if len(words) != 2 or not is_token(words[1]):
        raise HeaderError("CSeq is not a number and a method")
    return parse_number(words[0], 2**31 - 1), words[1]
