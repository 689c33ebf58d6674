"""What a call tells its runner to do, always about legs by their names.

Frozen values, worked off in order by `sipxd.service.runner`.  The events that come back are those
of `sipxd.sip.leg`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from sipxd.call.path import Path
from sipxd.call.phones import Refusal
from sipxd.sip.flow import Flow
from sipxd.sip.leg import Progress, Relayed
from sipxd.sip.message import Header, Request
from sipxd.sip.referral import Replaces
from sipxd.sip.sdp import Direction
from sipxd.sip.transaction import StartTimer, StopTimer

if TYPE_CHECKING:
    from sipxd.call.plan import Onward, Passage

__all__ = [
    "ELSEWHERE",
    "Accept",
    "AcceptReferral",
    "Answer",
    "AnswerHeld",
    "AskOffer",
    "AskReferral",
    "Effect",
    "Forward",
    "Identity",
    "NotifyReferral",
    "Offer",
    "Record",
    "Refer",
    "ReferHome",
    "Refuse",
    "RefuseReferral",
    "Reject",
    "Release",
    "Remember",
    "Respond",
    "Ring",
    "Seek",
    "ShowProgress",
    "StartTimer",
    "StopTimer",
    "Target",
    "TransferTold",
    "Withdraw",
    "reason",
]


@attrs.frozen
class Identity:
    """Who calls whom, as From and To say it (values without tags)."""

    from_: str
    to: str


@attrs.frozen
class Target:
    """Where a branch goes: a Request-URI, and the way there.

    ``flow`` pins the leg to one path, as that of a registered phone; with None the next hop is
    found by DNS (RFC 3263), from the first of ``routes`` or else from ``uri``, for every message.
    """

    uri: str
    flow: Flow | None = None
    routes: tuple[str, ...] = ()
    """Route values: a registered Path, an outbound proxy."""
    user_agent: str = ""
    """What the phone calls itself, as far as it is known."""
    identity: Identity | None = None
    """Instead of that of the search, where a gateway wants another one."""
    headers: tuple[Header, ...] = ()
    """Further headers of the INVITE: identity (RFC 3325, RFC 5806), auto-answer."""
    account: str = ""
    """Whose credentials answer a challenge; empty: nobody's, and the leg ends."""
    patience: float = 0.0
    """Seconds without any response after which the next hop or ``fallback`` is tried; 0: none."""
    fallback: Target | None = None
    """Tried in the place of this one where it cannot be reached or fails with 5xx unrung."""
    user: str = ""
    """Whose phone this is; empty: somebody's outside."""
    label: str = ""
    """Who that is, in words for the journal: a user, or the number dialled."""
    path: Path | None = None
    """The numbers that the call comes through to get here; None: those of the whole call."""


@attrs.frozen
class Ring:
    """Start an outgoing leg.

    ``sdp`` is the offer; with None the INVITE has none, or, where ``held``, an offer without media
    that says so.
    """

    leg: str
    target: Target
    identity: Identity
    sdp: bytes | None = None
    held: Direction | None = None


@attrs.frozen
class Seek:
    """Look up where the branch ``leg`` of a search leads: `Call.found` or `not_found` follows."""

    leg: str
    onward: Onward
    passage: Passage


@attrs.frozen
class Release:
    """End a leg in whatever state: CANCEL, BYE or a refusal. ``headers`` say why."""

    leg: str
    headers: tuple[Header, ...] = ()


@attrs.frozen
class Offer:
    """Offer ``sdp`` to a leg that is up; ``update``: rather by UPDATE than by re-INVITE."""

    leg: str
    sdp: bytes
    update: bool = False


@attrs.frozen
class AskOffer:
    """Ask a leg that is up for an offer."""

    leg: str


@attrs.frozen
class Answer:
    """Answer a leg's open offer."""

    leg: str
    sdp: bytes


@attrs.frozen
class AnswerHeld:
    """Answer a leg's open offer ourselves, without media."""

    leg: str


@attrs.frozen
class Reject:
    """Refuse a leg's open offer."""

    leg: str
    status: int


@attrs.frozen
class Withdraw:
    """Forget an offer to the leg that has not gone out yet."""

    leg: str


@attrs.frozen
class ShowProgress:
    """Pass a provisional response of ``branch`` on to the incoming leg."""

    leg: str
    progress: Progress
    branch: str


@attrs.frozen
class Accept:
    """Answer the incoming leg for ``branch``."""

    leg: str
    sdp: bytes
    branch: str


@attrs.frozen
class Refuse:
    """Refuse the incoming leg."""

    leg: str
    status: int
    reason: str
    headers: tuple[Header, ...] = ()


@attrs.frozen
class Forward:
    """Send the request that came from ``origin`` under ``key`` to ``leg``."""

    leg: str
    origin: str
    key: str
    request: Request


@attrs.frozen
class Respond:
    """Answer the relayed request ``key`` of ``leg``."""

    leg: str
    key: str
    relayed: Relayed


@attrs.frozen
class Refer:
    """Ask the phone of ``leg`` to call ``uri`` (RFC 3515); `sipxd.sip.leg.ReferOutcome` follows."""

    leg: str
    uri: str
    headers: tuple[Header, ...] = ()


@attrs.frozen
class ReferHome:
    """Ask the phone of ``leg`` to call us at the one-time user part ``token``, of 128 random bits.

    `sipxd.sip.leg.ReferOutcome` follows, and the phone's INVITE.
    """

    leg: str
    token: str
    headers: tuple[Header, ...] = ()


@attrs.frozen
class AskReferral:
    """Ask where the referral ``key`` of ``leg``, a phone of ``user``, leads.

    ``staying`` is the party that shall be connected with the URI ``refer_to``, or with whoever has
    the dialog that ``replaces`` names.
    """

    leg: str
    key: str
    user: str
    staying: str
    refer_to: str
    replaces: Replaces | None


@attrs.frozen
class AcceptReferral:
    """Take the referral ``key`` of ``leg`` on: 202, and a NOTIFY that it is being tried."""

    leg: str
    key: str


@attrs.frozen
class RefuseReferral:
    """Refuse the referral ``key`` of ``leg``."""

    leg: str
    key: str
    status: int
    reason: str = ""


@attrs.frozen
class NotifyReferral:
    """Tell ``leg`` how the referral ``key`` that was taken on goes; ``final``: how it ended."""

    leg: str
    key: str
    status: int
    reason: str
    final: bool


@attrs.frozen
class TransferTold:
    """How the transfer goes that was asked for over an API; ``final``: how it ended."""

    status: int
    reason: str
    final: bool


@attrs.frozen
class Record:
    """A step of the call for journal and record: ``kind`` of the event, changed record fields.

    Fields named in ``now`` are set to the time at which the runner works the effect off.
    """

    kind: str
    changes: dict[str, Any] = attrs.field(factory=dict)
    now: tuple[str, ...] = ()
    data: dict[str, Any] = attrs.field(factory=dict)
    """What the journal tells besides."""


@attrs.frozen
class Remember:
    """Phones that call themselves so refuse that."""

    user_agent: str
    refuses: Refusal


Effect = (
    Ring
    | Seek
    | Release
    | Offer
    | AskOffer
    | Answer
    | AnswerHeld
    | Reject
    | Withdraw
    | ShowProgress
    | Accept
    | Refuse
    | Forward
    | Respond
    | Refer
    | ReferHome
    | AskReferral
    | AcceptReferral
    | RefuseReferral
    | NotifyReferral
    | TransferTold
    | StartTimer
    | StopTimer
    | Record
    | Remember
)


def reason(status: int, text: str) -> tuple[Header, ...]:
    """A Reason header (RFC 3326) for CANCEL and BYE."""
    safe = "".join(c for c in text if c.isprintable() and c not in '"\\')
    return (("Reason", f'SIP;cause={status};text="{safe[:120]}"'),)


ELSEWHERE = reason(200, "Call completed elsewhere")
"""For the branches that lost to one that answered (RFC 3326 section 3.1)."""
