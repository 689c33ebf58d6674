"""Legs in a storm: any event, in any order, in any state, also after the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from legkit import DTLS, EVENTS, FLOW, Peer, authorizer, challenge, invite, local, reply, sdp, uac

from sipxd.sip import leg as sip
from sipxd.sip.leg import Output, Progress, Relayed
from sipxd.sip.message import Header, Request, Response
from sipxd.sip.sdp import MAX_MEDIA
from sipxd.sip.uac import UacLeg
from sipxd.sip.uas import UasLeg
from sipxd.sip.usage import InviteUsage, LegState

HUGE = b"v=0\r\n" + b"m=video 4000 RTP/AVP 31\r\n" * MAX_MEDIA
BODIES = st.sampled_from(
    [b"", sdp(4000), sdp(4000, "sendonly"), sdp(4002), sdp(0), DTLS, HUGE, b"nonsense"]
)
OURS = st.sampled_from([sdp(5000), sdp(5002), sdp(5000, "inactive"), HUGE, b"nonsense"])
METHODS = st.sampled_from(["INVITE", "INVITE", "INVITE", "UPDATE", "UPDATE", "INFO", "INFO"])
OTHER_METHODS = st.sampled_from(["MESSAGE", "OPTIONS", "NOTIFY", "REFER", "BYE", "PRACK"])
EARLY_METHODS = st.sampled_from(["PRACK", "PRACK", "UPDATE", "UPDATE", "INFO", "INVITE", "REFER"])
STATUSES = st.sampled_from(
    [100, 180, 183, 200, 202, 302, 401, 407, 408, 422, 481, 486, 487, 488, 491, 500, 501, 503, 603]
)
TIMERS = st.sampled_from(
    ["2xx", "ack", "glare", "held", "refresh", "expire", "reliable", "reliable-1", "unknown"]
)
TAGS = st.sampled_from(["peer", "fork"])
HEADERS: st.SearchStrategy[tuple[Header, ...]] = st.sampled_from(
    [
        (),
        (("Retry-After", "3"),),
        (("Min-SE", "500"),),
        (("Allow", "INVITE, UPDATE"),),
        (("Allow", "INVITE"),),
        (("Supported", "timer"), ("Session-Expires", "200;refresher=uac")),
        (("Supported", "timer"), ("Session-Expires", "200;refresher=uas")),
        (("Supported", "timer"), ("Session-Expires", "20")),
        (("Record-Route", "<sip:p;lr>"),),
        (("Record-Route", "nonsense"),),
        (("Require", "100rel"), ("RSeq", "7"), ("Allow", "UPDATE")),
        (("Require", "100rel"), ("RSeq", "8")),
        (challenge(),),
        (challenge("n2", more=", stale=true"), challenge(proxy=True)),
    ]
)
RELIABILITY: st.SearchStrategy[Header] = st.sampled_from(
    [("Require", "100rel"), ("Supported", "100rel"), ("Supported", "timer")]
)
NUMBERS = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 7])
"""Which of several things, counted from the newest."""
RARELY = st.sampled_from([False, False, False, False, False, True])
OFTEN = RARELY.map(lambda rare: not rare)

STEPS = st.one_of(
    st.tuples(st.just("offer"), OURS),
    st.tuples(st.just("ask_offer")),
    st.tuples(st.just("withdraw")),
    st.tuples(st.just("answer"), OURS),
    st.tuples(st.just("answer_held")),
    st.tuples(st.just("reject"), STATUSES),
    st.tuples(st.just("relay"), NUMBERS),
    st.tuples(st.just("respond"), NUMBERS, STATUSES),
    st.tuples(st.just("hang_up")),
    st.tuples(st.just("ring"), BODIES, TAGS, TAGS),
    st.tuples(st.just("ring"), BODIES, TAGS, TAGS),
    st.tuples(st.just("early"), EARLY_METHODS, BODIES, NUMBERS, OFTEN),
    st.tuples(st.just("early"), EARLY_METHODS, BODIES, NUMBERS, OFTEN),
    st.tuples(st.just("reliable"), st.sampled_from([7, 7, 8, 9]), BODIES, TAGS),
    st.tuples(st.just("reliable"), st.sampled_from([7, 7, 8, 9]), BODIES, TAGS),
    st.tuples(st.just("accept"), OURS, TAGS),
    st.tuples(st.just("refuse")),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("request"), METHODS, BODIES, HEADERS, RARELY),
    st.tuples(st.just("request"), METHODS, BODIES, HEADERS, RARELY),
    st.tuples(st.just("request"), OTHER_METHODS, BODIES, HEADERS, RARELY),
    st.tuples(st.just("ack"), BODIES, OFTEN),
    st.tuples(st.just("ack"), BODIES, OFTEN),
    st.tuples(st.just("cancel_request"), NUMBERS),
    st.tuples(st.just("response"), NUMBERS, STATUSES, BODIES, TAGS, HEADERS, OFTEN),
    st.tuples(st.just("response"), NUMBERS, st.just(200), BODIES, TAGS, HEADERS, OFTEN),
    st.tuples(
        st.just("response"),
        st.just(0),
        st.just(200),
        st.just(sdp(4002)),
        st.just("peer"),
        HEADERS,
        st.just(True),
    ),
    st.tuples(st.just("failed"), NUMBERS, st.sampled_from([408, 503])),
    st.tuples(st.just("timer"), TIMERS),
)


class Storm:
    """Carries out steps on a leg, notes what comes of them, and checks what must always hold."""

    def __init__(self, machine: InviteUsage, invite_key: str | None) -> None:
        self.leg = machine
        self.peer: Peer | None = None
        self.sent: dict[str, Request] = {}
        self.open: set[str] = set()
        self.accepted: dict[tuple[str, str | None], list[Request]] = {}
        self.asked: dict[str, Request] = {} if invite_key is None else {invite_key: invite()}
        self.answers: Counter[str] = Counter()
        self.timers: set[str] = set()
        self.relayed: set[str] = set()
        self.to_relay: list[tuple[str, Request]] = []
        self.gone = False
        self.serial = 0
        self.reliable: dict[str | None, Response] = {}
        """The last reliable response of ours, by To-tag."""
        self.unacknowledged: set[str | None] = set()

    def note(self, outputs: list[Output]) -> None:
        seen_event = False
        for output in outputs:
            if isinstance(output, EVENTS):
                seen_event = True
            else:
                assert not seen_event, outputs
            self.note_one(output)

    def note_one(self, output: Output) -> None:
        match output:
            case sip.SendRequest(key, request):
                assert key not in self.open
                assert not self.gone or key.startswith("stray")
                self.sent[key] = request
                self.open.add(key)
                invites = [k for k in self.open if self.sent[k].method == "INVITE"]
                assert len(invites) <= 1, invites
                request.encode()
            case sip.SendAck(request):
                request.encode()
                branch = (f"{request.cseq[0]}", request.to_tag)
                acks = self.accepted[branch]
                assert all(ack == request for ack in acks)
                acks.append(request)
            case sip.SendResponse(key, response):
                response.encode()
                assert key in self.asked
                self.note_reliable(response)
                if response.status >= 200:
                    self.answers[key] += 1
                    repeated = response.cseq[1] == "INVITE" and response.status < 300
                    assert repeated or self.answers[key] == 1, (key, response)
            case sip.StartTimer(name, seconds):
                assert not self.gone
                assert seconds >= 0
                self.timers.add(name)
            case sip.StopTimer(name):
                self.timers.discard(name)
            case sip.Relay(key, request):
                self.to_relay.append((key, request))
            case sip.Relayed(key):
                assert key in self.relayed
                self.relayed.discard(key)
            case sip.Gone():
                assert not self.gone
                self.gone = True
                assert not self.timers
                assert not self.relayed
                unanswered = [key for key in self.asked if not self.answers[key]]
                assert not unanswered
            case _:
                assert not self.gone or not isinstance(output, EVENTS), output

    def note_reliable(self, response: Response) -> None:
        """Reliable responses are numbered in each dialog, and wait for each other."""
        tag, number = response.to_tag, response.get("RSeq")
        if response.cseq[1] != "INVITE":
            return
        if response.status >= 200:
            if response.status < 300 and tag in self.unacknowledged:
                assert not self.reliable[tag].body
            return
        assert (number is not None) or not isinstance(self.leg, UasLeg) or not self.requires()
        last = self.reliable.get(tag)
        if number is None or response is last:
            return
        if last is not None:
            assert tag not in self.unacknowledged
            assert int(number) == int(last.get("RSeq") or "") + 1
        self.reliable[tag] = response
        self.unacknowledged.add(tag)

    def requires(self) -> bool:
        assert isinstance(self.leg, UasLeg)
        return self.leg.request.get("Require") == "100rel"

    def early(self, method: str, body: bytes, number: int, right: bool) -> None:
        """A request of the peer within one of the early dialogs."""
        leg = self.leg
        assert isinstance(leg, UacLeg | UasLeg)
        if isinstance(leg, UasLeg):
            dialogs = [early.dialog for early in leg._early]
        else:
            found = [leg._early_dialog(tag) for tag in leg._rung]
            dialogs = [early.dialog for early in found if early is not None]
        if not dialogs or self.gone:
            return
        dialog = dialogs[number % len(dialogs)]
        last = self.reliable.get(dialog.local_tag)
        rack = "1 1 INVITE"
        if right and last is not None:
            rack = f"{last.get('RSeq')} 1 INVITE"
        peer = Peer(leg, cseq=dialog.remote_seq)
        request = peer.request(method, body, headers=[("RAck", rack)], dialog=dialog)
        if not leg.matches(request):
            return
        self.serial += 1
        key = f"early-{self.serial}"
        self.asked[key] = request
        if method == "PRACK" and right:
            self.unacknowledged.discard(dialog.local_tag)
        self.note(leg.receive_request(key, request))

    def step(self, step: tuple[Any, ...]) -> None:
        leg = self.leg
        if self.peer is None and leg.dialog is not None:
            self.peer = Peer(leg)
        match step:
            case ("offer" | "ask_offer" | "answer" | "answer_held" | "reject", *arguments):
                self.note(getattr(leg, step[0])(*arguments))
            case ("hang_up",):
                self.note(leg.hang_up((("Reason", "x"),)))
            case ("withdraw",):
                leg.withdraw()
            case ("relay", number):
                key = f"far>{number}-{self.serial}"
                self.serial += 1
                self.relayed.add(key)
                self.note(leg.relay(key, "INFO", (), b""))
            case ("respond", number, status) if self.to_relay:
                key, request = self.to_relay[-1 - number % len(self.to_relay)]
                self.note(leg.respond(request, key, Relayed(key, max(200, status))))
            case ("timer", name):
                self.timers.discard(name)
                self.note(leg.timer(name))
            case ("request", method, body, headers, late) if self.peer is not None:
                self.serial += 1
                key = f"in-{self.serial}"
                cseq = 3 if late else None
                request = self.peer.request(method, body, headers=headers, cseq=cseq)
                if not self.gone:
                    self.asked[key] = request
                    self.note(leg.receive_request(key, request))
            case ("cancel_request", number) if self.asked:
                self.note(leg.request_cancelled(list(self.asked)[-1 - number % len(self.asked)]))
            case ("ack", body, right) if self.peer is not None:
                accepted = leg._accepted
                cseq = accepted[2] if right and accepted is not None else 7
                self.note(leg.receive_ack(self.peer.request("ACK", body, cseq=cseq)))
            case ("response", number, status, body, tag, headers, contact) if self.sent:
                self.respond(number, status, body, tag, headers, contact)
            case ("failed", number, status) if self.open:
                key = sorted(self.open)[-1 - number % len(self.open)]
                self.open.discard(key)
                self.note(leg.request_failed(key, status))
            case ("ring", body, branch, fork) if isinstance(leg, UasLeg):
                self.note(leg.ring(Progress(183, body or None, fork), branch))
            case ("early", method, body, number, right):
                self.early(method, body, number, right)
            case ("reliable", number, body, tag):
                invites = [k for k in self.open if self.sent[k].method == "INVITE"]
                if invites:
                    marks = (("Require", "100rel"), ("RSeq", str(number)), ("Allow", "UPDATE"))
                    ringing = reply(self.sent[invites[0]], 183, body, tag=tag, headers=marks)
                    self.note(leg.receive_response(invites[0], ringing))
            case ("accept", body, branch) if isinstance(leg, UasLeg):
                self.note(leg.accept(body, branch))
            case ("refuse",) if isinstance(leg, UasLeg):
                self.note(leg.refuse(486))
            case ("cancel",):
                if isinstance(leg, UasLeg):
                    self.note(leg.cancelled())
                elif isinstance(leg, UacLeg):
                    self.note(leg.cancel())
            case _:
                pass

    def respond(
        self,
        number: int,
        status: int,
        body: bytes,
        tag: str,
        headers: tuple[Header, ...],
        contact: bool,
    ) -> None:
        """A response as a client transaction would let it through."""
        key = list(self.sent)[-1 - number % len(self.sent)]
        request = self.sent[key]
        if key in self.open:
            if status >= 200:
                self.open.discard(key)
        elif request.method != "INVITE" or not 200 <= status < 300 or not self.won(key):
            return  # the transaction has ended, or accepts nothing but a 2xx again
        response = reply(
            request,
            status,
            body,
            tag=tag,
            headers=headers,
            contact="sip:phone@198.51.100.1" if contact else None,
        )
        if request.method == "INVITE" and 200 <= status < 300:
            branch = (f"{request.cseq[0]}", response.to_tag)
            self.accepted.setdefault(branch, [])
        self.note(self.leg.receive_response(key, response))

    def won(self, key: str) -> bool:
        """Whether the INVITE ``key`` has had a 2xx, so that more of them may come."""
        number = f"{self.sent[key].cseq[0]}"
        return any(branch[0] == number for branch in self.accepted)

    def finish(self) -> None:
        """Hang up, let every request of ours fail and every timer run out."""
        self.note(self.leg.hang_up())
        for _ in range(4):
            for name in sorted(self.timers & {"2xx", "ack", "bye"}):
                self.step(("timer", name))
            for key in sorted(self.open):
                self.open.discard(key)
                self.note(self.leg.request_failed(key, 408))
        assert self.gone
        assert self.leg.state is LegState.GONE
        newest = sorted({int(number) for number, _ in self.accepted})
        for (number, tag), acks in self.accepted.items():
            assert acks, (number, tag, newest)


@settings(max_examples=250, deadline=None)
@given(st.booleans(), st.lists(STEPS, min_size=5, max_size=30))
def test_an_outgoing_leg_keeps_its_promises(offerless: bool, steps: list[tuple[Any, ...]]) -> None:
    leg = uac(authorizer=authorizer())
    storm = Storm(leg, None)
    storm.note(leg.start(None if offerless else sdp(5000)))
    for step in steps:
        storm.step(step)
    storm.finish()


@settings(max_examples=250, deadline=None)
@given(st.booleans(), RELIABILITY, st.lists(STEPS, min_size=5, max_size=30))
def test_an_incoming_leg_keeps_its_promises(
    offerless: bool, header: Header, steps: list[tuple[Any, ...]]
) -> None:
    headers = [header, ("Allow", "INVITE, UPDATE")]
    request = invite(b"" if offerless else sdp(4000), headers=headers)
    storm = Storm(UasLeg(local(), "invite", request, FLOW, authorizer()), "invite")
    for step in steps:
        storm.step(step)
    storm.finish()


@settings(max_examples=250, deadline=None)
@given(st.lists(STEPS, min_size=5, max_size=40))
def test_a_leg_that_is_up_keeps_its_promises(steps: list[tuple[Any, ...]]) -> None:
    leg = uac(authorizer=authorizer())
    storm = Storm(leg, None)
    storm.note(leg.start(sdp(5000)))
    storm.step(("response", 0, 200, sdp(4000), "peer", (("Allow", "INVITE, UPDATE"),), True))
    assert leg.state is LegState.UP
    for step in steps:
        storm.step(step)
    storm.finish()
