"""Who calls, as it is shown to those who are called: From, and the headers that speak of it.

P-Asserted-Identity (RFC 3325) vouches for a caller towards somebody who trusts us, Privacy
(RFC 3323) asks that he is not shown, Diversion (RFC 5806) and History-Info (RFC 7044) tell who sent
a call on.  Pure.
"""

from __future__ import annotations

import attrs

from sipxd.call.effects import Identity
from sipxd.call.numbers import Number, uri_user
from sipxd.call.plan import Diverted, Passage, Reason
from sipxd.call.policy import OUTSIDE
from sipxd.directory.gateway import ACCOUNT, ANONYMOUS, NONE, NOT_PRIVATE, USER, Gateway
from sipxd.sip.headers import NameAddr
from sipxd.sip.message import Header, Request

NOBODY = '"Anonymous" <sip:anonymous@anonymous.invalid>'
"""The From of somebody who does not want to be known (RFC 3323 section 4.1.1.3)."""
HIDE: Header = ("Privacy", "id")
"""Asks whoever passes the call on not to tell the caller's identity (RFC 3325 section 9.3)."""


@attrs.frozen
class Caller:
    """Who calls: a user of ours by his number, or somebody outside."""

    number: str
    display: str = ""
    private: bool = False
    """He does not want to be known to whom he calls."""
    outside: bool = False
    """He is no user of ours: his number is shown as it came."""
    diverted: tuple[Diverted, ...] = ()
    """Who has sent the call on, the last one for his own account."""

    @property
    def sent_on_by(self) -> str:
        """The number of who sends the call on, and for whom it is made; empty: nobody does."""
        return self.diverted[-1].by if self.diverted else ""

    @property
    def payer(self) -> str:
        """The number of the user for whom the call is made."""
        return self.sent_on_by or self.number


def caller_of(passage: Passage, *, private: bool) -> Caller:
    """Who is shown as calling."""
    user = passage.caller
    name = f"{user.first_name} {user.last_name}".strip()
    diverted = tuple(one for one in passage.diverted if one.by != user.name)
    return Caller(user.name, name, private, outside=user.id == OUTSIDE, diverted=diverted)


@attrs.frozen
class Shown:
    """What an INVITE says of the caller: From and To, and further headers."""

    identity: Identity
    headers: tuple[Header, ...] = ()


def wants_privacy(request: Request) -> bool:
    """Whether a phone asks that its user is not shown (RFC 3323 section 4.2)."""
    words = {word.strip().lower() for word in (request.get("Privacy") or "").split(";")}
    return not words.isdisjoint({"id", "user", "header"})


def within_house(caller: Caller, domain: str, to: str) -> Shown:
    """What a phone here, or somebody at a foreign domain, is shown."""
    sent_on = sent_on_headers(caller, domain, to)
    if caller.private:
        return Shown(Identity(NOBODY, f"<{to}>"), (HIDE, *sent_on))
    return Shown(Identity(_address(caller.number, domain, caller.display), f"<{to}>"), sent_on)


def through_proxy(caller: Caller, domain: str, to: str, payer: str = "") -> Shown:
    """What the outbound proxy is shown.

    From is the user for whom the call is made, even where somebody else calls or he wants to be
    hidden: a PBX refuses another one than that of the credentials.  ``payer`` is that user where it
    is neither who calls nor who sends the call on.
    """
    payer = payer or caller.payer
    display = caller.display or ("" if payer == caller.number else caller.number)
    from_ = _address(payer, domain, display)
    hidden = (HIDE,) if caller.private else ()
    return Shown(Identity(from_, f"<{to}>"), (*hidden, *sent_on_headers(caller, domain, to)))


def through_gateway(
    gateway: Gateway, caller: Caller, called: str, *, emergency: bool = False
) -> Shown:
    """What a gateway is shown, by its rules; ``called`` is the number as sent to it.

    Of a call that was sent on it is shown the first caller where it is told who sent it on, else
    the user who did.  A call for help never hides where it comes from.
    """
    domain = gateway.domain_or_host
    diverted = caller.diverted
    if diverted and not (gateway.diversion or gateway.history_info):
        caller = Caller(caller.sent_on_by, private=caller.private)
    hidden = (caller.private or gateway.privacy != NOT_PRIVATE) and not emergency
    # An account in From is the provider's own condition, and its number is not the caller's.
    nameless = gateway.privacy == ANONYMOUS or (caller.private and gateway.caller_id == USER)
    headers: list[Header] = []
    if gateway.asserted_identity != NONE:
        asserted = _as_told(gateway, gateway.asserted_identity, caller)
        headers.append(("P-Asserted-Identity", asserted))
    if hidden:
        headers.append(HIDE)
    by = tuple(attrs.evolve(one, by=gateway.caller(one.by)) for one in diverted)
    if by and gateway.diversion:
        headers.append(diversion(by, domain))
    if by and gateway.history_info:
        headers.append(history_info(by, domain, f"sip:{uri_user(called)}@{domain}"))
    from_ = NOBODY if hidden and nameless else _as_told(gateway, gateway.caller_id, caller)
    return Shown(Identity(from_, _address(called, domain)), tuple(headers))


_CAUSES = {
    Reason.UNCONDITIONAL: 302,
    Reason.NO_ANSWER: 408,
    Reason.BUSY: 486,
    Reason.DO_NOT_DISTURB: 486,
    Reason.UNAVAILABLE: 503,
    Reason.DEFLECTION: 480,
    Reason.UNKNOWN: 404,
}
"""The words of Diversion as RFC 4458 section 3 has them."""


def sent_on_headers(caller: Caller, domain: str, to: str) -> tuple[Header, ...]:
    """Who has sent the call on, as phones, voicemail and PBXs of our own are told."""
    if not caller.diverted:
        return ()
    return (diversion(caller.diverted, domain), history_info(caller.diverted, domain, to))


def diversion(diverted: tuple[Diverted, ...], domain: str) -> Header:
    """Who has sent the call on, the last one first (RFC 5806 section 8)."""
    values = (f"{_address(one.by, domain)};reason={one.reason}" for one in reversed(diverted))
    return ("Diversion", ", ".join(values))


def history_info(diverted: tuple[Diverted, ...], domain: str, to: str) -> Header:
    """Whom the call was for, the first one first, and who is called now (RFC 7044 section 10)."""
    uris = [f"sip:{uri_user(one.by)}@{domain}" for one in diverted] + [to]
    index = "1"
    values = [f"<{uris[0]}>;index={index}"]
    for one, uri in zip(diverted, uris[1:], strict=True):
        # mp: another user than the one who has sent it on, whose index that is.
        values.append(f"<{uri};cause={_CAUSES[one.reason]}>;index={index}.1;mp={index}")
        index += ".1"
    return ("History-Info", ", ".join(values))


def _as_told(gateway: Gateway, rule: str, caller: Caller) -> str:
    """The address that a rule of the gateway gives."""
    domain = gateway.domain_or_host
    if rule == USER:
        number = caller.number if caller.outside else gateway.caller(caller.number)
        return _address(number, domain, caller.display)
    return _address(gateway.username if rule == ACCOUNT else rule, domain)


def own_phone(
    user: str, number: Number, domain: str, rule: str, *, through_proxy: bool
) -> Identity:
    """What the user's own phone is shown in a click-to-call to ``number``.

    ``rule`` is ``[call] caller_leg_from``.  The number, as if it called; or his own address with
    the number as display name, because a stock PBX refuses a From whose user is not that of the
    credentials.
    """
    to = _address(user, domain)
    if rule == "user" or (rule == "auto" and through_proxy):
        return Identity(_address(user, domain, str(number)), to)
    return Identity(_address(number.user, number.host or domain), to)


def _address(number: str, domain: str, display: str = "") -> str:
    return str(NameAddr(f"sip:{uri_user(number)}@{domain}", display))
