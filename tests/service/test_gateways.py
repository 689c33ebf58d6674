"""Calls over gateways, from a phone to the last BYE; health, registrations, calls that come in."""

from __future__ import annotations

import pytest
from gatewaykit import FakeGateway, answers_calls, challenge
from twisted.internet.defer import Deferred

from sipxd.sip.message import Header, Request, Response, respond
from sipxd.testing.office import DOMAIN, SERVER, Office
from sipxd.testing.phone import Phone, PhoneCall

ONE, TWO = "203.0.113.1", "203.0.113.2"
BOTH = f"""
    [[gateway]]
    name = "one"
    uri = "sip:{ONE}"
    username = "acct"
    password = "geheim-one"
    realm = "asterisk"
    health_check = 0
    patience = 2
    [[gateway]]
    name = "two"
    uri = "sip:{TWO}"
    health_check = 0
    [[route]]
    pattern = "0."
    strip = 1
    gateways = ["one", "two"]
"""


def world(settings: str = BOTH) -> tuple[Office, Phone]:
    office = Office(settings=settings)
    return office, office.add_phone("200")


def dial(office: Office, phone: Phone, number: str = "0301", seconds: float = 1.0) -> PhoneCall:
    call = phone.call(number)
    office.run(seconds)
    return call


def end(office: Office) -> None:
    """Nothing is left but what looks after the gateways."""
    for phone in office.phones:
        for call in phone.live_calls:
            call.hang_up()
    office.run(40)
    Deferred.fromCoroutine(office.gateways.stop())
    office.run(40)
    assert office.left_over() == {}


def test_a_call_goes_over_the_first_gateway() -> None:
    office, ann = world()
    gateway = answers_calls(office, ONE)
    call = dial(office, ann, seconds=2)
    assert call.up and gateway.live_calls
    (invite,) = office.requests("INVITE", ONE)
    assert invite.startswith(f"INVITE sip:301@{ONE} SIP/2.0".encode())
    assert f"<sip:200@{ONE}>".encode() in invite
    end(office)


@pytest.mark.parametrize("status", [500, 503, 407])
def test_the_next_gateway_is_tried_where_the_first_fails(status: int) -> None:
    office, ann = world()
    one = FakeGateway(office, ONE)
    one.refuse(status)
    answers_calls(office, TWO)
    assert dial(office, ann, seconds=3).up
    assert len(one.of("INVITE")) == 1
    end(office)


def test_the_next_gateway_is_tried_where_the_first_is_silent_for_its_patience() -> None:
    office, ann = world()
    one = FakeGateway(office, ONE)
    answers_calls(office, TWO)
    call = dial(office, ann, seconds=1.9)
    assert not office.requests("INVITE", TWO) and one.of("INVITE")
    office.run(2)
    assert call.up
    end(office)


def test_what_the_called_number_says_is_final() -> None:
    office, ann = world()
    one, two = FakeGateway(office, ONE), FakeGateway(office, TWO)
    one.refuse(486)
    assert dial(office, ann).status == 486
    assert not two.of("INVITE")
    end(office)


def test_when_every_gateway_fails_the_caller_is_told() -> None:
    office, ann = world()
    for host in (ONE, TWO):
        FakeGateway(office, host).refuse(503)
    assert dial(office, ann).status >= 480
    end(office)


@pytest.mark.parametrize("proxy", [False, True])
def test_a_challenge_for_the_realm_of_the_gateway_is_answered(proxy: bool) -> None:
    office, ann = world()
    one = FakeGateway(office, ONE)
    name = "Proxy-Authorization" if proxy else "Authorization"

    def decide(request: Request) -> Response:
        status, headers = 486, list[Header]()
        if request.get(name) is None:
            status, headers = 407 if proxy else 401, [challenge("asterisk", proxy=proxy)]
        return respond(request, status, to_tag="gw", headers=headers)

    one.answers["INVITE"] = decide
    assert dial(office, ann).status == 486
    first, second = one.of("INVITE")
    assert first.get(name) is None
    assert 'username="acct"' in (second.get(name) or "")
    end(office)


def test_no_credentials_go_to_who_asks_for_another_realm() -> None:
    office, ann = world()
    one, two = FakeGateway(office, ONE), FakeGateway(office, TWO)
    one.refuse(401, challenge(DOMAIN))
    two.refuse(401, challenge("asterisk"))
    dial(office, ann)
    assert len(one.of("INVITE")) == len(two.of("INVITE")) == 1
    for gateway in (one, two):
        assert all(
            "orization" not in name for request in gateway.requests for name, _ in request.headers
        )
    end(office)


def test_a_telephone_behind_the_gateway_is_shown_no_credentials() -> None:
    office, ann = world()
    one, far = FakeGateway(office, ONE), FakeGateway(office, TWO)

    def decide(request: Request) -> Response:
        if request.get("Authorization") is None:
            return respond(request, 401, to_tag="gw", headers=[challenge("asterisk")])
        about = [("Contact", f"<sip:far@{TWO}>"), ("Content-Type", "application/sdp")]
        return respond(request, 200, to_tag="gw", headers=about, body=ann.sdp())

    one.answers["INVITE"] = decide
    far.answers["BYE"] = lambda request: respond(request, 401, headers=[challenge("asterisk")])
    call = dial(office, ann)
    assert call.up and one.of("INVITE")[1].get("Authorization")
    call.hang_up()
    office.run(1)
    assert far.of("ACK") and far.of("BYE")
    assert all(request.get("Authorization") is None for request in far.requests)
    end(office)


def test_a_call_abroad_is_refused_on_a_phone() -> None:
    office, ann = world()
    one = FakeGateway(office, ONE)
    assert dial(office, ann, "00033123").status == 403
    assert not one.requests
    end(office)


def test_a_caller_who_hides_is_hidden() -> None:
    office, ann = world()
    one = FakeGateway(office, ONE)
    one.refuse(486)
    transport = next(iter(ann.stack._transports._open.values()))
    send = transport.send

    def hide(data: bytes, flow: object) -> None:
        if data.startswith(b"INVITE"):
            data = data.replace(b"\r\nMax-Forwards", b"\r\nPrivacy: id\r\nMax-Forwards", 1)
        send(data, flow)  # type: ignore[arg-type]

    transport.send = hide  # type: ignore[method-assign]
    dial(office, ann)
    (invite,) = one.of("INVITE")
    assert (invite.get("From") or "").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>')
    assert invite.get("Privacy") == "id"
    end(office)


# -- health ----------------------------------------------------------------------------------------

CHECKED = BOTH.replace("health_check = 0", "health_check = 30")


def test_a_gateway_that_does_not_answer_options_is_tried_last() -> None:
    office, ann = world(CHECKED)
    two = FakeGateway(office, TWO)
    two.refuse(486)
    office.run(10)
    assert not office.gateways.is_well("one") and office.gateways.is_well("two")
    one = FakeGateway(office, ONE)
    assert dial(office, ann).status == 486
    assert len(two.of("INVITE")) == 1 and not one.of("INVITE")
    office.run(45)
    assert office.gateways.is_well("one")
    states = office.gateways.all()
    assert [(s.name, s.health, s.registration, s.sentence) for s in states] == [
        ("one", "well", "", ""),
        ("two", "well", "", ""),
    ]
    assert states[0].addresses == (f"udp:{ONE}:5060",)
    end(office)


@pytest.mark.parametrize(("status", "well"), [(200, True), (404, True), (405, True), (503, False)])
def test_any_answer_to_options_but_503_is_a_sign_of_life(status: int, well: bool) -> None:
    office, _ = world(CHECKED)
    FakeGateway(office, ONE).answers["OPTIONS"] = lambda request: respond(request, status)
    office.run(60)
    assert office.gateways.is_well("one") is well
    end(office)


def test_a_name_that_nobody_knows_is_an_illness() -> None:
    office, _ = world(CHECKED.replace(f"sip:{ONE}", "sip:gw.example.net"))
    office.run(1)
    state = office.gateways.all()[0]
    assert (state.health, state.addresses) == ("ill", ())
    assert "gw.example.net" in state.sentence
    office.names["gw.example.net"] = [("203.0.113.9", 5060), (ONE, 5060)]
    one = FakeGateway(office, ONE)
    office.run(60)
    assert office.gateways.is_well("one") and one.of("OPTIONS")
    end(office)


# -- registration ----------------------------------------------------------------------------------

REGISTERED = BOTH.replace('realm = "asterisk"', 'register = true\nexpires = 600\nincoming = "200"')


def registrar(office: Office) -> FakeGateway:
    """A gateway that registers who has the password."""
    gateway = FakeGateway(office, ONE)

    def decide(request: Request) -> Response:
        if request.get("Authorization") is None:
            return respond(request, 401, to_tag="gw", headers=[challenge(ONE)])
        return respond(request, 200, to_tag="gw", headers=[("Expires", "100")])

    gateway.answers["REGISTER"] = decide
    return gateway


def test_sipxd_registers_refreshes_and_takes_it_back() -> None:
    office = Office(settings=REGISTERED)
    one = registrar(office)
    office.run(1)
    first, second = one.of("REGISTER")
    assert first.uri == f"sip:{ONE}" and first.get("Expires") == "600"
    assert (first.get("Contact") or "").startswith(f"<sip:acct@{SERVER[0]}:")
    assert 'username="acct"' in (second.get("Authorization") or "")
    assert office.gateways.is_registered("one") is True
    assert office.gateways.is_registered("two") is None
    assert office.gateways.all()[0].registration == "registered"
    office.run(100)
    assert len(one.of("REGISTER")) == 3
    end(office)
    assert one.of("REGISTER")[-1].get("Expires") == "0"


def test_a_registrar_that_is_gone_is_asked_again_later() -> None:
    office = Office(settings=REGISTERED)
    office.run(40)
    assert office.gateways.is_registered("one") is False
    assert office.gateways.all()[0].sentence == "It does not answer."
    registrar(office)
    office.run(60)
    assert office.gateways.is_registered("one") is True
    end(office)


def test_stopping_waits_for_a_silent_registrar_two_seconds() -> None:
    office = Office(settings=REGISTERED)
    one = registrar(office)
    office.run(1)
    one.answers.clear()
    done: list[object] = []
    Deferred.fromCoroutine(office.gateways.stop()).addBoth(done.append)
    office.run(1.5)
    assert not done
    office.run(1)
    assert done == [None]


# -- calls that come in ----------------------------------------------------------------------------


def invite(
    number: str,
    from_: str = '"Zoe" <sip:+4917@pstn.example>',
    *,
    to: str = "",
    host: str = SERVER[0],
) -> Request:
    """A call that a gateway sends in."""
    lines: list[Header] = [
        ("Via", f"SIP/2.0/UDP {ONE}:5060;branch=z9hG4bKin{number}"),
        ("Max-Forwards", "70"),
        ("From", f"{from_};tag=in"),
        ("To", to or f"<sip:{number}@{host}>"),
        ("Call-ID", f"in-{number}"),
        ("CSeq", "1 INVITE"),
        ("Contact", f"<sip:{ONE}>"),
    ]
    return Request("INVITE", f"sip:{number}@{host}", headers=lines)


def status_of(gateway: FakeGateway) -> int:
    return gateway.responses[-1].status


@pytest.mark.parametrize(
    "request_",
    [
        invite("200"),
        invite("acct"),
        invite("+49301", host="sip.example.net"),
        invite("acct", to="<sip:200@sip.example.net>"),
    ],
)
def test_a_call_from_a_gateway_reaches_the_user_that_it_is_for(request_: Request) -> None:
    office, ann = world(REGISTERED)
    one = registrar(office)
    office.run(1)
    one.send(request_)
    office.run(0.5)
    assert status_of(one) == 180
    (call,) = ann.live_calls
    assert call.peer == "Zoe"
    (rung,) = office.requests("INVITE", "198.51.100.1")
    assert f'"Zoe" <sip:+4917@{DOMAIN}>'.encode() in rung


def test_a_gateway_that_challenges_within_its_call_gets_our_credentials() -> None:
    office, ann = world(REGISTERED)
    one = registrar(office)
    one.answers["BYE"] = one.answers["REGISTER"]
    office.run(1)
    one.send(invite("200"))
    office.run(3)
    accepted = one.responses[-1]
    assert accepted.status == 200 and accepted.sdp is not None
    to = ("To", accepted.require("To"))
    lines = [to if line[0] == "To" else line for line in invite("200").headers]
    lines = [(n, v.replace("INVITE", "ACK").replace("bKin", "bKack")) for n, v in lines]
    contact = accepted.require("Contact").strip("<>")
    described = [*lines, ("Content-Type", "application/sdp")]
    one.send(Request("ACK", contact, headers=described, body=accepted.sdp))
    office.run(1)
    assert ann.live_calls
    ann.live_calls[0].hang_up()
    office.run(1)
    assert 'username="acct"' in (one.of("BYE")[-1].get("Authorization") or "")
    office.run(70)
    end(office)


def test_a_call_from_a_gateway_does_not_go_out_again() -> None:
    office, _ = world(BOTH)
    one, two = FakeGateway(office, ONE), FakeGateway(office, TWO)
    office.run(1)
    for number in ("00301", "0301", "112", "nobody"):
        one.send(invite(number))
        office.run(1)
        assert status_of(one) == 404
    one.send(invite("bob", host="elsewhere.example"))
    office.run(1)
    assert status_of(one) == 404
    assert not two.of("INVITE")


def test_a_gateway_cannot_pretend_that_one_of_our_users_calls() -> None:
    office, _ = world(BOTH)
    one = FakeGateway(office, ONE)
    office.run(1)
    one.send(invite("00301", f"<sip:200@{DOMAIN}>"))
    office.run(1)
    assert status_of(one) == 401


@pytest.mark.parametrize(
    "from_",
    ["<sip:%0d%0aX@a>", "<sip:a%22b@a>", "<sip:a>", "<tel:+49>", f"<sip:{'9' * 70}@a>"],
)
def test_a_caller_who_cannot_be_shown_is_anonymous(from_: str) -> None:
    office, ann = world(BOTH)
    one = FakeGateway(office, ONE)
    office.run(1)
    one.send(invite("200", from_))
    office.run(0.5)
    (call,) = ann.live_calls
    assert call.peer == ("+49" if "tel" in from_ else "anonymous")


def test_nobody_outside_has_the_name_of_one_of_our_users() -> None:
    office, ann = world(BOTH)
    one = FakeGateway(office, ONE)
    office.run(1)
    one.send(invite("200", '"Ann" <sip:200@pstn.example>'))
    office.run(0.5)
    (call,) = ann.live_calls
    assert call.peer == "anonymous"
    assert [record.user for record in office.calls.live()] == ["anonymous"]


def test_a_stranger_is_no_gateway() -> None:
    office, _ = world(BOTH)
    stranger = FakeGateway(office, "203.0.113.77")
    stranger.send(invite("200"))
    office.run(1)
    assert status_of(stranger) == 401
