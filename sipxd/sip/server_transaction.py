"""The server transactions (RFC 3261 section 17.2, RFC 6026 section 7.1).

ServerInvite:

    state      event           next       effects                                    RFC
    Proceeding 1xx             Proceeding Send                                       3261 17.2.1
    Proceeding 2xx             Accepted   Send, L (64*T1)                            6026 8.7
    Proceeding 300 to 699      Completed  Send, G (T1, unreliable), H (64*T1)        3261 17.2.1
    Proceeding INVITE again    Proceeding Send the last provisional response         3261 17.2.1
    Completed  INVITE again    Completed  Send the final response                    3261 17.2.1
    Completed  timer G         Completed  Send, G (doubled, at most T2)              3261 17.2.1
    Completed  timer H         Terminated                                            3261 17.2.1
    Completed  ACK             Confirmed  stop G and H, I (T4, unreliable)           3261 17.2.1
    Confirmed  timer I         Terminated                                            3261 17.2.1
    Accepted   2xx             Accepted   Send (the user repeats it)                 6026 8.7
    Accepted   INVITE again    Accepted   none                                       6026 8.7
    Accepted   ACK             Accepted   DeliverAck                                 6026 8.7
    Accepted   timer L         Terminated                                            6026 8.7

ServerNonInvite:

    state      event           next       effects                                    RFC
    Trying     request again   Trying     none                                       3261 17.2.2
    Trying     1xx             Proceeding Send                                       3261 17.2.2
    Proceeding 1xx             Proceeding Send                                       3261 17.2.2
    Proceeding request again   Proceeding Send the last provisional response         3261 17.2.2
    both       200 to 699      Completed  Send, J (64*T1, unreliable)                3261 17.2.2
    Completed  request again   Completed  Send the final response                    3261 17.2.2
    Completed  timer J         Terminated                                            3261 17.2.2

A failure to send has no event here (RFC 6026 section 8.8): it is like a lost datagram, and a server
transaction that ended early would let the next retransmission pass as a new request.
"""

from __future__ import annotations

import enum

from sipxd.sip.transaction import (
    LIFETIME,
    NOTHING,
    T1,
    T2,
    T4,
    TERMINATED,
    DeliverAck,
    Effects,
    Send,
    StartTimer,
    StopTimer,
)


class ServerState(enum.Enum):
    """Where a server transaction stands."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


_START_G = StartTimer("G", T1)
_START_H = StartTimer("H", LIFETIME)
_START_I = StartTimer("I", T4)
_START_J = StartTimer("J", LIFETIME)
_START_L = StartTimer("L", LIFETIME)
_STOP_G = StopTimer("G")
_STOP_H = StopTimer("H")
_DELIVER_ACK = DeliverAck()


class ServerInvite:
    """The INVITE server transaction. ``reliable``: whether the transport is."""

    __slots__ = ("_data", "_interval", "_reliable", "state")

    def __init__(self, reliable: bool) -> None:
        self.state = ServerState.PROCEEDING
        self._reliable = reliable
        self._interval = T1
        self._data = b""

    @property
    def silent(self) -> bool:
        """Whether nothing has been sent yet, so that 100 Trying is due."""
        return self.state is ServerState.PROCEEDING and not self._data

    def respond(self, status: int, data: bytes) -> Effects:
        """The user answers with the octets ``data`` of a response with ``status``."""
        if self.state is ServerState.PROCEEDING:
            if status < 200:
                self._data = data
                return (Send(data),)
            if status < 300:
                self.state = ServerState.ACCEPTED
                self._data = b""
                return (Send(data), _START_L)
            self.state = ServerState.COMPLETED
            self._data = data
            if self._reliable:
                return (Send(data), _START_H)
            return (Send(data), _START_G, _START_H)
        if self.state is ServerState.ACCEPTED and 200 <= status < 300:
            return (Send(data),)
        return NOTHING

    def retransmission(self) -> Effects:
        """The same INVITE has come again."""
        if self._data and self.state in (ServerState.PROCEEDING, ServerState.COMPLETED):
            return (Send(self._data),)
        return NOTHING

    def ack(self) -> Effects:
        """An ACK with the branch of this INVITE has come."""
        if self.state is ServerState.ACCEPTED:
            return (_DELIVER_ACK,)
        if self.state is not ServerState.COMPLETED:
            return NOTHING
        self._data = b""
        if self._reliable:
            self.state = ServerState.TERMINATED
            return (_STOP_G, _STOP_H, TERMINATED)
        self.state = ServerState.CONFIRMED
        return (_STOP_G, _STOP_H, _START_I)

    def timer(self, name: str) -> Effects:
        """A timer has fired."""
        state = self.state
        if name == "G" and state is ServerState.COMPLETED and not self._reliable:
            self._interval = min(2 * self._interval, T2)
            return (Send(self._data), StartTimer("G", self._interval))
        if name == "H" and state is ServerState.COMPLETED:
            self._end()
            return (_STOP_G, TERMINATED)
        if (name == "I" and state is ServerState.CONFIRMED) or (
            name == "L" and state is ServerState.ACCEPTED
        ):
            self._end()
            return (TERMINATED,)
        return NOTHING

    def _end(self) -> None:
        self.state = ServerState.TERMINATED
        self._data = b""


class ServerNonInvite:
    """The server transaction of every method but INVITE and ACK."""

    __slots__ = ("_data", "_reliable", "state")

    def __init__(self, reliable: bool) -> None:
        self.state = ServerState.TRYING
        self._reliable = reliable
        self._data = b""

    def respond(self, status: int, data: bytes) -> Effects:
        """The user answers with the octets ``data`` of a response with ``status``."""
        if self.state is not ServerState.TRYING and self.state is not ServerState.PROCEEDING:
            return NOTHING
        if status < 200:
            self.state = ServerState.PROCEEDING
            self._data = data
            return (Send(data),)
        if self._reliable:
            self.state = ServerState.TERMINATED
            self._data = b""
            return (Send(data), TERMINATED)
        self.state = ServerState.COMPLETED
        self._data = data
        return (Send(data), _START_J)

    def retransmission(self) -> Effects:
        """The same request has come again."""
        if self.state is ServerState.PROCEEDING or self.state is ServerState.COMPLETED:
            return (Send(self._data),)
        return NOTHING

    def timer(self, name: str) -> Effects:
        """A timer has fired."""
        if name == "J" and self.state is ServerState.COMPLETED:
            self.state = ServerState.TERMINATED
            self._data = b""
            return (TERMINATED,)
        return NOTHING
