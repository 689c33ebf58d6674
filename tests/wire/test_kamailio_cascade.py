"""Calls are forwarded beside Kamailio, which has the phones: by the configuration that is shown.

Every call goes from A over Kamailio to sipxd, and each branch of it over Kamailio to a phone.
Kamailio writes down what it sees, so that nothing turns in circles unnoticed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from daemon import Client, Daemon, free_port, until
from kamailio import HOST, SIPXD_HOST, VOICEMAIL, Kamailio, Office, Seen, by_way_of_proxy
from sipp import Phone, Sipp, wait_until_bound
from steps import (
    answer,
    answered,
    call_unasked,
    expect,
    hang_up,
    has,
    hung_up,
    invited,
    pause,
    receive,
    scenario,
    sdp,
)
from telephones import Phones, Telephone

OUTSIDE = "127.0.0.5"
"""Where callers from outside come from; sipxd believes it."""
SOON = 2.0
"""Seconds within which a call has to end that leads nowhere."""

UDP = ("trusting-udp", "challenging-udp")
both = pytest.mark.parametrize("office", UDP, indirect=True)


@attrs.frozen
class Cascade(Office):
    """An office that has voicemail boxes too."""

    voicemail_port: int
    challenges: bool

    def add_group(self, *names: str) -> str:
        """A hunt group of these users, who ring one after the other; returns its number."""
        members = [{"user": name, "seconds": 1 if name != names[-1] else 5} for name in names]
        number = f"9{names[0]}"
        named = {"name": f"group-{number}", "extension": number}
        document = {**named, "members": members, "follow": False}
        answer = self.daemon.client("superadmin").ask("POST", "/v1/groups", document)
        assert answer.status == 201, answer.body
        return number

    def invites(self) -> list[Seen]:
        """The INVITEs that began a call or a branch of one, challenged ones not counted twice, in
        the order in which Kamailio received them."""
        first = {
            message.header("Call-ID"): message
            for message in reversed(self.kamailio.seen())
            if message.begins_call and not message.sent
        }
        return list(reversed(first.values()))


@pytest.fixture(scope="module")
def office(
    make_daemon: Callable[..., Daemon],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Cascade]:
    attitude, transport = request.param.split("-")
    kamailio = Kamailio(tmp_path_factory.mktemp("kamailio"), Daemon.domain)
    voicemail_port = free_port()
    daemon = make_daemon(
        transports=("udp", "tcp"),
        sip__registrar=False,
        sip__outbound_proxy=f"sip:{kamailio.address};transport={transport}",
        sip__trusted_peers=[HOST, OUTSIDE],
        # Kamailio insists on it: From is the user of the credentials.
        call__caller_leg_from="auto" if attitude == "trusting" else "user",
        voicemail__uri=f"sip:{VOICEMAIL}{{user}}@{Daemon.domain}",
    )
    daemon.start()
    try:
        kamailio.start(
            daemon.sip_port,
            trusting=attitude == "trusting",
            transport=transport,
            voicemail=f"127.0.0.1:{voicemail_port}",
            known_at="127.0.0.8" if attitude == "mistaken" else SIPXD_HOST,
            watched=True,
        )
        yield Cascade(kamailio, daemon, voicemail_port, attitude == "challenging")
    finally:
        kamailio.stop()


@attrs.frozen
class Scene:
    """The user who calls, his phone, and the users whom the call comes to."""

    office: Cascade
    make_phone: Callable[..., Telephone]
    caller: str
    callee: str
    client: Client
    a: Telephone
    known: frozenset[str]
    """Call-IDs of earlier tests."""

    def user(self, **more: bool) -> str:
        return self.office.add_user(**more)

    def dial(self, number: str = "") -> float:
        """A calls the callee; returns when that was."""
        self.a.dial(f"sip:{number or self.callee}@{self.office.daemon.domain}")
        return time.monotonic()

    def talking(self, phone: Telephone) -> Phones:
        """That phone rings, picks up, and A and it hear each other."""
        until(phone.is_ringing, "the phone to ring")
        phone.accept()
        phones = Phones(self.a, phone, "", self.client)
        phones.talk()
        return phones

    def rung(self) -> list[tuple[str, str]]:
        """Who was called with whose name in From, in order, A's own call first."""
        return [
            (message.callee, message.caller)
            for message in self.office.invites()
            if message.header("Call-ID") not in self.known
        ]

    def nothing_is_left(self) -> None:
        """No phone is in a call, and sipxd knows of none."""
        until(self.a.has_no_call, "the caller's phone to be free")
        until(lambda: not self.office.daemon.metrics()["sipxd_legs_live"], "no leg to be left")
        assert not self.office.daemon.metrics()["sipxd_calls_live"]


@pytest.fixture
def scene(office: Cascade, start_telephone: Callable[..., Telephone]) -> Iterator[Scene]:
    def make(name: str, answer: str = "manual") -> Telephone:
        return start_telephone(
            "baresip", name, office.daemon.domain,
            registrar=office.kamailio.address, password=office.daemon.sip_password(name),
            answer=answer,
        )  # fmt: skip

    caller, callee = office.add_user(), office.add_user()
    client = office.daemon.client(caller)
    known = frozenset(message.header("Call-ID") for message in office.invites())
    scene = Scene(office, make, caller, callee, client, make(caller, "auto"), known)
    yield scene
    client.hang_up_all()
    scene.nothing_is_left()


@pytest.mark.parametrize(
    ("office", "by"),
    [("trusting-udp", "a"), ("challenging-udp", "c"), ("challenging-tcp", "c")],
    indirect=["office"],
)
def test_who_does_not_answer_is_followed_by_the_next(scene: Scene, by: str) -> None:
    c_name = scene.user()
    b, c = scene.make_phone(scene.callee), scene.make_phone(c_name)
    assert scene.office.forwards(scene.callee, c_name) == 200
    scene.dial()
    until(b.is_ringing, "the first phone to ring")
    phones = scene.talking(c)
    assert b.has_no_call()
    (scene.a if by == "a" else c).hang_up()
    phones.are_free()
    # A's password for what A calls, B's for what B forwards: From is whose it is.
    assert scene.rung() == [
        (scene.callee, scene.caller),
        (scene.callee, scene.caller),
        (c_name, scene.callee),
    ]


@both
def test_phones_at_the_same_time_fall_silent_when_one_answers(scene: Scene) -> None:
    names = [scene.user() for _ in range(2)]
    b, c, d = (scene.make_phone(name) for name in (scene.callee, *names))
    assert scene.office.forwards(scene.callee, *(f"+{name}" for name in names), timer=5) == 200
    scene.dial()
    for phone in (b, c, d):
        until(phone.is_ringing, "all phones to ring")
    phones = scene.talking(d)
    until(lambda: b.has_no_call() and c.has_no_call(), "the other phones to be silent")
    for phone in (b, c):
        assert re.search(r"^Reason: SIP;cause=200", phone.trace(), re.MULTILINE)
    d.hang_up()
    phones.are_free()
    assert sorted(scene.rung()[1:]) == sorted(
        [(scene.callee, scene.caller), *((name, scene.callee) for name in names)]
    )


@both
def test_who_has_no_phone_registered_is_passed_over_at_once(scene: Scene) -> None:
    """Kamailio's 404 is not the end of the call, and tells why the user does not answer."""
    names = [scene.user() for _ in range(2)]
    c = scene.make_phone(names[0])
    rule = {"when": "not-registered", "number": names[0]}
    assert scene.office.forwards(scene.callee, names[1], timer=9, rules=[rule]) == 200
    dialled = scene.dial()
    until(c.is_ringing, "the phone to ring")
    assert time.monotonic() - dialled < SOON
    phones = scene.talking(c)
    scene.a.hang_up()
    phones.are_free()
    assert [callee for callee, _ in scene.rung()] == [scene.callee, scene.callee, names[0]]


@both
def test_click_to_call_to_a_user_who_forwards(scene: Scene) -> None:
    c_name = scene.user()
    b, c = scene.make_phone(scene.callee), scene.make_phone(c_name)
    assert scene.office.forwards(scene.callee, c_name) == 200
    call = scene.client.call(scene.callee, flow="offer").call
    until(b.is_ringing, "the first phone to ring")
    phones = scene.talking(c)
    scene.client.wait_state(call, "bridged")
    assert b.has_no_call()
    c.hang_up()
    phones.are_free()
    record = scene.client.wait_state(call, "ended")
    assert record["cause"]["who"] == "callee"
    assert not record["media_mismatch"]
    assert scene.rung() == [
        (scene.caller, scene.caller),
        (scene.callee, scene.caller),
        (c_name, scene.callee),
    ]


@both
def test_voicemail_answers_last_by_way_of_kamailio(scene: Scene, tmp_path: Path) -> None:
    callee = scene.user(voicemail=True)
    b = scene.make_phone(callee)
    assert scene.office.forwards(callee) == 200
    port, media = scene.office.voicemail_port, free_port()
    box = Sipp(
        tmp_path / "voicemail",
        scenario(
            invited(
                has(f"INVITE sip:{re.escape(VOICEMAIL)}{callee}@"),
                has(f"<sip:{callee}@.*reason=no-answer", "Diversion"),
            ),
            by_way_of_proxy(answer(200, body=sdp(media))),
            receive("ACK"),
            hung_up(),
        ),
        port=port,
    )
    wait_until_bound(port, box)
    scene.dial(callee)
    until(b.is_ringing, "the phone to ring")
    until(scene.a.is_in_call, "the voicemail box to answer")
    assert b.has_no_call()
    scene.a.hang_up()
    box.finish()
    assert scene.rung()[1:] == [(callee, scene.caller), (f"{VOICEMAIL}{callee}", callee)]


@both
def test_caller_hangs_up_while_the_next_one_rings(scene: Scene) -> None:
    c_name = scene.user()
    b, c = scene.make_phone(scene.callee), scene.make_phone(c_name)
    assert scene.office.forwards(scene.callee, c_name) == 200
    scene.dial()
    until(c.is_ringing, "the next phone to ring")
    scene.a.hang_up()
    until(lambda: b.has_no_call() and c.has_no_call(), "both phones to be silent")
    for phone in (b, c):
        assert "Call completed elsewhere" not in phone.trace()


@both
def test_a_circle_by_way_of_kamailio_is_cut(scene: Scene, tmp_path: Path) -> None:
    """B forwards to C, and C has registered a contact that leads to B again."""
    c_name = scene.user()
    assert scene.office.forwards(scene.callee, c_name) == 200
    assert scene.office.forwards(c_name, scene.callee) == 400
    back = f"sip:{scene.callee}@{scene.office.daemon.sip_address}"
    scene.office.register(tmp_path, c_name, back)
    dialled = scene.dial()
    until(lambda: "482 " in scene.a.trace(), "the call to be refused")
    assert time.monotonic() - dialled < SOON
    # The last one is what Kamailio sends to sipxd again; nothing comes of it.
    assert [callee for callee, _ in scene.rung()] == [scene.callee, scene.callee, c_name]


@pytest.mark.parametrize("office", ["mistaken-udp"], indirect=True)
def test_a_kamailio_that_sends_everything_back_makes_no_circle(scene: Scene) -> None:
    """It does not know the address of sipxd, whose requests are a phone's to it."""
    c_name = scene.user()
    b, c = scene.make_phone(scene.callee), scene.make_phone(c_name)
    assert scene.office.forwards(scene.callee, c_name) == 200
    dialled = scene.dial()
    until(lambda: "482 " in scene.a.trace(), "the call to be refused")
    assert time.monotonic() - dialled < SOON
    assert b.has_no_call()
    assert c.has_no_call()
    assert scene.rung() == [
        (scene.callee, scene.caller),
        (scene.callee, scene.caller),
        (c_name, scene.callee),
    ]


@both
def test_a_phone_that_redirects_back_makes_no_circle(scene: Scene, tmp_path: Path) -> None:
    c_name = scene.user()
    assert scene.office.forwards(scene.callee, c_name) == 200
    phone = Phone(tmp_path, scene.office.daemon, c_name)
    scene.office.register(tmp_path, c_name, f"sip:{c_name}@127.0.0.1:{phone.port}")
    there = f"Contact: <sip:{scene.callee}@{scene.office.daemon.domain}>"
    phone.start(invited(), by_way_of_proxy(answer(302, there)), receive("ACK"))
    dialled = scene.dial()
    until(lambda: "482 " in scene.a.trace(), "the call to be refused")
    assert time.monotonic() - dialled < SOON
    phone.finish()
    assert [callee for callee, _ in scene.rung()] == [scene.callee, scene.callee, c_name]


@both
def test_a_caller_from_outside_is_forwarded(scene: Scene, tmp_path: Path) -> None:
    """He has no account with Kamailio, which is given that of the one who is called."""
    number, c_name = "+493055", scene.user()
    b, c = scene.make_phone(scene.callee), scene.make_phone(c_name)
    assert scene.office.forwards(scene.callee, c_name) == 200
    domain = scene.office.daemon.domain
    caller = Phone(tmp_path, scene.office.daemon, "outside", OUTSIDE)
    caller.start(
        call_unasked(number, domain, scene.callee, sdp(caller.media)),
        expect(180),
        expect(180),
        answered(),
        pause(100),
        hang_up(),
        request_uri=f"{scene.callee}@{domain}",
    )
    until(b.is_ringing, "the first phone to ring")
    until(c.is_ringing, "the next phone to ring")
    c.accept()
    caller.finish()
    until(c.has_no_call, "the call to end")
    from_ = scene.callee if scene.office.challenges else number
    assert scene.rung() == [(scene.callee, from_), (c_name, scene.callee)]
    for phone in (b, c):
        assert f'From: "{number}" <sip:' in phone.trace() or from_ == number


@both
def test_a_hunt_group_is_reached_by_way_of_kamailio(scene: Scene) -> None:
    names = scene.callee, scene.user()
    b, c = (scene.make_phone(name) for name in names)
    group = scene.office.add_group(*names)
    scene.dial(group)
    until(b.is_ringing, "the first phone to ring")
    phones = scene.talking(c)
    assert b.has_no_call()
    scene.a.hang_up()
    phones.are_free()
    assert scene.rung() == [(group, scene.caller), *((name, name) for name in names)]
