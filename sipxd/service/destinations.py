"""Where calls go: a user's own phones, and whatever a number leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from sipxd.call import identity
from sipxd.call.call import Destination
from sipxd.call.effects import Target
from sipxd.call.identity import Caller, Shown
from sipxd.call.numbers import Number, uri_user
from sipxd.call.policy import OUTSIDE, DialPolicy
from sipxd.call.routing import Attempt, find_way
from sipxd.config import Config
from sipxd.directory.gateway import Gateway
from sipxd.directory.user import User
from sipxd.errors import NotFound
from sipxd.service.accounts import Accounts
from sipxd.service.authorizers import gateway_account, user_account
from sipxd.service.registrations import Registrations
from sipxd.sip.registrar import Binding

OWN_PHONES = ";sipx-userforward=false"
"""Tells a PBX that a number means the phones of its user, and not whatever he forwards to."""


class Destinations:
    """The one place that turns a number into targets, for whatever door a call comes through.

    A number leads, in this order, to: the phones of the user who has it; the gateways of the first
    route that matches it; the outbound proxy.  A number of another domain leads to that domain.
    ``is_well`` tells whether a gateway is in good health.
    """

    def __init__(
        self,
        config: Config,
        accounts: Accounts,
        registrations: Registrations,
        is_well: Callable[[str], bool] = lambda gateway: True,
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
        self._is_well = is_well
        self._gateways = {gateway.name: gateway for gateway in config.gateway}
        self._proxy = loose(config.sip.outbound_proxy)
        self._seconds = float(config.call.ring_timeout)

    # -- entrances -----------------------------------------------------------------------------

    def own_phones(self, user: User, number: Number) -> Destination:
        """The phones of ``user``, shown that they are to call ``number``. Raises NotFound."""
        targets = self._own_targets(user, payer=user)
        if not targets:
            raise NotFound(
                f"No phone of {user.name} is registered; switch it on, or check its account.",
                field="user",
            )
        shown = identity.own_phone(
            user.name,
            number,
            self._domain,
            self._config.call.caller_leg_from,
            through_proxy=targets[0].flow is None,
        )
        return Destination(targets, shown, self._seconds)

    def find(
        self,
        user: User,
        number: Number,
        *,
        from_phone: bool = False,
        caller: User | None = None,
        private: bool = False,
    ) -> Destination:
        """What ``number`` leads to when ``user`` calls it, where the dial policy lets him.

        This is the entrance for every door; nobody has to ask the policy beside it.  ``user`` is
        the one under whose permissions and for whose account the call is made: who calls, and for a
        transfer, a redirect or a forward the one who sends the call on; then ``caller`` is who is
        shown as calling.  ``from_phone``: the number was dialled on a phone as it stands, so that
        calls for help pass; never so for transfers and redirects.  ``private``: the caller does not
        want to be known.  Raises Forbidden, NotFound.
        """
        self.policy.check(user, number, from_phone=from_phone)
        emergency = from_phone and self.policy.is_emergency(number)
        shown = _caller(user, caller or user, private=private and not emergency)
        if not self.policy.is_local(number):
            return self._elsewhere(shown, self.address(number))
        callee = self._accounts.find(number.user)
        if callee is not None and callee.enabled:
            return self._to_user(user, callee, shown, number)
        return self._outside(user, number, shown, from_phone=from_phone, emergency=emergency)

    def inward(self, gateway: Gateway, names: Iterable[str]) -> Number | None:
        """Whom a call that came from ``gateway`` is for.

        ``names`` are those that the call gives him; that of our account is nobody's.
        """
        for name in names:
            if name != gateway.username and self._accounts.find(name) is not None:
                return Number(name)
        return Number(gateway.incoming) if gateway.incoming else None

    def address(self, number: Number) -> str:
        """``number`` as a SIP URI of its domain."""
        return f"sip:{uri_user(number.user)}@{number.host or self._domain}"

    # -- the users of the house ----------------------------------------------------------------

    def _to_user(self, user: User, callee: User, caller: Caller, number: Number) -> Destination:
        targets = self._own_targets(callee, payer=user)
        if not targets:
            raise NotFound(f"No phone of {callee.name} is registered.", field="number")
        to = self.address(number)
        if targets[0].flow is None:
            shown = identity.through_proxy(caller, self._domain, to)
        else:
            shown = identity.within_house(caller, self._domain, to)
        return self._destination(
            tuple(attrs.evolve(target, headers=shown.headers) for target in targets), shown
        )

    def _own_targets(self, user: User, *, payer: User) -> tuple[Target, ...]:
        """The phones of ``user``: those registered here, else those that the PBX knows.

        ``payer`` is the user whose password the PBX may ask for.
        """
        bindings: tuple[Binding, ...] = ()
        if self._config.sip.registrar:
            bindings = self._registrations.of(user)
        if bindings or not self._proxy:
            return tuple(
                Target(binding.uri, binding.flow, binding.path, binding.user_agent, user=user.name)
                for binding in bindings[: self._config.limits.parallel_branches]
            )
        uri = f"sip:{uri_user(user.name)}@{self._domain}{OWN_PHONES}"
        return (attrs.evolve(self._through_proxy(uri, payer), user=user.name),)

    # -- the world outside ---------------------------------------------------------------------

    def _elsewhere(self, caller: Caller, uri: str) -> Destination:
        """An address of another domain, which DNS knows."""
        shown = identity.within_house(caller, self._domain, uri)
        return self._destination((Target(uri, headers=shown.headers),), shown)

    def _outside(
        self, user: User, number: Number, caller: Caller, *, from_phone: bool, emergency: bool
    ) -> Destination:
        way = find_way(number.user, self._config.route, self._gateways, self._is_well)
        if way is not None:
            self.policy.check_outside(
                user, number, way.forms, permission=way.permission, from_phone=from_phone
            )
            target: Target | None = None
            for attempt in reversed(way.attempts):
                target = self._through_gateway(attempt, caller, target, emergency=emergency)
            if target is not None:
                assert target.identity is not None
                return Destination((target,), target.identity, self._seconds)
        elif self._proxy:
            self.policy.check_outside(user, number, (number.user,), from_phone=from_phone)
            uri = self.address(number)
            shown = identity.through_proxy(caller, self._domain, uri)
            target = attrs.evolve(self._through_proxy(uri, user), headers=shown.headers)
            return self._destination((target,), shown)
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
        return Target(
            f"{scheme}:{uri_user(attempt.number)}@{where}",
            routes=routes,
            identity=shown.identity,
            headers=shown.headers,
            account=gateway_account(gateway.name),
            patience=float(gateway.patience),
            fallback=fallback,
        )

    def _through_proxy(self, uri: str, payer: User) -> Target:
        account = user_account(payer.name) if payer.id != OUTSIDE else ""
        return Target(uri, routes=(self._proxy,), account=account)

    def _destination(self, targets: tuple[Target, ...], shown: Shown) -> Destination:
        return Destination(targets, shown.identity, self._seconds)


def _caller(user: User, caller: User, *, private: bool) -> Caller:
    return Caller(
        caller.name,
        f"{caller.first_name} {caller.last_name}".strip(),
        private,
        outside=caller.id == OUTSIDE,
        sent_on_by=user.name if user.id != caller.id else "",
    )


def loose(uri: str) -> str:
    """A Route value that leads over ``uri`` (RFC 3261 section 16.12); empty for an empty one."""
    if not uri:
        return ""
    return f"<{uri}>" if ";lr" in uri else f"<{uri};lr>"
