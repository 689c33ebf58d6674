"""The bridge: two legs whose media meet, and the one primitive that makes them meet.

`join(x, y)` shows y what x offers and x what y answers.  A join may need more: where x has been
shown something else meanwhile, descriptions are carried to and fro until both hold what the other
says, for two rounds at the most.  A phone's own offer (hold, resume, codec change) is relayed the
same way.

::

    state      event                      next
    IDLE       join(x, y, sdp)            OFFERING y
    IDLE       join(x, y)                 ASKING x
    ASKING     x offers                   OFFERING y, x waits for its answer
    IDLE       x offers                   OFFERING y, x waits for its answer
    OFFERING   y answers                  IDLE (agreed) or OFFERING x (x must learn more)
    OFFERING   y refuses                  IDLE, and x is refused where it waits
    OFFERING   y offers (collision)       the relayed offer is refused with 491, y's goes first
"""

from __future__ import annotations

import attrs

from sipxd.call.effects import Answer, AskOffer, Effect, Offer, Reject, Withdraw
from sipxd.sip.leg_media import readable
from sipxd.sip.media import is_hold, revived, still_valid

MAXIMUM_ROUNDS = 2
"""How often descriptions are carried to and fro before the call is kept as it is."""


@attrs.frozen
class Joined:
    """The join is over. ``mismatch``: the phones did not agree, the call is kept."""

    mismatch: bool = False


@attrs.frozen
class JoinFailed:
    """The join failed with ``status``; both legs hold what they held before."""

    status: int


Outcome = Effect | Joined | JoinFailed


@attrs.define
class _Exchange:
    """An offer under way: to whom, what, on whose behalf."""

    to: str
    sdp: bytes
    requester: str | None
    """The leg whose own offer this is, and that waits for an answer."""
    joining: bool
    rounds: int


class Bridge:
    """Two legs, by name.

    ``said`` is each leg's latest description of itself, ``shown`` what it was last shown of the
    other.
    """

    def __init__(self, near: str, far: str) -> None:
        self._legs = (near, far)
        self.said: dict[str, bytes] = {}
        self.shown: dict[str, bytes] = {}
        self._exchange: _Exchange | None = None
        self._asking: str | None = None
        self._waiting: tuple[str, bytes] | None = None
        """An offer of the leg that is not being offered to, until the exchange is over."""

    def other(self, leg: str) -> str:
        """The opposite leg."""
        return self._legs[1] if leg == self._legs[0] else self._legs[0]

    @property
    def busy(self) -> bool:
        """Whether an exchange is under way."""
        return self._exchange is not None or self._asking is not None

    def owes(self, leg: str) -> bool:
        """Whether ``leg`` made an offer that has no answer yet."""
        if self._waiting is not None and self._waiting[0] == leg:
            return True
        return self._exchange is not None and self._exchange.requester == leg

    def join(self, x: str, sdp: bytes | None = None, *, owed: bool = False) -> list[Outcome]:
        """Show the other leg what ``x`` says: ``sdp`` where that is fresh, else ask ``x``.

        ``owed``: it is an offer of ``x``, which waits for the answer.
        """
        if sdp is None:
            self._asking = x
            return [AskOffer(x)]
        self.said[x] = sdp
        y = self.other(x)
        if owed:
            return self._offer(y, sdp, requester=x, joining=True, rounds=0)
        if self.shown.get(y) == sdp and y in self.said:
            return self._compare(y, _Exchange(y, sdp, None, joining=True, rounds=0))
        return self._offer(y, sdp, requester=None, joining=True, rounds=0)

    def _offer(
        self,
        to: str,
        sdp: bytes,
        *,
        requester: str | None,
        joining: bool,
        rounds: int,
        update: bool = False,
    ) -> list[Outcome]:
        self._exchange = _Exchange(to, sdp, requester, joining, rounds)
        return [Offer(to, sdp, update)]

    def offered(self, leg: str, sdp: bytes, *, update: bool = False) -> list[Outcome]:
        """``leg`` made an offer (by UPDATE or not) and waits for the answer."""
        exchange = self._exchange
        if self._asking == leg:
            self._asking = None
            self.said[leg] = sdp
            return self._offer(self.other(leg), sdp, requester=leg, joining=True, rounds=0)
        if exchange is None:
            return self._offer(
                self.other(leg), sdp, requester=leg, joining=False, rounds=0, update=update
            )
        if exchange.to != leg:
            self._waiting = (leg, sdp)
            return []
        # Our offer met the leg's own: the leg's goes first, what it makes of ours is moot.
        out: list[Outcome] = [Withdraw(leg)]
        if exchange.requester is not None:
            out.append(Reject(exchange.requester, 491))
        joining = exchange.joining
        self._exchange = None
        return out + self._offer(
            self.other(leg), sdp, requester=leg, joining=joining, rounds=exchange.rounds
        )

    def answered(self, leg: str, sdp: bytes, offered: bytes | None) -> list[Outcome]:
        """``leg`` answered what it was ``offered``."""
        self.said[leg] = sdp
        if offered is not None:
            self.shown[leg] = offered
        exchange = self._exchange
        if exchange is None or exchange.to != leg or exchange.sdp != offered:
            return []
        self._exchange = None
        if exchange.requester is not None:
            requester = exchange.requester
            self.said[requester] = exchange.sdp
            self.shown[requester] = sdp
            out: list[Outcome] = [Answer(requester, sdp)]
            if exchange.joining:
                out.append(Joined())
            return out + self._next()
        return self._compare(leg, exchange)

    def _compare(self, leg: str, exchange: _Exchange) -> list[Outcome]:
        """Whether the other leg still knows the truth about ``leg``; else it is told."""
        other = self.other(leg)
        if self._knows(other, leg):
            return [Joined(), *self._next()] if exchange.joining else self._next()
        if exchange.rounds >= MAXIMUM_ROUNDS:
            return [Joined(mismatch=True), *self._next()]
        return self._offer(
            other,
            self.said[leg],
            requester=None,
            joining=exchange.joining,
            rounds=exchange.rounds + 1,
        )

    def _knows(self, who: str, whom: str) -> bool:
        """Whether ``who`` was shown what ``whom`` says now, as far as it matters for media."""
        shown = readable(self.shown.get(who))
        said = readable(self.said.get(whom))
        if shown is None or said is None:
            return False
        theirs = readable(self.said.get(who))
        changed_hold = is_hold(said) is not is_hold(shown)
        if changed_hold and theirs is not None and not is_hold(theirs):
            return False
        return still_valid(shown, said, theirs)

    def updated(self, leg: str, sdp: bytes) -> list[Outcome]:
        """``leg`` changed its description in an exchange that it did not start for us."""
        self.said[leg] = sdp
        if self._exchange is not None or self._knows(self.other(leg), leg):
            return []
        return self._offer(self.other(leg), sdp, requester=None, joining=False, rounds=1)

    def failed(self, leg: str, status: int, offered: bytes | None) -> list[Outcome]:
        """``leg`` refused what it was ``offered``, or to make an offer."""
        if self._asking == leg and offered is None:
            self._asking = None
            last = self.said.get(leg)
            return [JoinFailed(status)] if last is None else self.join(leg, _lively(last))
        exchange = self._exchange
        if exchange is None or exchange.to != leg or exchange.sdp != offered:
            return []
        self._exchange = None
        out: list[Outcome] = []
        if exchange.requester is not None:
            out.append(Reject(exchange.requester, status if status >= 400 else 488))
        if exchange.joining:
            out.append(Joined(mismatch=True) if exchange.rounds else JoinFailed(status))
        return out + self._next()

    def _next(self) -> list[Outcome]:
        if self._waiting is None or self._exchange is not None:
            return []
        (leg, sdp), self._waiting = self._waiting, None
        return self._offer(self.other(leg), sdp, requester=leg, joining=False, rounds=0)


def _lively(sdp: bytes) -> bytes:
    """A description that was given while held, fit to be offered on."""
    described = readable(sdp)
    return sdp if described is None else revived(described).encode()
