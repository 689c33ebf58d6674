"""The composition root: every service, built from the configuration and joined to the others."""

from __future__ import annotations

import os
import random
import time
from typing import Any

import attrs
from twisted.application.service import MultiService
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from sipxd import metrics
from sipxd.call.effects import Target
from sipxd.config import Config
from sipxd.config_values import ListenAddress
from sipxd.directory.user import User
from sipxd.errors import ConfigError
from sipxd.net.guard import Guard
from sipxd.net.listeners import Listeners
from sipxd.net.locator import Locator
from sipxd.net.resolver import Resolver
from sipxd.net.stack import SipStack
from sipxd.net.timers import TimerQueue
from sipxd.service.accounts import Accounts
from sipxd.service.admin import AdminSocket
from sipxd.service.attendants import Attendants
from sipxd.service.authentication import Authentication
from sipxd.service.authorizers import Authorizers
from sipxd.service.branches import Branches
from sipxd.service.call_controller import CallController
from sipxd.service.call_groups import CallGroups
from sipxd.service.call_log import CallLog
from sipxd.service.calls import Calls
from sipxd.service.commands import make_commands
from sipxd.service.conferences import Conferences
from sipxd.service.destinations import Destinations
from sipxd.service.forwardings import Forwardings
from sipxd.service.gateways import Gateways
from sipxd.service.import_users import Importer
from sipxd.service.keepalive import NatKeepalive
from sipxd.service.live import LiveCalls
from sipxd.service.park_orbits import ParkOrbits
from sipxd.service.permissions import Permissions
from sipxd.service.phonebooks import Phonebooks
from sipxd.service.phones import Phones
from sipxd.service.plans import Plans
from sipxd.service.private_phonebooks import PrivatePhonebooks
from sipxd.service.profiles import Profiles
from sipxd.service.recovery import recover
from sipxd.service.registrations import Registrations
from sipxd.service.rehearsals import Rehearsals
from sipxd.service.setting_values import SettingValues
from sipxd.service.settings import Settings
from sipxd.service.signalling import Signalling
from sipxd.service.stack_metrics import StackMetrics
from sipxd.service.telephones import Lines, Telephones
from sipxd.service.tokens import Tokens
from sipxd.service.transfers import Transfers
from sipxd.service.user_groups import UserGroups
from sipxd.service.vault import Vault
from sipxd.store.store import Store
from sipxd.web.services import Services
from sipxd.web.site import build_controller_site, build_metrics_site, build_site
from sipxd.web.tls import load_context, load_sip_tls

_log = Logger()


class App(MultiService):
    """The daemon. `build` makes it, `start` opens it, `stop` ends it in order."""

    store: Store
    accounts: Accounts
    tokens: Tokens
    registrations: Registrations
    phones: Phones
    call_groups: CallGroups
    park_orbits: ParkOrbits
    phonebooks: Phonebooks
    conferences: Conferences
    settings: Settings
    forwardings: Forwardings
    rehearsals: Rehearsals
    call_log: CallLog
    call_controller: CallController
    table: LiveCalls
    calls: Calls
    stack: SipStack
    sip: Listeners
    resolver: Resolver
    locator: Locator
    gateways: Gateways
    timers: TimerQueue

    def __init__(self, config: Config, reactor: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.config = config
        self.web_ports: list[IListeningPort] = []
        self._reactor = reactor
        self._ready = False
        self._opened: list[Any] = []
        """What `stop` has to undo, the last one first: functions, possibly asynchronous."""

    @classmethod
    def build(cls, config: Config, reactor: Any) -> App:
        """An application that is not open yet."""
        return cls(config, reactor)

    async def start(self) -> None:
        """Open everything. Raises ConfigError with the way out, and has nothing open then."""
        try:
            await self._start()
        except BaseException:
            await self._close()
            raise
        self._ready = True

    async def _start(self) -> None:
        config, reactor = self.config, self._reactor
        context = load_context(config.certificate_path, config.private_key_path)
        vault = Vault.open(config.key_path)
        self.store = Store.open(config.database_url, reactor, config.limits.store_queue)
        self._opened.append(self.store.close)
        self.accounts = await Accounts.load(self.store, vault, reactor, config.digest_realm)
        self._opened.append(self.accounts.close)
        self.tokens = Tokens(self.store, self.accounts)
        await self.tokens.load()
        self.registrations = Registrations(self.store, config.limits.bindings_per_user)
        await self.registrations.load()
        self.registrations.follow(self.accounts)
        self.phones = Phones(self.store)
        await self.phones.load()
        self.call_groups = CallGroups(self.store, self.accounts, config.domain)
        await self.call_groups.load()
        self.park_orbits = ParkOrbits(self.store, config.domain)
        await self.park_orbits.load()
        self.conferences = Conferences(self.store, self.accounts)
        await self.conferences.load()
        self.settings = Settings(self.store, self.accounts)
        everyone = config.phonebook.everyone
        self.phonebooks = Phonebooks(self.store, self.accounts, everyone=everyone)
        self.forwardings = Forwardings(
            self.store,
            self.accounts,
            self.call_groups,
            permit=self._permit,
            default_timer=config.call.ring_timeout,
            has_voicemail_service=bool(config.voicemail.uri),
        )
        await self.forwardings.load()
        self.timers = TimerQueue(reactor)
        self._opened.append(self.timers.stop)
        self._start_sip()
        importer = Importer(self.store, self.accounts, config.state_dir, reactor)
        # First of all: where another daemon has this state directory, nothing may be touched.
        commands = make_commands(
            self.accounts,
            self.calls,
            self.phones,
            self.gateways,
            self.forwardings,
            self.rehearsals,
            importer,
        )
        admin = AdminSocket(config.admin_socket, reactor, commands)
        admin.start()
        self._opened.append(admin.stop)
        await importer.tidy()
        lost = await recover(self.store, self.table, self.stack, self.timers)
        if lost:
            _log.warn("{count} calls had not ended when sipxd stopped last time", count=lost)
        self.gateways.start(self.stack, self.locator)
        self._opened.append(self.gateways.stop)
        user_groups = UserGroups(self.store, self.accounts, self.forwardings)
        permissions = Permissions(self.store, self.accounts)
        services = Services(
            config,
            self.accounts,
            self.tokens,
            self.calls,
            self.call_log,
            self.call_controller,
            self.forwardings,
            self.call_groups,
            self.rehearsals,
            registrations=self.registrations,
            park_orbits=self.park_orbits,
            phonebooks=self.phonebooks,
            private_phonebooks=PrivatePhonebooks(self.store),
            profiles=Profiles(self.store, self.accounts),
            settings=self.settings,
            conferences=self.conferences,
            user_groups=user_groups,
            branches=Branches(self.store, self.accounts),
            permissions=permissions,
            setting_values=SettingValues(
                self.accounts, self.forwardings, self.settings, permissions, user_groups
            ),
            attendants=Attendants(self.store),
            telephones=Telephones(self.store),
            lines=Lines(self.accounts, config.domain),
            ready=lambda: self._ready,
        )
        site = build_site(services, reactor=reactor)
        for address in config.web.addresses:
            factory = TLSMemoryBIOFactory(context, False, site)
            self.web_ports.append(self._listen(address, factory, "[web] listen"))
            bound: Any = self.web_ports[-1].getHost()
            _log.info("HTTPS on {address}", address=attrs.evolve(address, port=bound.port))
        controller = build_controller_site(services, reactor=reactor)
        for address in config.web.callcontroller_addresses:
            factory = TLSMemoryBIOFactory(context, False, controller)
            self.web_ports.append(self._listen(address, factory, "[web] callcontroller_listen"))
            _log.info("HTTPS for the call controller on {address}", address=address)
        if config.web.metrics_address is not None:
            self._start_metrics(config.web.metrics_address)
        self._opened.append(self.calls.close)

    def _permit(self, user: User, number: str) -> None:
        self.calls.destinations.permit(user, number)

    def _start_sip(self) -> None:
        config = self.config
        authorizers = Authorizers(config, self.accounts, os.urandom)
        # A queue of its own, because looking after gateways never ends and calls do.
        looking_after = TimerQueue(self._reactor)
        self._opened.append(looking_after.stop)
        self.gateways = Gateways(
            config.gateway,
            looking_after,
            authorizers.of,
            random=random.SystemRandom(),
            octets=os.urandom,
        )
        self.table = LiveCalls(
            self.store,
            self.timers,
            self.phones,
            session_expires=config.call.session_expires,
            authorizer=authorizers.of,
        )
        plans = Plans(
            self.accounts,
            self.forwardings,
            self.call_groups,
            self.park_orbits,
            time_zone=config.call.time_zone,
            is_holiday=self.forwardings.holidays.is_holiday,
        )
        destinations = Destinations(
            config, self.accounts, self.registrations, plans, self.gateways.is_well
        )
        self.calls = Calls(config, destinations, self.store, self.table, self.timers)
        self.call_log = CallLog(config.domain, self.calls, self.accounts, self.store, time.time)
        self.rehearsals = Rehearsals(
            config.domain,
            self.accounts,
            self.forwardings,
            self.call_groups.house,
            destinations,
            time.time,
        )
        authentication = Authentication(
            config, self.accounts, random=os.urandom, gateway_at=self.gateways.at
        )
        transfers = Transfers(authentication, self.accounts, destinations, self.table)
        self.call_controller = CallController(self.calls, transfers, time.time)
        signalling = Signalling(
            authentication,
            self.registrations,
            self.calls,
            transfers,
            self.table,
            random=os.urandom,
        )
        self.stack = SipStack(
            self._reactor,
            self.timers,
            signalling,
            limit=config.limits.transactions,
            random=random.SystemRandom(),
            guard=Guard(
                config.limits.source_requests,
                config.limits.ban_seconds,
                authentication.is_trusted,
            ),
            is_live=lambda user: self.table.find_leg(user) is not None,
            emergency=config.call.emergency,
        )
        for binding in self.registrations.all():
            self.stack.prove(binding.flow)
        signalling.join_stack(self.stack)
        self.sip = Listeners(
            self._reactor,
            config,
            self.stack,
            exempt=authentication.is_trusted,
            tls=lambda: load_sip_tls(config),
        )
        self._opened.append(self.sip.close)
        self.sip.listen()
        self.registrations.join_stack(self.stack)
        if config.sip.nat_keepalive:
            keepalive = NatKeepalive(
                self._reactor,
                self.stack,
                config.sip.nat_keepalive,
                config.domain,
                self.registrations.of_id,
                os.urandom,
            )
            self._opened.append(keepalive.stop)
            self.registrations.keep_alive(keepalive)
        self.resolver = Resolver(
            self._reactor, config.sip.dns, self.stack.available, random.SystemRandom()
        )
        self._opened.append(self.resolver.close)
        self.locator = Locator(self.resolver, self.stack)
        self.table.join_stack(self.stack, self.locator)
        self.calls.is_overloaded = lambda: self.stack.intake.overloaded
        self.calls.ringback = Target(config.call.ringback) if config.call.ringback else None
        self.calls.busy_tone = Target(config.call.busy_tone) if config.call.busy_tone else None

    def _start_metrics(self, address: ListenAddress) -> None:
        collector = StackMetrics(
            self.stack, self.sip, self.table, self.timers, self.gateways, self.config.gateway
        )
        metrics.registry.register(collector)
        self._opened.append(lambda: metrics.registry.unregister(collector))
        site = build_metrics_site(reactor=self._reactor, registry=metrics.registry)
        self._listen(address, site, "[web] metrics_listen")

    def _listen(self, address: ListenAddress, factory: Any, option: str) -> IListeningPort:
        try:
            port: IListeningPort = self._reactor.listenTCP(
                address.port, factory, interface=address.host
            )
        except CannotListenError as error:
            raise ConfigError(
                f"cannot listen on {address}: {error.socketError.strerror}; stop the program that "
                f"uses it, or choose another port in {option}"
            ) from None
        self._opened.append(port.stopListening)
        return port

    async def probe(self) -> None:
        """A sign of life: the reactor came here and the database answers. Raises where not."""
        await self.store.read("probe", lambda connection: connection.exec_driver_sql("SELECT 1"))

    async def stop(self) -> None:
        """End calls with BYE, write down what is left to write, close every port."""
        self._ready = False
        await self._close()

    async def _close(self) -> None:
        while self._opened:
            try:
                await maybeDeferred(self._opened.pop())
            except Exception:
                _log.failure("something could not be closed")
