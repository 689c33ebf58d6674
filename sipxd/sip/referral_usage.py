"""The referral usage of a leg's dialog: REFER and its NOTIFYs, in both roles.

RFC 3515, RFC 4488 (norefersub), RFC 6665 where REFER needs it.

::

    the peer refers us            event                          next
    none                          REFER                          ASKED, `Referred` is told
    ASKED                         accept_referral                SUBSCRIBED: 202, NOTIFY 100
    ASKED                         refuse_referral                none
    SUBSCRIBED                    notify_referral, final         none
    SUBSCRIBED                    a NOTIFY is refused or lost    none

    we refer the peer             event                          next
    none                          refer                          WAITING
    WAITING                       REFER refused or lost          none, final `ReferOutcome`
    WAITING                       NOTIFY, sipfrag below 200      WAITING, `ReferOutcome`
    WAITING                       NOTIFY, sipfrag of 200 or up   none, final `ReferOutcome`

One referral in each direction is open at a time.  What a NOTIFY says is in its sipfrag alone:
phones send a failure as ``active`` and a success with a broken Subscription-State.  NOTIFYs leave
one after another, so that they cannot overtake each other; of those that wait only the newest is
sent.  The subscription ends with the call: a peer that hangs up has stopped listening.
"""

from __future__ import annotations

import attrs

from sipxd.sip.dialog_usage import DialogUsage, LegState
from sipxd.sip.headers import HeaderError, parameter, parse_number, parse_parameters
from sipxd.sip.leg import Local, Output, ReferOutcome, Referred, SendResponse, effects_first
from sipxd.sip.leg_media import LegMedia
from sipxd.sip.message import Header, Request, Response, reason_phrase
from sipxd.sip.referral import SIPFRAG, ReferralError, fragment, parse_fragment, parse_refer_to

EXPIRES = 180
"""Seconds that a subscription to a referral is granted; no search lasts longer."""


@attrs.define
class _Incoming:
    """The peer's REFER. ``number`` is its CSeq, by which its NOTIFYs are known."""

    key: str
    number: int
    silent: bool
    """The peer wants no NOTIFY (RFC 4488)."""
    subscribed: bool = False
    told: tuple[int, str] = (100, "Trying")
    notify: str | None = None
    """Key of our NOTIFY that has no final response."""
    next: tuple[int, str, bool] | None = None
    """What the next NOTIFY says: status, reason, whether it is the last."""


class ReferralUsage(DialogUsage):
    """The part of a leg that refers and is referred."""

    def __init__(self, local: Local, media: LegMedia) -> None:
        super().__init__(local, media)
        self._referral: _Incoming | None = None
        self._refer: tuple[str, int] | None = None
        """Key and CSeq of our REFER whose outcome is open."""
        self._referred_before = 0
        """CSeq of our last REFER: what is told of it still is answered 200."""

    # -- the peer refers us --------------------------------------------------------------------

    def _receive_refer(self, key: str, request: Request) -> list[Output]:
        if self.state is not LegState.UP:
            return [SendResponse(key, self._response(request, 481))]
        if self._referral is not None:
            return [SendResponse(key, self._response(request, 491))]
        values = request.get_all("Refer-To")
        try:
            if len(values) != 1:
                raise ReferralError("exactly one Refer-To is needed")
            refer_to = parse_refer_to(values[0])
        except ReferralError as error:
            refusal = attrs.evolve(self._response(request, 400), reason=f"Bad Request: {error}")
            return [SendResponse(key, refusal)]
        silent = (request.get("Refer-Sub") or "").partition(";")[0].strip().lower() == "false"
        self._waiting[key] = request
        self._referral = _Incoming(key, request.cseq[0], silent)
        referred_by = (request.get("Referred-By") or "")[:512]
        return [Referred(key, refer_to.uri, refer_to.replaces, referred_by)]

    def accept_referral(self, key: str) -> list[Output]:
        """Take the referral ``key`` on: 202, and a first NOTIFY unless none is wanted."""
        referral = self._referral
        request = self._waiting.pop(key, None)
        if referral is None or referral.key != key or request is None:
            return []
        headers: list[Header] = [("Contact", self.local.contact)]
        if referral.silent:
            self._referral = None
            headers += [("Refer-Sub", "false"), ("Supported", "norefersub")]
        response = SendResponse(key, self._response(request, 202, headers=headers))
        if referral.silent:
            return [response]
        referral.subscribed = True
        return [response, *self.notify_referral(key, *referral.told, final=False)]

    def refuse_referral(self, key: str, status: int, reason: str = "") -> list[Output]:
        """Refuse the referral ``key`` with ``status``."""
        request = self._waiting.pop(key, None)
        if self._referral is None or self._referral.key != key or request is None:
            return []
        self._referral = None
        refusal = self._response(request, status)
        return [SendResponse(key, attrs.evolve(refusal, reason=reason or refusal.reason))]

    def notify_referral(self, key: str, status: int, reason: str, *, final: bool) -> list[Output]:
        """Tell the peer what the referral ``key`` has come to; nothing more once it was final."""
        referral = self._referral
        if self.state is not LegState.UP or referral is None or referral.key != key:
            return []
        if not referral.subscribed:
            return []
        if referral.next is not None and referral.next[2]:
            return []
        referral.next = (status, reason or reason_phrase(status), final)
        return self._notify_next(referral)

    def _notify_next(self, referral: _Incoming) -> list[Output]:
        if referral.notify is not None or referral.next is None:
            return []
        (status, reason, final), referral.next = referral.next, None
        referral.told = (status, reason)
        state = "terminated;reason=noresource" if final else f"active;expires={EXPIRES}"
        headers = (
            ("Event", f"refer;id={referral.number}"),
            ("Subscription-State", state),
            ("Allow-Events", "refer"),
            ("Content-Type", f"{SIPFRAG};version=2.0"),
        )
        referral.notify = self._key("notify")
        if final:
            self._referral = None
        return [
            self._send("NOTIFY", referral.notify, headers=headers, body=fragment(status, reason))
        ]

    def _receive_subscribe(self, key: str, request: Request) -> list[Output]:
        """The subscription that REFER made can be refreshed and given up (RFC 3515 2.4.4)."""
        referral = self._referral
        name, number = _event(request)
        if name != "refer":
            return [SendResponse(key, self._response(request, 489, headers=_EVENTS))]
        if (
            referral is None
            or not referral.subscribed
            or number not in (None, referral.number)
            or self.state is not LegState.UP
        ):
            return [SendResponse(key, self._response(request, 481))]
        gives_up = (request.get("Expires") or "").strip() == "0"
        headers = (
            ("Contact", self.local.contact),
            ("Expires", "0" if gives_up else str(EXPIRES)),
        )
        accepted = SendResponse(key, self._response(request, 200, headers=headers))
        told = self.notify_referral(referral.key, *referral.told, final=gives_up)
        return [accepted, *told]

    # -- we refer the peer ---------------------------------------------------------------------

    def refer(self, uri: str, headers: tuple[Header, ...] = ()) -> list[Output]:
        """Ask the peer to call ``uri``; what becomes of it is told by `ReferOutcome`."""
        if self.state is not LegState.UP or self.dialog is None or self._refer is not None:
            return [ReferOutcome(481, "There is no dialog to refer in", final=True)]
        key = self._key("refer")
        sent = self._send("REFER", key, headers=(("Refer-To", f"<{uri}>"), *headers))
        self._referred_before = sent.request.cseq[0]
        self._refer = (key, self._referred_before)
        return [sent]

    def _receive_notify(self, key: str, request: Request) -> list[Output]:
        name, number = _event(request)
        if name != "refer":
            return [SendResponse(key, self._response(request, 489, headers=_EVENTS))]
        if not self._referred_before or number not in (None, self._referred_before):
            return [SendResponse(key, self._response(request, 481))]
        out: list[Output] = [SendResponse(key, self._response(request, 200))]
        told = parse_fragment(request)
        if told is None or self._refer is None:
            return out
        return [*out, *self._outcome(*told)]

    def _outcome(self, status: int, reason: str) -> list[Output]:
        final = status >= 200
        if final:
            self._refer = None
        return [ReferOutcome(status, reason, final)]

    def _sent_again(self, key: str, number: int) -> None:
        if self._refer is not None and key == self._refer[0]:
            self._refer, self._referred_before = (key, number), number

    # -- responses and the end -----------------------------------------------------------------

    def _referral_answered(self, key: str, response: Response) -> list[Output]:
        """The final response to a REFER or NOTIFY of ours."""
        if self._refer is not None and key == self._refer[0]:
            if response.status < 300:
                return [ReferOutcome(response.status, response.reason[:120], final=False)]
            out = self._outcome(response.status, response.reason[:120])
            return effects_first([*out, *self._lost(response.status)])
        return self._notify_answered(key, accepted=response.status < 300)

    def _referral_failed(self, key: str, status: int) -> list[Output]:
        """A REFER or NOTIFY of ours got no response, or could not be sent."""
        if self._refer is not None and key == self._refer[0]:
            out = self._outcome(status, "The phone does not respond.")
            return effects_first([*out, *self._end(status, "The phone does not respond.")])
        return self._notify_answered(key, accepted=False)

    def _notify_answered(self, key: str, *, accepted: bool) -> list[Output]:
        """A NOTIFY that is refused ends the subscription, not the call (RFC 5057 section 5.3)."""
        referral = self._referral
        if referral is None or referral.notify != key:
            return []
        referral.notify = None
        if not accepted:
            self._referral = None
            return []
        return self._notify_next(referral) if self.state is LegState.UP else []

    def hang_up(self, headers: tuple[Header, ...] = ()) -> list[Output]:
        """End the leg; a NOTIFY that waits for its turn leaves before the BYE."""
        out: list[Output] = []
        if self.state is LegState.UP and self._referral is not None:
            self._referral.notify = None
            out = self._notify_next(self._referral)
        self._referral = self._refer = None
        return out + super().hang_up(headers)


_EVENTS = (("Allow-Events", "refer"),)


def _event(request: Request) -> tuple[str, int | None]:
    """The event package of a SUBSCRIBE or NOTIFY, and the CSeq of the REFER it is about."""
    name, semicolon, tail = (request.get("Event") or "").partition(";")
    name = name.strip().lower()
    try:
        text = parameter(parse_parameters(semicolon + tail), "id")
        return name, None if not text else parse_number(text, 2**31)
    except HeaderError:
        return name, -1
