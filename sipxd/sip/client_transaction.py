"""The client transactions (RFC 3261 section 17.1, RFC 6026 section 7.2).

ClientInvite:

    state      event           next       effects                                    RFC
    Calling    start           Calling    Send, A (T1, unreliable), B (64*T1)        3261 17.1.1.2
    Calling    timer A         Calling    Send, A (doubled)                          3261 17.1.1.2
    Calling    timer B         Accepted   Failed 408, M (see below)                  3261 17.1.1.2
    Calling    cancel          Calling    none: the CANCEL waits for a 1xx           3261 9.1
    Calling    1xx             Proceeding stop A and B, Deliver (SendCancel, B)      3261 17.1.1.2
    Proceeding 1xx             Proceeding Deliver                                    3261 17.1.1.2
    Proceeding cancel          Proceeding SendCancel, B (64*T1)                      3261 9.1
    Proceeding timer B         Accepted   Failed 408, M (see below)                  3261 9.1
    both       2xx             Accepted   stop A and B, M (64*T1), Deliver           6026 8.4
    both       300 to 699      Completed  Send ACK, D (32 s, unreliable), Deliver    3261 17.1.1.2
    both       sending failed  Terminated Failed 503                                 3261 17.1.4
    Accepted   2xx             Accepted   Deliver (to be acknowledged again)         6026 8.4
    Accepted   timer M         Terminated                                            6026 8.4
    Completed  300 to 699      Completed  Send ACK                                   3261 17.1.1.2
    Completed  timer D         Terminated                                            3261 17.1.1.2
    Completed  sending failed  Completed  none: the ACK is sent again on demand      -

After a time-out the machine waits in Accepted where RFC 3261 ends it: a telephone may still answer,
and its late 2xx must reach the user, to be acknowledged and ended with BYE.

ClientNonInvite:

    state      event           next       effects                                    RFC
    Trying     start           Trying     Send, E (T1, unreliable), F (64*T1)        3261 17.1.2.2
    Trying     timer E         Trying     Send, E (doubled, at most T2)              3261 17.1.2.2
    Trying     1xx             Proceeding Deliver                                    3261 17.1.2.2
    Proceeding timer E         Proceeding Send, E (T2)                               3261 17.1.2.2
    both       timer F         Terminated Failed 408                                 3261 17.1.2.2
    both       200 to 699      Completed  stop E and F, K (T4, unreliable), Deliver  3261 17.1.2.2
    both       sending failed  Terminated Failed 503                                 3261 17.1.4
    Completed  timer K         Terminated                                            3261 17.1.2.2
"""

from __future__ import annotations

import enum

from sipxd.sip.message import Request, Response
from sipxd.sip.transaction import (
    LIFETIME,
    NOTHING,
    T1,
    T2,
    T4,
    TERMINATED,
    Deliver,
    Effect,
    Effects,
    Failed,
    Send,
    SendCancel,
    StartTimer,
    StopTimer,
    ack_for,
)


class ClientState(enum.Enum):
    """Where a client transaction stands."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    TERMINATED = "terminated"


_START_A = StartTimer("A", T1)
_START_B = StartTimer("B", LIFETIME)
_START_D = StartTimer("D", LIFETIME)
_START_E = StartTimer("E", T1)
_START_F = StartTimer("F", LIFETIME)
_START_K = StartTimer("K", T4)
_START_M = StartTimer("M", LIFETIME)
_STOP_A = StopTimer("A")
_STOP_B = StopTimer("B")
_STOP_E = StopTimer("E")
_STOP_F = StopTimer("F")
_TIMED_OUT = Failed(408)
_NOT_SENT = Failed(503)
_SEND_CANCEL = SendCancel()


class ClientInvite:
    """The INVITE client transaction.

    ``request`` is the INVITE with our Via on top, ``data`` its octets, ``reliable`` whether the
    transport is.  What is not needed any more is let go, because many of these wait for their end.
    """

    __slots__ = ("_ack", "_cancelled", "_data", "_interval", "_reliable", "request", "state")

    def __init__(self, request: Request, data: bytes, reliable: bool) -> None:
        self.state = ClientState.CALLING
        self.request: Request | None = request
        self._data = data
        self._reliable = reliable
        self._interval = T1
        self._cancelled = False
        self._ack = b""

    def start(self) -> Effects:
        """Send the INVITE; called once."""
        if self._reliable:
            return (Send(self._data), _START_B)
        return (Send(self._data), _START_A, _START_B)

    def receive(self, response: Response) -> Effects:
        """A response with our branch and the method INVITE has come."""
        state = self.state
        status = response.status
        if state is ClientState.CALLING or state is ClientState.PROCEEDING:
            if status < 200:
                return self._provisional(response)
            if status < 300:
                self._let_go(ClientState.ACCEPTED)
                return (_STOP_A, _STOP_B, _START_M, Deliver(response))
            return self._refused(response)
        if state is ClientState.ACCEPTED:
            return (Deliver(response),) if 200 <= status < 300 else NOTHING
        if state is ClientState.COMPLETED and status >= 300:
            return (Send(self._ack),)
        return NOTHING

    def cancel(self) -> Effects:
        """The user wants the call no more; the CANCEL goes out once the peer has shown itself."""
        if self._cancelled or self.request is None:
            return NOTHING
        if self.state is ClientState.CALLING:
            self._cancelled = True
        elif self.state is ClientState.PROCEEDING:
            self._cancelled = True
            return (_SEND_CANCEL, _START_B)
        return NOTHING

    @property
    def cancelled(self) -> bool:
        """Whether the user wants the call no more."""
        return self._cancelled

    def timer(self, name: str) -> Effects:
        """A timer has fired."""
        state = self.state
        if name == "A":
            if state is not ClientState.CALLING or self._reliable:
                return NOTHING
            self._interval *= 2
            return (Send(self._data), StartTimer("A", self._interval))
        if name == "B":
            if state is ClientState.CALLING or state is ClientState.PROCEEDING:
                self._let_go(ClientState.ACCEPTED)
                return (_STOP_A, _START_M, _TIMED_OUT)
            return NOTHING
        if (name == "M" and state is ClientState.ACCEPTED) or (
            name == "D" and state is ClientState.COMPLETED
        ):
            self._let_go(ClientState.TERMINATED)
            return (TERMINATED,)
        return NOTHING

    def sending_failed(self) -> Effects:
        """The transport could not send the INVITE or its ACK."""
        if self.state is ClientState.CALLING or self.state is ClientState.PROCEEDING:
            self._let_go(ClientState.TERMINATED)
            return (_STOP_A, _STOP_B, _NOT_SENT, TERMINATED)
        return NOTHING

    def _provisional(self, response: Response) -> Effects:
        if self.state is ClientState.PROCEEDING:
            return (Deliver(response),)
        self.state = ClientState.PROCEEDING
        self._data = b""
        effects: list[Effect] = [_STOP_A, _STOP_B]
        if self._cancelled:
            effects += [_SEND_CANCEL, _START_B]
        effects.append(Deliver(response))
        return effects

    def _refused(self, response: Response) -> Effects:
        assert self.request is not None
        self._ack = ack_for(self.request, response).encode()
        acknowledge = Send(self._ack)
        if self._reliable:
            self._let_go(ClientState.TERMINATED)
            return (_STOP_A, _STOP_B, acknowledge, Deliver(response), TERMINATED)
        self._let_go(ClientState.COMPLETED)
        return (_STOP_A, _STOP_B, acknowledge, _START_D, Deliver(response))

    def _let_go(self, state: ClientState) -> None:
        self.state = state
        self.request = None
        self._data = b""


class ClientNonInvite:
    """The client transaction of every method but INVITE and ACK.

    ``data`` are the octets of the request with our Via on top; ``reliable`` as for ClientInvite.
    """

    __slots__ = ("_data", "_interval", "_reliable", "state")

    def __init__(self, data: bytes, reliable: bool) -> None:
        self.state = ClientState.TRYING
        self._data = data
        self._reliable = reliable
        self._interval = T1

    def start(self) -> Effects:
        """Send the request; called once."""
        if self._reliable:
            return (Send(self._data), _START_F)
        return (Send(self._data), _START_E, _START_F)

    def receive(self, response: Response) -> Effects:
        """A response with our branch and method has come."""
        if self.state is not ClientState.TRYING and self.state is not ClientState.PROCEEDING:
            return NOTHING
        if response.status < 200:
            self.state = ClientState.PROCEEDING
            return (Deliver(response),)
        self._data = b""
        if self._reliable:
            self.state = ClientState.TERMINATED
            return (_STOP_E, _STOP_F, Deliver(response), TERMINATED)
        self.state = ClientState.COMPLETED
        return (_STOP_E, _STOP_F, _START_K, Deliver(response))

    def timer(self, name: str) -> Effects:
        """A timer has fired."""
        waiting = self.state is ClientState.TRYING or self.state is ClientState.PROCEEDING
        if name == "E" and waiting and not self._reliable:
            if self.state is ClientState.TRYING:
                self._interval = min(2 * self._interval, T2)
            else:
                self._interval = T2
            return (Send(self._data), StartTimer("E", self._interval))
        if name == "F" and waiting:
            self.state = ClientState.TERMINATED
            return (_STOP_E, _TIMED_OUT, TERMINATED)
        if name == "K" and self.state is ClientState.COMPLETED:
            self.state = ClientState.TERMINATED
            return (TERMINATED,)
        return NOTHING

    def sending_failed(self) -> Effects:
        """The transport could not send the request."""
        if self.state is ClientState.TRYING or self.state is ClientState.PROCEEDING:
            self.state = ClientState.TERMINATED
            return (_STOP_E, _STOP_F, _NOT_SENT, TERMINATED)
        return NOTHING
