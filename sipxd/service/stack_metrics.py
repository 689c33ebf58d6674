"""What Prometheus is shown of the SIP side at the moment when it asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from sipxd.directory.gateway import Gateway
from sipxd.net.listeners import Listeners
from sipxd.net.stack import SipStack
from sipxd.net.timers import TimerQueue
from sipxd.service.gateways import Gateways
from sipxd.service.live import LiveCalls


class StackMetrics:
    """What the stack and the calls count, shown to Prometheus when it asks."""

    def __init__(
        self,
        stack: SipStack,
        listeners: Listeners,
        calls: LiveCalls,
        timers: TimerQueue,
        gateways: Gateways,
        configured: Iterable[Gateway],
    ) -> None:
        self._stack = stack
        self._listeners = listeners
        self._calls = calls
        self._timers = timers
        self._gateways = gateways
        self._configured = configured

    def collect(self) -> Iterator[Metric]:
        """The families of this moment."""
        counts = self._stack.counts
        events = CounterMetricFamily(
            "sipxd_sip_events", "What the SIP stack dropped, refused or repeated", labels=["event"]
        )
        for name, count in sorted(counts.items()):
            events.add_metric([name], count)
        yield events
        yield CounterMetricFamily(
            "sipxd_sip_malformed",
            "Packets dropped because they are no message",
            counts["unparsable"],
        )
        yield CounterMetricFamily(
            "sipxd_sip_rejected", "Requests answered with an error", counts["request_invalid"]
        )
        transactions = GaugeMetricFamily(
            "sipxd_sip_transactions", "SIP transactions, lingering ones included", labels=["side"]
        )
        transactions.add_metric(["client"], self._stack.client_count)
        transactions.add_metric(["server"], self._stack.server_count)
        yield transactions
        yield GaugeMetricFamily(
            "sipxd_sip_connections",
            "SIP connections over TCP and TLS",
            len(self._listeners.connections),
        )
        yield from self._guarding()
        yield from self._of_gateways()
        yield GaugeMetricFamily("sipxd_legs_live", "Legs of calls", self._calls.leg_count)
        yield GaugeMetricFamily("sipxd_timers", "Timers that wait", len(self._timers))

    def _of_gateways(self) -> Iterator[Metric]:
        gateways = self._gateways
        well = GaugeMetricFamily(
            "sipxd_gateway_well", "Whether nothing is wrong with a gateway", labels=["gateway"]
        )
        registered = GaugeMetricFamily(
            "sipxd_gateway_registered", "Whether sipxd is registered there", labels=["gateway"]
        )
        for gateway in self._configured:
            well.add_metric([gateway.name], gateways.is_well(gateway.name))
            there = gateways.is_registered(gateway.name)
            if there is not None:
                registered.add_metric([gateway.name], there)
        yield well
        yield registered

    def _guarding(self) -> Iterator[Metric]:
        """How full the tables are that strangers can fill."""
        stack = self._stack
        yield GaugeMetricFamily(
            "sipxd_sip_waiting", "SIP messages that wait to be worked on", stack.intake.waiting
        )
        if (guard := stack.guard) is None:
            return
        sources = GaugeMetricFamily(
            "sipxd_sip_sources", "Addresses that SIP came from, by what is thought of them",
            labels=["kind"],
        )  # fmt: skip
        sources.add_metric(["stranger"], guard.sources)
        sources.add_metric(["banned"], guard.banned(self._timers.seconds()))
        sources.add_metric(["proven"], guard.proven)
        yield sources
