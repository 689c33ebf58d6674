"""A scripted telephone: real signalling on the same core as the server, no sound.

It registers, rings, answers or refuses as its `Behaviour` says, and makes calls.  It serves the
``sipxd phone`` command, the demo, and tests on the in-memory network.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from sipxd import ids
from sipxd.net.legs import INVITE, LegDriver
from sipxd.net.stack import Random, ServerHandle, SipStack
from sipxd.net.timers import Timer, TimerQueue
from sipxd.net.transport import Transport
from sipxd.sip import digest, leg
from sipxd.sip.credentials import Authorizer
from sipxd.sip.flow import Flow
from sipxd.sip.headers import HeaderError, parse_name_addr, split_host_port
from sipxd.sip.message import Header, Request, Response, respond
from sipxd.sip.uac import Invitation, UacLeg
from sipxd.sip.uas import UasLeg
from sipxd.sip.uri import UriError, parse_uri
from sipxd.sip.usage import ALLOW, LegState
from sipxd.testing.phone_call import Behaviour, PhoneCall

__all__ = ["AGENT", "Behaviour", "NotRegistered", "Phone", "PhoneCall"]

REGISTER_EXPIRES = 600
AGENT = "sipxd-phone"


class NotRegistered(Exception):
    """The REGISTER of a phone failed: with the final ``status``, 408 where no answer came."""

    def __init__(self, status: int) -> None:
        super().__init__(f"REGISTER was answered {status}")
        self.status = status


class Phone:
    """A telephone with one account. ``tell`` hears in words what happens."""

    def __init__(
        self,
        name: str,
        password: str,
        *,
        domain: str,
        server: Flow,
        clock: Any,
        random: Random,
        behaviour: Behaviour | None = None,
        media_port: int = 40_000,
        tell: Callable[[str], None] = lambda text: None,
        limit: int = 10_000,
    ) -> None:
        self.name = name
        self.behaviour = behaviour or Behaviour()
        self.calls: list[PhoneCall] = []
        """Every call so far, the newest last; at most 1,000 are kept."""
        self.registered: Deferred[None] = Deferred()
        """Fires when the first REGISTER was answered 200, fails with NotRegistered otherwise."""
        self.left: Deferred[None] = Deferred()
        """Fires when the registration was taken back, or nobody answered to that."""
        self._password = password
        self.domain = domain
        self._authorizer = self._authorizer_for(domain)
        self._server = server
        self._random = random
        self._media_port = media_port
        self.tell = tell
        self.timers = TimerQueue(clock)
        self.stack = SipStack(clock, self.timers, self, limit=limit, random=random)
        self._legs: dict[str, PhoneCall] = {}
        self._by_handle: dict[ServerHandle, PhoneCall] = {}
        self._posted: deque[Callable[[], None]] = deque()
        self._posting = False
        self._register_call_id = ids.sip_call_id(self.octets)
        self._register_cseq = 0
        self._registering: Timer | None = None
        self._gone = False

    def octets(self, count: int) -> bytes:
        """``count`` random octets."""
        return self._random.getrandbits(8 * count).to_bytes(count)

    def post(self, event: Callable[[], None]) -> None:
        """Work ``event`` off behind those that wait."""
        self._posted.append(event)
        if self._posting:
            return
        self._posting = True
        try:
            while self._posted:
                self._posted.popleft()()
        finally:
            self._posting = False

    def attach(self, transport: Transport) -> None:
        """Send and receive over ``transport``, whose receiver is ``phone.stack.receive``."""
        self.stack.add_transport(transport)

    @property
    def live_calls(self) -> list[PhoneCall]:
        """The calls that are not over."""
        return list(self._legs.values())

    def sdp(self) -> bytes:
        """What this phone offers: two common codecs on its own port."""
        host = self._local("x").address
        kind = "IP6" if ":" in host else "IP4"
        return (
            f"v=0\r\no=- 1 1 IN {kind} {host}\r\ns=-\r\nc=IN {kind} {host}\r\nt=0 0\r\n"
            f"m=audio {self._media_port} RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\n"
            "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
        ).encode()

    def _local(self, leg_id: str) -> leg.Local:
        host, _ = split_host_port(self.stack.contact(self._server))
        contact = f"<{self.stack.contact_uri(leg_id, self._server)}>"
        return leg.Local(contact, host.strip("[]"), self.octets, 1800, AGENT)

    # -- registration --------------------------------------------------------------------------

    def register(self, expires: int = REGISTER_EXPIRES) -> None:
        """Register, and go on registering; with 0 take the registration back."""
        if self._registering is not None:
            self._registering.cancel()
            self._registering = None
        self._gone = expires == 0
        self._send_register(expires, None)

    def _send_register(self, expires: int, challenge: digest.Challenge | None) -> None:
        self._register_cseq += 1
        uri = f"sip:{self.domain}"
        aor = f"<sip:{self.name}@{self.domain}>"
        headers: list[Header] = [
            ("Max-Forwards", "70"),
            ("From", f"{aor};tag={self.octets(4).hex()}"),
            ("To", aor),
            ("Call-ID", self._register_call_id),
            ("CSeq", f"{self._register_cseq} REGISTER"),
            ("Contact", f"<{self.stack.contact_uri(self.name, self._server)}>"),
            ("Expires", str(expires)),
            ("User-Agent", AGENT),
        ]
        if challenge is not None:
            headers.append(("Authorization", self._credentials(challenge, "REGISTER", uri)))
        request = Request("REGISTER", uri, headers=headers)

        def answered(event: Response | int) -> None:
            self._register_answered(event, expires, retried=challenge is not None)

        self.stack.request(request, self._server, answered)

    def change_password(self, password: str) -> None:
        """Answer challenges with ``password`` from now on."""
        self._password = password
        self._authorizer = self._authorizer_for(self._authorizer.realm)

    def _authorizer_for(self, realm: str) -> Authorizer:
        return Authorizer(self.name, self._password, realm, lambda: self.octets(8).hex())

    def _credentials(self, challenge: digest.Challenge, method: str, uri: str) -> str:
        return digest.authorize(
            challenge, method, uri, self.name, self._password, nc=1, cnonce=self.octets(8).hex()
        )

    def _register_answered(self, event: Response | int, expires: int, *, retried: bool) -> None:
        status = event if isinstance(event, int) else event.status
        if status < 200:
            return
        if isinstance(event, Response) and status == 401:
            challenges = digest.parse_challenges(event.get_all("WWW-Authenticate"))
            if challenges and (not retried or challenges[0].stale):
                if challenges[0].realm != self._authorizer.realm:
                    self._authorizer = self._authorizer_for(challenges[0].realm)
                self._send_register(expires, challenges[0])
                return
        if self._gone and not self.left.called:
            self.left.callback(None)
        if status < 300:
            self.tell("is registered" if expires else "is no longer registered")
            if expires and not self._gone:
                self._registering = self.timers.schedule(expires / 2, self.register, expires)
            if not self.registered.called:
                self.registered.callback(None)
            return
        if status == 408 and isinstance(event, int):
            self.tell("is not registered: the server does not answer")
        else:
            self.tell(f"is not registered: the server answered {status}")
        if not self.registered.called:
            self.registered.errback(NotRegistered(status))
        elif not self._gone:
            self._registering = self.timers.schedule(10.0, self.register, expires)

    # -- calls from here -----------------------------------------------------------------------

    def call(self, number: str, headers: tuple[Header, ...] = ()) -> PhoneCall:
        """Call ``number`` of the own domain."""
        call = PhoneCall(self, ids.leg_id(self.octets), number)
        self._keep(call)
        self.post(lambda: self._invite(call, headers))
        return call

    def _invite(self, call: PhoneCall, headers: tuple[Header, ...]) -> None:
        uri = call.uri or f"sip:{call.peer}@{self.domain}"
        nameless = self.behaviour.identity if call.asked_by is not None else ""
        invitation = Invitation(
            uri=uri,
            from_=nameless or f"<sip:{self.name}@{self.domain}>",
            to=f"<{uri}>",
            flow=self._server,
            call_id=ids.sip_call_id(self.octets),
            headers=headers,
        )

        authorizer = None if nameless else self._authorizer
        machine = UacLeg(self._local(call.id), invitation, authorizer)
        call.driver = LegDriver(
            machine, self.stack, self.timers, self.post, lambda event: self._told(call, event)
        )
        self._legs[call.id] = call
        call.driver.work(machine.start(self.sdp()))

    def _follow(self, asking: PhoneCall, key: str, refer_to: str) -> None:
        """A REFER came over the call ``asking``."""
        behaviour = self.behaviour
        if behaviour.refer != 202:
            asking.driver.work(asking.machine.refuse_referral(key, behaviour.refer))
            return
        asking.driver.work(asking.machine.accept_referral(key))
        if behaviour.leave_after_refer:
            asking.hang_up()
        if behaviour.dial_after is None:
            return
        call = PhoneCall(self, ids.leg_id(self.octets), refer_to)
        call.uri, call.asked_by = refer_to, (asking, key)
        self._keep(call)
        self.tell(f"is asked to call {refer_to}")
        self.timers.schedule(behaviour.dial_after, self.post, lambda: self._invite(call, ()))

    def _tell_asking(self, call: PhoneCall, status: int, reason: str, *, final: bool) -> None:
        """Tell whoever sent the REFER how its call goes."""
        if call.asked_by is not None:
            asking, key = call.asked_by
            asking.driver.work(asking.machine.notify_referral(key, status, reason, final=final))

    # -- the handler of the stack --------------------------------------------------------------

    def screen(self, request: Request, flow: Flow) -> None:
        """Anybody may call."""

    def on_request(self, handle: ServerHandle, request: Request, flow: Flow) -> None:
        """A request from the network."""
        if request.to_tag is not None:
            call = self._call_of(request)
            if call is not None:
                self.post(lambda: call.driver.receive_request(handle, request))
                return
            self._answer(handle, 481)
        elif request.method == "INVITE":
            self.post(lambda: self._rings(handle, request, flow))
        elif request.method == "OPTIONS":
            self._answer(handle, 200, (("Allow", ALLOW),))
        else:
            self._answer(handle, 405, (("Allow", ALLOW),))

    def on_cancel(self, handle: ServerHandle, cancel: Request) -> None:
        """A CANCEL for a call that rings."""
        call = self._by_handle.get(handle)
        if call is None:
            return
        if self.behaviour.late_answer:
            self.tell("answers although the call was cancelled")
            self.post(lambda: self._answer_call(call))
        else:
            self.post(lambda: call.driver.receive_cancel(handle))

    def on_ack(self, request: Request, flow: Flow) -> None:
        """The ACK of a call that was answered."""
        call = self._call_of(request)
        if call is not None:
            self.post(lambda: call.driver.receive_ack(request))

    def _answer(self, handle: ServerHandle, status: int, headers: tuple[Header, ...] = ()) -> None:
        tag = self.octets(4).hex()
        self.stack.respond(handle, respond(handle.request, status, to_tag=tag, headers=headers))

    def _call_of(self, request: Request) -> PhoneCall | None:
        try:
            call = self._legs.get(parse_uri(request.uri).user or "")
        except UriError:
            return None
        return call if call is not None and call.machine.matches(request) else None

    # -- calls that come in --------------------------------------------------------------------

    def _rings(self, handle: ServerHandle, request: Request, flow: Flow) -> None:
        behaviour = self.behaviour
        at_once = behaviour.refuse and not behaviour.refuse_after
        if at_once or (behaviour.refuse_offerless and request.sdp is None):
            status = behaviour.refuse or 488
            self.tell(f"refuses the call with {status}")
            self._answer(handle, status, (("Server", AGENT),))
            return
        call = PhoneCall(self, ids.leg_id(self.octets), _display(request))
        machine = UasLeg(self._local(call.id), INVITE, request, flow, self._authorizer)
        call.driver = LegDriver(
            machine, self.stack, self.timers, self.post, lambda event: self._told(call, event)
        )
        call.driver.incoming(handle)
        self._legs[call.id] = call
        self._by_handle[handle] = call
        self._keep(call)
        self.tell(f"rings: {call.peer} is calling")
        early = behaviour.early_media and request.sdp is not None
        progress = leg.Progress(183, self.sdp()) if early else leg.Progress(180)
        call.driver.work(machine.ring(progress, "here"))
        if behaviour.refuse:
            self.timers.schedule(behaviour.refuse_after, self.post, lambda: self._refuse(call))
        elif behaviour.answer_after is not None:
            self.timers.schedule(behaviour.answer_after, self.post, lambda: self._answer_call(call))

    def _answer_call(self, call: PhoneCall) -> None:
        if isinstance(call.machine, UasLeg) and call.machine.state is LegState.EARLY:
            self.tell("answers")
            call.driver.work(call.machine.accept(self.sdp(), "here"))

    def _refuse(self, call: PhoneCall) -> None:
        if isinstance(call.machine, UasLeg) and call.machine.state is LegState.EARLY:
            status = self.behaviour.refuse
            self.tell(f"refuses the call with {status}")
            call.driver.work(call.machine.refuse(status, "Refused"))

    def _keep(self, call: PhoneCall) -> None:
        self.calls.append(call)
        if len(self.calls) > 1000:
            del self.calls[:500]

    def _told(self, call: PhoneCall, event: leg.Event) -> None:
        machine = call.machine
        match event:
            case leg.Progress(status, sdp) if isinstance(machine, UacLeg):
                call.early_media = sdp or call.early_media
                self.tell(f"hears that {call.peer} rings ({status})")
                self._tell_asking(call, status, "Ringing", final=False)
            case leg.Up():
                call.up = True
                self.tell(f"is talking to {call.peer}")
                self._tell_asking(call, 200, "OK", final=True)
                after = self.behaviour.hang_up_after
                if after is not None:
                    self.timers.schedule(after, call.hang_up)
            case leg.Offered():
                if not isinstance(machine, UasLeg) or machine.state is LegState.UP:
                    call.driver.work(machine.answer(self.sdp()))
            case leg.Refused(status, reason):
                call.status, call.ended = status, f"{status} {reason}"
                self.tell(f"does not reach {call.peer}: {call.ended}")
                self._tell_asking(call, status, reason, final=True)
            case leg.Ended(by_peer, status, sentence):
                call.ended = sentence
                self.tell(_ending(by_peer, status, sentence))
            case leg.ReferOutcome(status):
                call.referral.append(status)
            case leg.Referred(key, refer_to):
                self._follow(call, key, refer_to)
            case leg.Relay(key, request):
                call.driver.work(machine.respond(request, key, leg.Relayed(key, 200)))
            case leg.Gone():
                call.up = False
                call.ended = call.ended or "hung up here"
                self._legs.pop(call.id, None)
                for handle in [h for h, c in self._by_handle.items() if c is call]:
                    del self._by_handle[handle]
            case _:
                pass


def _ending(by_peer: bool, status: int, sentence: str) -> str:
    if not by_peer:
        return f"ends the call: {status} {sentence}"
    return "stops ringing: the caller has given up" if status == 487 else "was hung up"


def _display(request: Request) -> str:
    """Who is calling, as a phone shows it."""
    try:
        address = parse_name_addr(request.get("From") or "")
        return address.display or parse_uri(address.uri).user_text or address.uri
    except (HeaderError, UriError):
        return "somebody"
