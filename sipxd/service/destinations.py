"""Where calls go: a user's own phones, and whatever a number leads to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import attrs

from sipxd.call import identity
from sipxd.call.effects import Target
from sipxd.call.identity import Caller, Shown
from sipxd.call.numbers import Number, clean_number, read_number, uri_user
from sipxd.call.path import Loop, Path, extend_path
from sipxd.call.plan import (
    Destination,
    Diverted,
    Leaf,
    Nowhere,
    Onward,
    Passage,
    Plan,
    Reason,
    ring_all,
)
from sipxd.call.policy import HOUSE, OUTSIDE, DialPolicy, house
from sipxd.call.routing import Attempt, find_way
from sipxd.config import Config
from sipxd.directory.gateway import Gateway
from sipxd.directory.user import User
from sipxd.errors import BadInput, Forbidden, NotFound
from sipxd.service.accounts import Accounts
from sipxd.service.authorizers import gateway_account, user_account
from sipxd.service.plans import ANYTHING, Plans, Wish
from sipxd.service.registrations import Registrations
from sipxd.sip.uri import parse_uri

OWN_PHONES = ";sipx-userforward=false"
"""Tells a PBX that a number means the phones of its user, and not whatever he forwards to."""


class Destinations:
    """The one place that turns a number into a plan, for whatever door a call comes through.

    A number leads, in this order, to: the user who has it; the hunt group or park orbit that has
    it; the gateways of the first route that matches it; the outbound proxy.  A number of another
    domain leads to that domain.  ``is_well`` tells whether a gateway is in good health, ``plans``
    what users and hunt groups want done with a call.
    """

    def __init__(
        self,
        config: Config,
        accounts: Accounts,
        registrations: Registrations,
        plans: Plans,
        is_well: Callable[[str], bool] = lambda gateway: True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.policy = DialPolicy(
            config.domain.lower(),
            config.call.emergency,
            config.call.international,
            config.call.home,
            config.call.forbidden,
        )
        self._config = config
        self._domain = config.domain
        self._accounts = accounts
        self._registrations = registrations
        self._plans = plans
        self._is_well = is_well
        self._now = now
        self._gateways = {gateway.name: gateway for gateway in config.gateway}
        self._proxy = loose(config.sip.outbound_proxy)
        self._seconds = float(config.call.ring_timeout)

    # -- entrances -----------------------------------------------------------------------------

    def own_phones(self, user: User, number: Number) -> Destination:
        """The phones of ``user``, shown that they are to call ``number``. Raises NotFound."""
        own = self._own(user, payer=user.name)
        if not own:
            raise NotFound(
                f"No phone of {user.name} is registered; switch it on, or check its account.",
                field="user",
            )
        targets = tuple(target for _, target in own)
        shown = identity.own_phone(
            user.name,
            number,
            self._domain,
            self._config.call.caller_leg_from,
            through_proxy=targets[0].flow is None,
        )
        return ring_all(targets, shown, self._seconds)

    def first_leg(
        self, user: User, number: Number, calling: Number, *, follow: bool
    ) -> Destination:
        """Who is rung first in the place of the user's own phones, to call ``number`` then.

        ``follow``: by the forwarding of whoever is reached by ``calling``, too.  Raises Forbidden,
        NotFound.
        """
        path = extend_path((), Number(self.canonical(calling), calling.host), self._domain)
        wish = Wish(follow=follow, voicemail=False)
        destination = self.find(user, calling, path=path, wish=wish)
        shown = identity.own_phone(
            user.name, number, self._domain, self._config.call.caller_leg_from, through_proxy=False
        )
        return attrs.evolve(destination, identity=shown)

    def find(
        self,
        user: User,
        number: Number,
        *,
        from_phone: bool = False,
        caller: User | None = None,
        private: bool = False,
        path: Path = (),
        wish: Wish = ANYTHING,
        at: float | None = None,
    ) -> Destination:
        """What ``number`` leads to when ``user`` calls it, where the dial policy lets him.

        This is the entrance for every door; nobody has to ask the policy beside it.  ``user`` is
        the one under whose permissions and for whose account the call is made: who calls, and for a
        transfer the one who sends the call on; then ``caller`` is who is shown as calling.
        ``from_phone``: the number was dialled on a phone as it stands, so that calls for help pass;
        never so for transfers.  ``private``: the caller does not want to be known.  ``path`` are
        the numbers that the call has come through, ``number`` included; ``at`` when it is made
        (seconds since the epoch), None: now.  Raises Forbidden, NotFound.
        """
        sent_on = (Diverted(user.name, Reason.UNKNOWN),) if caller is not None else ()
        when = self._now() if at is None else at
        passage = Passage(caller or user, _account(user), private, path, sent_on, when)
        plan = self._lead(user, number, passage, wish, from_phone=from_phone)
        if plan.is_empty and plan.refusal[0] == 404:
            raise NotFound(f"No phone of {number} is registered.", field="number")
        call = self._config.call
        plan = attrs.evolve(
            plan,
            limit=float(call.ring_limit),
            parallel=self._config.limits.parallel_branches,
            early_media_extends=call.early_media_extends,
        )
        shown = identity.within_house(
            identity.caller_of(passage, private=private), self._domain, self.address(number)
        )
        return Destination(plan, shown.identity)

    def seek(self, onward: Onward, passage: Passage) -> Plan | Nowhere:
        """What a number leads to, to which a user or a hunt group sends a call on."""
        try:
            return self._seek(onward, passage)
        except Forbidden as error:
            return Nowhere(403, f"Forbidden: {error.detail}")
        except NotFound as error:
            return Nowhere(404, f"Not Found: {error.detail}")
        except Loop as error:
            return Nowhere(482, f"Loop Detected: {error}")

    def _seek(self, onward: Onward, passage: Passage) -> Plan:
        by = self._sender(onward.by)
        try:
            number = read_number(onward.number, self.policy.domain)
        except BadInput:
            raise NotFound(f"{onward.number[:80]!r} is no number.", field="number") from None
        entry = Number(self.canonical(number), number.host)
        path = extend_path(passage.path, entry, self._domain)
        diverted = (*passage.diverted, Diverted(onward.by, onward.reason))
        passage = attrs.evolve(passage, payer=_account(by), path=path, diverted=diverted)
        wish = Wish(onward.follow, voicemail=onward.voicemail, only_voicemail=onward.voicemail)
        plan = self._lead(by, number, passage, wish, seconds=None)
        return plan.with_targets(lambda target: attrs.evolve(target, path=path))

    def _sender(self, name: str) -> User:
        """The user or the hunt group that sends a call on, unless he is gone meanwhile."""
        user = self._accounts.find(name)
        if user is not None and user.enabled:
            return user
        if user is None and self._plans.group(name) is not None:
            return house(name)
        raise Forbidden(f"{name} may not send calls on any more.")

    def permit(self, user: User, number: str) -> None:
        """Raise Forbidden where ``user`` may not send calls on to ``number``, BadInput where it is
        none."""
        cleaned = clean_number(number)
        self.policy.check(user, cleaned)
        if not self.policy.is_local(cleaned) or self._plans.knows(cleaned.user):
            return
        way = find_way(cleaned.user, self._config.route, self._gateways, self._is_well)
        forms = (cleaned.user,) if way is None else way.forms
        permission = "" if way is None else way.permission
        self.policy.check_outside(user, cleaned, forms, permission=permission)

    def inward(self, gateway: Gateway, names: Iterable[str]) -> Number | None:
        """Whom a call that came from ``gateway`` is for.

        ``names`` are those that the call gives him; that of our account is nobody's.
        """
        for name in names:
            if name == gateway.username:
                continue
            for known_as in (name, gateway.incoming_number(name)):
                if self._plans.knows(known_as):
                    return Number(known_as)
        return Number(gateway.incoming) if gateway.incoming else None

    def canonical(self, number: Number) -> str:
        """The name of the user whom ``number`` means, by whatever alias; else its user part."""
        user = self._accounts.find(number.user) if self.policy.is_local(number) else None
        return number.user if user is None else user.name

    def address(self, number: Number) -> str:
        """``number`` as a SIP URI of its domain."""
        return f"sip:{uri_user(number.user)}@{number.host or self._domain}"

    # -- what a number leads to ----------------------------------------------------------------

    def _lead(
        self,
        user: User,
        number: Number,
        passage: Passage,
        wish: Wish,
        *,
        from_phone: bool = False,
        seconds: float | None = 0.0,
    ) -> Plan:
        """The plan; what is no user rings for ``seconds``, 0: as configured."""
        self.policy.check(user, number, from_phone=from_phone)
        if not self.policy.is_local(number):
            return self._single(self._elsewhere(passage, number), passage, seconds)
        callee = self._accounts.find(number.user)
        if callee is not None and callee.enabled:
            return self._to_user(callee, number, passage, wish)
        group = self._plans.group(number.user)
        if group is not None:
            return self._plans.of_group(group, passage)
        parked = self._plans.of_orbit(number.user, passage)
        if parked is not None:
            return parked
        emergency = from_phone and self.policy.is_emergency(number)
        if self._plans.knows(number.user) and not emergency:
            raise NotFound(f"{number} is switched off.", field="number")
        target = self._outside(user, number, passage, from_phone=from_phone, emergency=emergency)
        return self._single(target, passage, seconds)

    def _single(self, target: Target, passage: Passage, seconds: float | None) -> Plan:
        return Plan(((Leaf(target, self._seconds if seconds == 0.0 else seconds),),), passage)

    # -- the users of the house ----------------------------------------------------------------

    def _to_user(self, callee: User, number: Number, passage: Passage, wish: Wish) -> Plan:
        caller = identity.caller_of(passage, private=passage.private)
        to = self.address(number)
        payer, shown_as = self._payer(callee, passage)
        own = tuple(
            (q, self._shown_to(target, caller, to, shown_as))
            for q, target in self._own(callee, payer=payer)
        )
        box = self._voicemail(callee, passage) if wish.voicemail else None
        return self._plans.of_user(callee, own, box, passage, wish)

    def _payer(self, callee: User, passage: Passage) -> tuple[str, str]:
        """The user whose password the PBX gets for the phones of ``callee``, and who is shown as
        calling there where that is not who calls or sends the call on.

        Callers from outside and hunt groups have no password: their calls are the callee's own.
        A PBX that believes us is better told the number of a caller from outside.
        """
        if self._accounts.find(passage.payer) is not None:
            return passage.payer, ""
        insists = bool(passage.diverted) or self._config.call.caller_leg_from == "user"
        return callee.name, callee.name if insists else ""

    def _shown_to(self, target: Target, caller: Caller, to: str, payer: str = "") -> Target:
        """``target``, a phone of the house or the PBX in front of one, told who calls."""
        if target.flow is None and target.routes:
            shown = identity.through_proxy(caller, self._domain, to, payer)
        else:
            shown = identity.within_house(caller, self._domain, to)
        return _telling(target, shown)

    def _own(self, user: User, *, payer: str) -> tuple[tuple[float, Target], ...]:
        """The phones of ``user``: those registered here, else those that the PBX knows.

        Each with its q value.  ``payer`` is the user whose password the PBX may ask for.
        """
        bindings = self._registrations.of(user) if self._config.sip.registrar else ()
        if bindings or not self._proxy:
            name, most = user.name, self._config.limits.parallel_branches
            return tuple(
                (
                    each.q,
                    Target(each.uri, each.flow, each.path, each.user_agent, user=name, label=name),
                )
                for each in bindings[:most]
            )
        uri = f"sip:{uri_user(user.name)}@{self._domain}{OWN_PHONES}"
        target = self._through_proxy(uri, payer)
        return ((1.0, attrs.evolve(target, user=user.name, label=user.name)),)

    def _voicemail(self, callee: User, passage: Passage) -> Leaf | None:
        """The voicemail box of ``callee``."""
        template = self._config.voicemail.uri
        if not (template and callee.voicemail):
            return None
        uri = template.replace("{user}", uri_user(callee.name))
        inside = bool(self._proxy) and parse_uri(uri).host == self.policy.domain
        target = self._through_proxy(uri, callee.name) if inside else Target(uri)
        diverted = (*passage.diverted, Diverted(callee.name, Reason.NO_ANSWER))
        passage = attrs.evolve(passage, payer=callee.name, diverted=diverted)
        caller = identity.caller_of(passage, private=passage.private)
        target = self._shown_to(
            attrs.evolve(target, label=f"voicemail of {callee.name}"), caller, uri
        )
        return Leaf(target, self._seconds)

    # -- the world outside ---------------------------------------------------------------------

    def _elsewhere(self, passage: Passage, number: Number) -> Target:
        """An address of another domain, which DNS knows."""
        uri = self.address(number)
        shown = identity.within_house(
            identity.caller_of(passage, private=passage.private), self._domain, uri
        )
        return _telling(Target(uri, label=str(number)), shown)

    def _outside(
        self,
        user: User,
        number: Number,
        passage: Passage,
        *,
        from_phone: bool,
        emergency: bool,
    ) -> Target:
        caller = identity.caller_of(passage, private=passage.private and not emergency)
        way = find_way(number.user, self._config.route, self._gateways, self._is_well)
        if way is not None:
            self.policy.check_outside(
                user, number, way.forms, permission=way.permission, from_phone=from_phone
            )
            target: Target | None = None
            for attempt in reversed(way.attempts):
                target = self._through_gateway(attempt, caller, target, emergency=emergency)
            if target is not None:
                return attrs.evolve(target, label=str(number))
        elif self._proxy:
            self.policy.check_outside(user, number, (number.user,), from_phone=from_phone)
            uri = self.address(number)
            target = attrs.evolve(self._through_proxy(uri, passage.payer), label=str(number))
            return self._shown_to(target, caller, uri)
        raise NotFound(f"No route leads to {number}.", field="number")

    def _through_gateway(
        self, attempt: Attempt, caller: Caller, fallback: Target | None, *, emergency: bool
    ) -> Target:
        gateway = attempt.gateway
        shown = identity.through_gateway(gateway, caller, attempt.number, emergency=emergency)
        scheme, _, where = gateway.uri.partition(":")
        routes: tuple[str, ...] = ()
        if gateway.domain:
            routes, where = (loose(gateway.uri),), gateway.domain
        target = Target(
            f"{scheme}:{uri_user(attempt.number)}@{where}",
            routes=routes,
            account=gateway_account(gateway.name),
            patience=float(gateway.patience),
            fallback=fallback,
        )
        return _telling(target, shown)

    def _through_proxy(self, uri: str, payer: str) -> Target:
        """By way of the outbound proxy, which may ask for the password of the user ``payer``."""
        known = self._accounts.find(payer)
        account = "" if known is None else user_account(known.name)
        return Target(uri, routes=(self._proxy,), account=account)


def _account(user: User) -> str:
    """For whose account ``user`` calls: callers from outside and hunt groups have none."""
    return "" if user.id in (OUTSIDE, HOUSE) else user.name


def _telling(target: Target, shown: Shown) -> Target:
    return attrs.evolve(target, identity=shown.identity, headers=(*target.headers, *shown.headers))


def loose(uri: str) -> str:
    """A Route value that leads over ``uri`` (RFC 3261 section 16.12); empty for an empty one."""
    if not uri:
        return ""
    return f"<{uri}>" if ";lr" in uri else f"<{uri};lr>"
