"""Where calls go: a user's own phones, and whatever a number leads to."""

from __future__ import annotations

from sipxd.call.call import Destination
from sipxd.call.effects import Identity, Target
from sipxd.call.numbers import Number, uri_user
from sipxd.call.policy import DialPolicy
from sipxd.config import Config
from sipxd.directory.user import User
from sipxd.errors import NotFound
from sipxd.service.accounts import Accounts
from sipxd.service.registrations import Registrations
from sipxd.sip.headers import NameAddr
from sipxd.sip.registrar import Binding


class Destinations:
    """The one place that turns a number into targets, for whatever door a call comes through."""

    def __init__(self, config: Config, accounts: Accounts, registrations: Registrations) -> None:
        self.policy = DialPolicy(config.domain.lower(), config.call.emergency)
        self._config = config
        self._accounts = accounts
        self._registrations = registrations
        self._seconds = float(config.call.ring_timeout)

    def own_phones(self, user: User, number: Number) -> Destination:
        """The phones of ``user``, shown that they are to call ``number``. Raises NotFound."""
        own = self._registrations.of(user)
        if not own:
            raise NotFound(
                f"No phone of {user.name} is registered; switch it on, or check its account.",
                field="user",
            )
        identity = Identity(f"<{self.address(number)}>", f"<{self._uri(user)}>")
        return Destination(self._targets(own), identity, self._seconds)

    def find(self, user: User, number: Number) -> Destination:
        """What ``number`` leads to when ``user`` calls it. Raises NotFound."""
        phones = self._phones(self._callee(number))
        identity = Identity(self._caller_id(user), f"<{self.address(number)}>")
        return Destination(self._targets(phones), identity, self._seconds)

    def address(self, number: Number) -> str:
        """``number`` as a SIP URI of its domain."""
        return f"sip:{uri_user(number.user)}@{number.host or self._config.domain}"

    def _callee(self, number: Number) -> User:
        if self.policy.is_local(number):
            callee = self._accounts.find(number.user)
            if callee is not None and callee.enabled:
                return callee
        raise NotFound(f"No route leads to {number}.", field="number")

    def _phones(self, callee: User) -> tuple[Binding, ...]:
        phones = self._registrations.of(callee)
        if not phones:
            raise NotFound(f"No phone of {callee.name} is registered.", field="number")
        return phones

    def _targets(self, bindings: tuple[Binding, ...]) -> tuple[Target, ...]:
        return tuple(
            Target(binding.uri, binding.flow, binding.path, binding.user_agent)
            for binding in bindings[: self._config.limits.parallel_branches]
        )

    def _uri(self, user: User) -> str:
        return f"sip:{uri_user(user.name)}@{self._config.domain}"

    def _caller_id(self, user: User) -> str:
        display = f"{user.first_name} {user.last_name}".strip()
        return str(NameAddr(self._uri(user), display))
