"""The vocabulary between a leg and whoever runs it: effects to carry out, events to hear.

A leg (`sipxd.sip.uac`, `sipxd.sip.uas`) is sans-IO: each of its methods returns a list of these, to
be worked off in order.  Effects go to the network and the timers, events to the call.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from sipxd.sip.message import Header, Request, Response
from sipxd.sip.referral import Replaces
from sipxd.sip.transaction import StartTimer, StopTimer

__all__ = [
    "Answered",
    "Effect",
    "Ended",
    "Event",
    "Gone",
    "Local",
    "OfferFailed",
    "Offered",
    "Output",
    "Progress",
    "ReferOutcome",
    "Referred",
    "Refused",
    "Relay",
    "Relayed",
    "SendAck",
    "SendCancel",
    "SendRequest",
    "SendResponse",
    "StartTimer",
    "StopTimer",
    "Up",
    "Updated",
    "effects_first",
]


@attrs.frozen
class SendRequest:
    """Start a client transaction; its responses come back under ``key``."""

    key: str
    request: Request


@attrs.frozen
class SendCancel:
    """CANCEL the INVITE transaction ``key``."""

    key: str
    headers: tuple[Header, ...] = ()


@attrs.frozen
class SendAck:
    """Send the ACK of a 2xx, which is outside any transaction."""

    request: Request


@attrs.frozen
class SendResponse:
    """Answer the server transaction ``key``."""

    key: str
    response: Response


@attrs.frozen
class Progress:
    """A provisional response above 100; ``sdp`` is an early answer.

    ``fork`` tells the early dialogs of one leg apart.
    """

    status: int
    sdp: bytes | None = None
    fork: str = ""


@attrs.frozen
class Up:
    """The INVITE was answered with a 2xx (UAC), or our 2xx was acknowledged (UAS).

    ``allows`` are the methods that the peer says it takes, empty where it does not say.
    """

    user_agent: str = ""
    allows: frozenset[str] = frozenset()


@attrs.frozen
class Offered:
    """The peer made an offer: `answer` or `reject` is owed. ``update``: it came by UPDATE."""

    sdp: bytes
    update: bool = False


@attrs.frozen
class Answered:
    """The peer answered our offer. ``offered`` is what `offer` was given, None for an INVITE's."""

    sdp: bytes
    offered: bytes | None = None


@attrs.frozen
class OfferFailed:
    """Our offer, or our wish for one, was refused with ``status``; the dialog goes on.

    ``offered`` is what `offer` was given, None for a wish.
    """

    status: int
    offered: bytes | None = None


@attrs.frozen
class Updated:
    """The peer's description changed by an exchange that we answered ourselves."""

    sdp: bytes


@attrs.frozen
class Refused:
    """An INVITE that never became a dialog: the final status, or 408 and 503 of our own.

    ``contacts`` are those of a redirection, each with its q value.
    """

    status: int
    reason: str
    user_agent: str = ""
    contacts: tuple[tuple[float, str], ...] = ()


@attrs.frozen
class Ended:
    """An established or incoming leg has ended. ``by_peer``: the peer said so."""

    by_peer: bool
    status: int
    sentence: str


@attrs.frozen
class Relay:
    """An INFO or MESSAGE for the far side: `respond` with ``key`` is owed."""

    key: str
    request: Request


@attrs.frozen
class Relayed:
    """The peer's final response to a request that `relay` sent under ``key``."""

    key: str
    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""


@attrs.frozen
class Referred:
    """The peer asks that somebody else take its place: `accept_referral` or a refusal is owed.

    ``refer_to`` is whom to call, ``replaces`` the dialog that the new call shall replace.
    """

    key: str
    refer_to: str
    replaces: Replaces | None = None
    referred_by: str = ""


@attrs.frozen
class ReferOutcome:
    """What became of a REFER of ours: it was accepted (202, not final), refused, or told about.

    ``final``: nothing more comes.
    """

    status: int
    reason: str
    final: bool


@attrs.frozen
class Gone:
    """Nothing is left of the leg: no dialog, no transaction that matters, no timer."""


Effect = SendRequest | SendCancel | SendAck | SendResponse | StartTimer | StopTimer
Event = (
    Progress
    | Up
    | Offered
    | Answered
    | OfferFailed
    | Updated
    | Refused
    | Ended
    | Relay
    | Relayed
    | Referred
    | ReferOutcome
    | Gone
)
Output = Effect | Event


_EFFECTS = (SendRequest, SendCancel, SendAck, SendResponse, StartTimer, StopTimer)


def effects_first(outputs: list[Output]) -> list[Output]:
    """The effects, then the events, each in their order.

    Whoever hears an event may call the leg at once; what that brings must not overtake effects that
    were decided before.
    """
    return sorted(outputs, key=lambda output: not isinstance(output, _EFFECTS))


@attrs.frozen
class Local:
    """What a leg knows of its own side.

    ``contact`` is the Contact value, ``address`` our IP address for held session descriptions,
    ``random`` gives n random bytes, ``session_expires`` the wanted session interval in seconds.
    """

    contact: str
    address: str
    random: Callable[[int], bytes]
    session_expires: int = 1800
    user_agent: str = "sipxd"

    def token(self, octets: int = 8) -> str:
        """A random token for tags and the like."""
        return self.random(octets).hex()

    def seconds(self, low: float, high: float) -> float:
        """A random duration in steps of 10 ms, as RFC 3261 section 14.1 wants it."""
        steps = int((high - low) * 100)
        return low + (int.from_bytes(self.random(2)) % (steps + 1)) / 100
