"""The gateways as they are now: where they are, whether they are well, our registrations there."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import DeferredList

from sipxd import ids
from sipxd.directory.gateway import Gateway
from sipxd.net.address import format_address
from sipxd.net.locator import Locator
from sipxd.net.stack import SipStack
from sipxd.net.timers import TimerQueue
from sipxd.service.authorizers import gateway_account
from sipxd.service.destinations import loose
from sipxd.service.gateway_health import GatewayHealth
from sipxd.service.live import USER_AGENT
from sipxd.service.own_registration import OwnRegistration
from sipxd.sip.credentials import Authorizer
from sipxd.sip.registration import Random, Registration


@attrs.frozen
class GatewayStatus:
    """A gateway as operators are shown it."""

    name: str
    uri: str
    addresses: tuple[str, ...]
    """Where it is, as ``udp:192.0.2.1:5060``; none: it has not been found."""
    health: str
    """``well``, ``ill``, or ``not asked``."""
    registration: str
    """How far our registration there is; empty where there shall be none."""
    sentence: str
    """What is wrong; empty where nothing is."""


class Gateways:
    """Every gateway. ``random`` spreads what would come at once, ``octets`` gives random bytes."""

    def __init__(
        self,
        gateways: tuple[Gateway, ...],
        timers: TimerQueue,
        authorizer: Callable[[str], Authorizer | None],
        *,
        random: Random,
        octets: Callable[[int], bytes],
    ) -> None:
        self._gateways = gateways
        self._timers = timers
        self._authorizer = authorizer
        self._random = random
        self._octets = octets
        self._health: dict[str, GatewayHealth] = {}
        self._registrations: dict[str, OwnRegistration] = {}

    def start(self, stack: SipStack, locator: Locator) -> None:
        """Look after them from now on."""
        for gateway in self._gateways:
            self._health[gateway.name] = GatewayHealth(
                gateway, stack, locator, self._timers, random=self._random, octets=self._octets
            )
            if gateway.register:
                self._registrations[gateway.name] = OwnRegistration(
                    gateway, self._registration(gateway), stack, locator, self._timers
                )
        for health in self._health.values():
            health.start()
        for registration in self._registrations.values():
            registration.start()

    async def stop(self) -> None:
        """Take every registration back, and look after none any more."""
        for health in self._health.values():
            health.stop()
        await DeferredList([registration.stop() for registration in self._registrations.values()])

    def is_well(self, name: str) -> bool:
        """Whether nothing is known to be wrong with the gateway."""
        health = self._health.get(name)
        return health is None or not health.illness

    def at(self, host: str) -> Gateway | None:
        """The gateway that is at the address ``host``."""
        for gateway in self._gateways:
            health = self._health.get(gateway.name)
            if health is not None and any(flow.host == host for flow in health.flows):
                return gateway
        return None

    def all(self) -> list[GatewayStatus]:
        """What operators are shown, in the order of the configuration."""
        return [self._status(gateway) for gateway in self._gateways if gateway.name in self._health]

    def is_registered(self, name: str) -> bool | None:
        """Whether we are registered with the gateway; None where we shall not be."""
        registration = self._registrations.get(name)
        return None if registration is None else registration.machine.is_registered

    def _status(self, gateway: Gateway) -> GatewayStatus:
        health = self._health[gateway.name]
        own = self._registrations.get(gateway.name)
        asked = "well" if health.asked else "not asked"
        return GatewayStatus(
            gateway.name,
            gateway.uri,
            tuple(f"{f.transport.lower()}:{format_address(f.host, f.port)}" for f in health.flows),
            "ill" if health.illness else asked,
            "" if own is None else str(own.machine.state),
            health.illness or ("" if own is None else own.machine.sentence),
        )

    def _registration(self, gateway: Gateway) -> Registration:
        domain = gateway.domain_or_host
        return Registration(
            f"sip:{domain}" if gateway.domain else gateway.uri,
            f"sip:{gateway.username}@{domain}",
            expires=gateway.expires,
            call_id=ids.sip_call_id(self._octets),
            tag=ids.tag(self._octets),
            user_agent=USER_AGENT,
            routes=(loose(gateway.uri),) if gateway.domain else (),
            authorizer=self._authorizer(gateway_account(gateway.name)),
            random=self._random,
        )
