"""A call of the scripted telephone, and how such a phone behaves."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs

from sipxd.net.legs import LegDriver
from sipxd.sip.leg_media import readable
from sipxd.sip.media import with_direction
from sipxd.sip.referral import Replaces
from sipxd.sip.sdp import Direction, parse
from sipxd.sip.usage import InviteUsage, LegState

if TYPE_CHECKING:
    from sipxd.testing.phone import Phone


@attrs.frozen
class Behaviour:
    """What a phone does with calls that come in. Times in seconds."""

    answer_after: float | None = 1.0
    """Answer after ringing so long; None: never."""
    refuse: int = 0
    """Refuse with this status, for example 486 (busy) or 603 (decline)."""
    refuse_after: float = 0.0
    """Ring so long before that; 0: refuse at once."""
    refuse_offerless: bool = False
    """Refuse an INVITE without SDP with 488."""
    early_media: bool = False
    """Ring with 183 and SDP instead of 180."""
    late_answer: bool = False
    """Answer a CANCEL with the 200 of the call, as when both cross on the wire."""
    hang_up_after: float | None = None
    """Hang up so long after the call is up; None: never."""
    refer: int = 202
    """Answer a REFER with this: 202 calls whom it names, anything else is a refusal."""
    dial_after: float | None = 0.1
    """Call so long after a REFER was accepted; None: never, and nothing is told about it."""
    leave_after_refer: bool = False
    """Hang up on the call that carried a REFER before calling whom it names."""
    identity: str = ""
    """Who the phone says it is when it follows a REFER; empty: its account, with credentials."""


class PhoneCall:
    """One call on a phone: the leg, and where its media would go."""

    def __init__(self, phone: Phone, leg_id: str, peer: str) -> None:
        self._phone = phone
        self.id = leg_id
        self.peer = peer
        """The other party as shown on the display."""
        self.driver: LegDriver
        self.up = False
        self.ended = ""
        """Why the call is over; empty while it is not."""
        self.status = 0
        """The final status of a call that was made from here."""
        self.uri = ""
        """Whom a REFER named; empty: the number ``peer``."""
        self.early_media: bytes | None = None
        """The description in the last provisional response."""
        self.asked_by: tuple[PhoneCall, str] | None = None
        """The call that carried that REFER, and its key there."""
        self.referral: list[int] = []
        """What was told about a transfer that was asked for here: SIP statuses."""

    @property
    def machine(self) -> InviteUsage:
        """The leg's state."""
        return self.driver.machine

    @property
    def remote_media(self) -> tuple[str, int, str] | None:
        """Address, port and direction of the far media as last described to this phone."""
        described = readable(self.machine.media.last_heard or self.early_media)
        if described is None or not described.media:
            return None
        address = described.address(0) or ""
        return address, described.media[0].port, str(described.direction(0))

    def hang_up(self) -> None:
        """End the call."""
        if self.machine.state in (LegState.EARLY, LegState.UP):
            self._phone.tell(f"hangs up on {self.peer}")
        self._phone.post(lambda: self.driver.work(self.machine.hang_up()))

    def hold(self) -> None:
        """Put the other side on hold (a re-INVITE with sendonly)."""
        self._offer(Direction.SENDONLY)

    def resume(self) -> None:
        """Take the other side back from hold."""
        self._offer(Direction.SENDRECV)

    def transfer(self, number: str) -> None:
        """Have the other side connected with ``number``."""
        self._refer(f"sip:{number}@{self._phone.domain}")

    def transfer_to(self, other: PhoneCall) -> None:
        """Have the other side connected with that of another call of this phone."""
        uri = f"sip:{other.peer}@{self._phone.domain}?Replaces={quote(str(other.replaces), '')}"
        self._refer(uri)

    @property
    def replaces(self) -> Replaces:
        """This call as a Replaces of the other side's names it."""
        dialog = self.machine.dialog
        assert dialog is not None
        return Replaces(dialog.call_id, to_tag=dialog.remote_tag, from_tag=dialog.local_tag)

    def _refer(self, uri: str) -> None:
        self._phone.tell(f"transfers {self.peer}")
        self._phone.post(lambda: self.driver.work(self.machine.refer(uri)))

    def _offer(self, direction: Direction) -> None:
        sdp = with_direction(parse(self._phone.sdp()), direction).encode()
        self._phone.post(lambda: self.driver.work(self.machine.offer(sdp)))
