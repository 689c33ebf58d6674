"""What a runner needs: the machine of its call, and the service around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred

from sipxd.call import effects as do
from sipxd.call.call import Phase
from sipxd.call.phones import Refusal
from sipxd.call.plan import Plan
from sipxd.sip import leg as sip
from sipxd.sip.credentials import Authorizer
from sipxd.sip.flow import Flow

if TYPE_CHECKING:
    from sipxd.service.runner import CallRunner


class Machine(Protocol):
    """What the runner needs of a call (`sipxd.call.call.Call`)."""

    phase: Phase

    def leg_event(self, leg: str, event: sip.Event) -> list[do.Effect]: ...

    def found(self, branch: str, plan: Plan) -> list[do.Effect]: ...

    def not_found(self, branch: str, status: int, text: str) -> list[do.Effect]: ...

    def timer(self, name: str) -> list[do.Effect]: ...

    def hang_up(self, who: str, sentence: str) -> list[do.Effect]: ...


class Surroundings(Protocol):
    """What a runner needs of the service around it."""

    def local(self, leg_id: str, flow: Flow) -> sip.Local:
        """Our side of a leg over ``flow``. Raises OSError where there is no way out."""
        ...

    def locate(self, uri: str) -> Deferred[tuple[Flow, ...]]:
        """The flows that lead to ``uri``, at least one; fails with a sentence."""
        ...

    def known(self, uri: str) -> Flow | None:
        """The first of them, where DNS need not be asked."""
        ...

    def authorizer(self, account: str) -> Authorizer | None:
        """The credentials that answer a challenge; None: nobody's."""
        ...

    def leg_id(self) -> str: ...

    def sip_call_id(self) -> str: ...

    def leg_started(self, leg_id: str, runner: CallRunner, name: str) -> None: ...

    def referred(self, runner: CallRunner, ask: do.AskReferral) -> None:
        """Find out where a referral leads, and tell the call of ``runner``."""
        ...

    def sought(self, runner: CallRunner, ask: do.Seek) -> None:
        """Find out where a branch leads, and tell the call of ``runner``."""
        ...

    def transfer_told(self, runner: CallRunner, told: do.TransferTold) -> None:
        """Tell whoever has asked for it over an API how a transfer goes."""
        ...

    def await_return(self, token: str, runner: CallRunner, flow: Flow) -> str:
        """Await the phone behind ``flow`` at the URI that this gives. Raises OSError."""
        ...

    def leg_gone(self, leg_id: str) -> None: ...

    def step(
        self,
        runner: CallRunner,
        kind: str,
        changes: dict[str, Any],
        now: tuple[str, ...],
        data: dict[str, Any],
    ) -> None:
        """Evolve the record and hand the step to the store."""
        ...

    def remember(self, user_agent: str, refuses: Refusal) -> None:
        """Phones that call themselves so refuse that."""
        ...

    def over(self, runner: CallRunner) -> None:
        """The call has ended and none of its legs is left."""
        ...
