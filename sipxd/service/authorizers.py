"""Whose password answers a challenge: the accounts with the outbound proxy and with gateways.

A leg that may be challenged names its account.  Credentials are made for that account's realm and
for no other, so that a stranger who asks gets nothing (`sipxd.sip.credentials`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from sipxd import ids
from sipxd.config import Config
from sipxd.directory.gateway import Gateway
from sipxd.errors import NotFound
from sipxd.service.accounts import Accounts
from sipxd.sip.credentials import Authorizer

MAXIMUM_KEPT = 10_000
"""Accounts whose nonces are remembered; without one, a request is challenged first."""


def user_account(name: str) -> str:
    """The account of a user with the outbound proxy."""
    return f"user:{name}"


def gateway_account(name: str) -> str:
    """Our account with a gateway."""
    return f"gateway:{name}"


class Authorizers:
    """The credentials of every account. ``random`` gives n random bytes.

    An account keeps its nonces between calls: the next request is let in at once.
    """

    def __init__(self, config: Config, accounts: Accounts, random: Callable[[int], bytes]) -> None:
        self._proxy = config.sip.outbound_proxy
        self._realm = config.realm_or_domain
        self._gateways = {gateway.name: gateway for gateway in config.gateway}
        self._accounts = accounts
        self._random = random
        self._kept: OrderedDict[str, tuple[str, Authorizer]] = OrderedDict()

    def of(self, account: str) -> Authorizer | None:
        """The credentials of ``account``; None where there are none."""
        kind, _, name = account.partition(":")
        if kind == "gateway":
            return self._of_gateway(account, self._gateways[name])
        if kind == "user" and self._proxy:
            return self._of_user(account, name)
        return None

    def _of_user(self, account: str, name: str) -> Authorizer | None:
        user = self._accounts.find(name)
        if user is None or not user.enabled:
            return None
        try:
            secret = self._accounts.sip_password(user)
        except NotFound:
            return None
        return self._keep(account, user.name, secret, self._realm)

    def _of_gateway(self, account: str, gateway: Gateway) -> Authorizer | None:
        if not gateway.username:
            return None
        return self._keep(account, gateway.username, gateway.password, gateway.realm_or_domain)

    def _keep(self, account: str, username: str, secret: str, realm: str) -> Authorizer:
        kept = self._kept.get(account)
        if kept is not None and kept[0] == secret:  # else the password was changed
            self._kept.move_to_end(account)
            return kept[1]
        authorizer = Authorizer(username, secret, realm, lambda: ids.tag(self._random))
        self._kept[account] = secret, authorizer
        if len(self._kept) > MAXIMUM_KEPT:
            self._kept.popitem(last=False)
        return authorizer
