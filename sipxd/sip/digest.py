"""Digest authentication, both sides: RFC 3261 section 22, RFC 7616, RFC 8760.

MD5, SHA-256 and SHA-512-256 with qop "auth" (and without qop, as RFC 3261 still allows).  Nothing
from the wire raises: what cannot be read is no challenge, or malformed credentials.  Quoted values
are taken as they stand between the quotes, escapes included, and given back the same way; only a
user name is unescaped, because it is looked up.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence

import attrs

from sipxd.sip.nonces import Nonces

MAX_VALUE = 8_192
"""Longest header value read, in characters."""


class Algorithm(enum.StrEnum):
    """A hash of RFC 8760, by its name on the wire."""

    MD5 = "MD5"
    SHA_256 = "SHA-256"
    SHA_512_256 = "SHA-512-256"

    def hash(self, text: str) -> str:
        """Hexadecimal hash of the text."""
        return _digest(self, text.encode("utf-8", "surrogateescape"))


ALL = (Algorithm.SHA_512_256, Algorithm.SHA_256, Algorithm.MD5)
"""Every algorithm, strongest first."""
_BY_NAME = {algorithm.value: algorithm for algorithm in Algorithm}
# Stand in for the HA1 of users that do not exist: as long, so as dear to hash.
_DECOYS = {algorithm: "0" * (32 if algorithm is Algorithm.MD5 else 64) for algorithm in Algorithm}


def _digest(algorithm: Algorithm, data: bytes) -> str:
    if algorithm is Algorithm.MD5:
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    if algorithm is Algorithm.SHA_256:
        return hashlib.sha256(data).hexdigest()
    return hashlib.new("sha512_256", data).hexdigest()


def ha1(algorithm: Algorithm, user: str, realm: str, password: str) -> str:
    """H(user:realm:password): as good as the password within the realm."""
    return algorithm.hash(f"{user}:{realm}:{password}")


@attrs.frozen
class Ha1:
    """A ready-made ``ha1`` where a password could stand; its value is kept out of ``repr``."""

    value: str = attrs.field(repr=False)


# -- the list of parameters -----------------------------------------------------------------------

_TOKEN = r"[-!#$%&'*+.^_`|~0-9A-Za-z]"
# One NAME=VALUE and the comma behind it. Only ever matched where the last one ended; possessive, so
# that each character is read once.
_PARAMETER = re.compile(
    rf"[ \t]*+({_TOKEN}++)[ \t]*+=[ \t]*+"
    r'(?:"((?:[^"\\\x00-\x1f\x7f]++|\\[^\x00-\x1f\x7f])*+)"|([^ \t",\\\x00-\x1f\x7f]*+))'
    r"[ \t]*+(?:,[ \t,]*+|\Z)"
)
_HEX8 = re.compile(r"[0-9A-Fa-f]{8}")


def _parameters(value: str) -> dict[str, str] | None:
    """The parameters of a ``Digest`` header value by name in small letters.

    ``None``: another scheme, too long, a parameter twice, a control character, or no list of
    parameters at all.
    """
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest" or len(value) > MAX_VALUE:
        return None
    found: dict[str, str] = {}
    position = 0
    while position < len(rest):
        match = _PARAMETER.match(rest, position)
        if match is None:
            return None
        name, quoted, plain = match.groups()
        name = name.lower()
        if name in found:
            return None
        found[name] = plain if quoted is None else quoted
        position = match.end()
    return found


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    characters = iter(text)
    return "".join(next(characters, "") if char == "\\" else char for char in characters)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _response(
    algorithm: Algorithm, secret: str, nonce: str, method: str, uri: str, counter: str, cnonce: str
) -> str:
    """RFC 7616 section 3.4.1; without ``counter`` the older form without qop."""
    request = algorithm.hash(f"{method}:{uri}")
    if counter:
        return algorithm.hash(f"{secret}:{nonce}:{counter}:{cnonce}:auth:{request}")
    return algorithm.hash(f"{secret}:{nonce}:{request}")


# -- the client -----------------------------------------------------------------------------------


@attrs.frozen
class Challenge:
    """A challenge that can be answered. Strings are as between their quotes."""

    realm: str
    nonce: str
    algorithm: Algorithm
    qop: bool
    """Whether the server takes qop "auth"."""
    opaque: str | None
    stale: bool
    """The secret was right and only the nonce is too old: try again without asking anybody."""


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """The challenges of WWW-Authenticate or Proxy-Authenticate values that can be answered.

    SHA before MD5, otherwise in the server's order (RFC 8760 section 2.4).  Left out: other
    schemes, unknown algorithms, a qop without "auth", and what cannot be read.
    """
    found = []
    for value in values:
        fields = _parameters(value)
        if fields is None or "realm" not in fields or not fields.get("nonce"):
            continue
        algorithm = _BY_NAME.get(fields.get("algorithm", "MD5").upper())
        qop = fields.get("qop")
        offered = [word.strip().lower() for word in qop.split(",")] if qop is not None else []
        if algorithm is None or (offered and "auth" not in offered):
            continue
        found.append(
            Challenge(
                realm=fields["realm"],
                nonce=fields["nonce"],
                algorithm=algorithm,
                qop=bool(offered),
                opaque=fields.get("opaque"),
                stale=fields.get("stale", "").lower() == "true",
            )
        )
    return sorted(found, key=lambda challenge: challenge.algorithm is Algorithm.MD5)


def authorize(
    challenge: Challenge,
    method: str,
    uri: str,
    user: str,
    secret: str | Ha1,
    *,
    nc: int,
    cnonce: str,
) -> str:
    """The value of Authorization or Proxy-Authorization that answers the challenge.

    ``uri`` is the Request-URI; ``secret`` the password, or its ``Ha1`` for the challenge's realm
    and algorithm; ``nc`` counts the requests with this nonce from 1; ``cnonce`` is a fresh random
    token.  Raises ``ValueError`` when user or uri hold characters that no header can.
    """
    if not (user + uri).isprintable() or '"' in uri:
        raise ValueError("user name and URI of credentials must be printable")
    key = (
        secret.value
        if isinstance(secret, Ha1)
        else ha1(challenge.algorithm, user, challenge.realm, secret)
    )
    counter = f"{nc:08x}" if challenge.qop else ""
    response = _response(challenge.algorithm, key, challenge.nonce, method, uri, counter, cnonce)
    value = (
        f'Digest username="{_escaped(user)}", realm="{challenge.realm}", '
        f'nonce="{challenge.nonce}", uri="{uri}", response="{response}", '
        f"algorithm={challenge.algorithm}"
    )
    if challenge.opaque is not None:
        value += f', opaque="{challenge.opaque}"'
    if counter:
        value += f', qop=auth, nc={counter}, cnonce="{cnonce}"'
    return value


def nonce_count(value: str) -> int:
    """How often the nonce of credentials was used with them; 1 where they do not count."""
    counter = (_parameters(value) or {}).get("nc", "")
    return int(counter, 16) if _HEX8.fullmatch(counter) else 1


# -- the server -----------------------------------------------------------------------------------


class Outcome(enum.Enum):
    """What the credentials of a request came to."""

    ABSENT = "absent"
    """No Digest credentials for our realm: challenge."""
    ACCEPTED = "accepted"
    STALE = "stale"
    """The nonce is too old, used, or not one given to this address, and the secret was not looked
    at, or it could be guessed at from anywhere: challenge with ``stale=true``."""
    REFUSED = "refused"
    """Wrong secret or unknown user: counts as a guess."""
    LOCKED = "locked"
    """The secret was not looked at, because too many have been wrong."""
    MALFORMED = "malformed"
    """Unreadable, made for another request, or of an algorithm that is not taken."""


@attrs.frozen
class Verdict:
    """``username`` is what was claimed; it is proven for ACCEPTED only."""

    outcome: Outcome
    username: str = ""


def challenges(
    realm: str,
    nonce: str,
    *,
    stale: bool = False,
    algorithms: Sequence[Algorithm] = (Algorithm.MD5,),
) -> list[str]:
    """Values for WWW-Authenticate or Proxy-Authenticate, one per algorithm in the given order.

    ``stale`` must be set after a STALE verdict, or some phones (libre, baresip) do not try again.
    """
    end = ", stale=true" if stale else ""
    return [
        f'Digest realm="{_escaped(realm)}", nonce="{nonce}", algorithm={algorithm}, qop="auth"{end}'
        for algorithm in algorithms
    ]


def verify(
    values: Sequence[str],
    *,
    method: str,
    request_uri: str,
    realm: str,
    nonces: Nonces,
    now: float,
    source: str,
    find_ha1: Callable[[str, Algorithm], str | None],
    locked: Callable[[str], bool] = lambda username: False,
    algorithms: Sequence[Algorithm] = ALL,
) -> Verdict:
    """Judge the Authorization (or Proxy-Authorization) values of a request. Never raises.

    The first credentials of our ``realm`` count; others belong to somebody else.  ``source`` is the
    address that the request came from.  ``find_ha1`` gives the HA1 of a user for an algorithm,
    ``None`` when there is no such user; the response is then compared with one that cannot match,
    at the same cost.  ``locked`` tells whether secrets for a name are not looked at now.
    """
    escaped_realm = _escaped(realm)
    unreadable = False
    for value in values:
        fields = _parameters(value)
        if fields is None:
            unreadable = unreadable or value.lstrip()[:6].lower() == "digest"
        elif fields.get("realm") == escaped_realm:
            return _judge(
                fields, method, request_uri, nonces, now, source, find_ha1, locked, algorithms
            )
    return Verdict(Outcome.MALFORMED if unreadable else Outcome.ABSENT)


def _judge(
    fields: dict[str, str],
    method: str,
    request_uri: str,
    nonces: Nonces,
    now: float,
    source: str,
    find_ha1: Callable[[str, Algorithm], str | None],
    locked: Callable[[str], bool],
    algorithms: Sequence[Algorithm],
) -> Verdict:
    username = _unescaped(fields.get("username", ""))
    nonce, uri, response = fields.get("nonce"), fields.get("uri"), fields.get("response")
    algorithm = _BY_NAME.get(fields.get("algorithm", "MD5").upper())
    counter, cnonce, qop = fields.get("nc", ""), fields.get("cnonce"), fields.get("qop")
    if not (username and nonce and uri and response):
        return Verdict(Outcome.MALFORMED, username)
    if algorithm is None or algorithm not in algorithms:
        return Verdict(Outcome.MALFORMED, username)
    if qop is None:
        counter, count = "", 1
    elif qop.lower() != "auth" or cnonce is None or not _HEX8.fullmatch(counter):
        return Verdict(Outcome.MALFORMED, username)
    else:
        count = int(counter, 16)
    if not _same_target(uri, request_uri):
        return Verdict(Outcome.MALFORMED, username)
    if not nonces.fresh(nonce, count, now, source):
        return Verdict(Outcome.STALE, username)
    if locked(username):
        return Verdict(Outcome.LOCKED, username)
    secret = find_ha1(username, algorithm)
    expected = _response(
        algorithm, secret or _DECOYS[algorithm], nonce, method, uri, counter, cnonce or ""
    )
    matches = hmac.compare_digest(
        expected.encode(), response.lower().encode("utf-8", "surrogateescape")
    )
    if not matches or secret is None:
        return Verdict(Outcome.REFUSED, username)
    nonces.use(nonce, count, now)
    return Verdict(Outcome.ACCEPTED, username)


def _same_target(claimed: str, requested: str) -> bool:
    """Whether both URIs name the same user at the same host.

    Phones leave parameters and ports out of the one or the other (RFC 3261 section 22.4 asks for
    equivalence only); the nonce count is what stands against replay.
    """
    return claimed == requested or _target(claimed) == _target(requested)


def _target(uri: str) -> tuple[str, str, str]:
    scheme, _, rest = uri.partition(":")
    user, _, host = rest.rpartition("@")
    host = host.partition(";")[0].partition("?")[0].lower()
    name, _, port = host.rpartition(":")
    if name and port.isdigit():
        host = name
    return scheme.lower(), user, host
