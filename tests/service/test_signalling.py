"""What the server answers to requests that come in, message by message."""

from __future__ import annotations

import pytest

from sipxd.sip import digest
from sipxd.sip.message import Request, Response, parse_message
from sipxd.sip.transaction import ack_for
from sipxd.testing.office import Office
from sipxd.testing.phone import Behaviour

HOST = "198.51.100.77"
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 198.51.100.77\r\ns=-\r\nc=IN IP4 198.51.100.77\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0\r\n"
)


class Wire:
    """A bare node that sends what it is told and keeps what it gets."""

    def __init__(self, office: Office, host: str = HOST) -> None:
        self.office = office
        self.host = host
        self.messages: list[Request | Response] = []
        self.node = office.network.node(host, 5060, self._received)
        self.number = 0

    def _received(self, data: bytes, flow: object) -> None:
        self.messages.append(parse_message(data))

    def send(
        self,
        method: str,
        uri: str,
        *,
        from_: str = "<sip:200@example.org>;tag=1",
        to: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        call_id: str | None = None,
        cseq: int | None = None,
    ) -> Response:
        """Send a request and give its last response within two seconds."""
        self.number += 1
        lines = [
            ("Via", f"SIP/2.0/UDP {self.host}:5060;branch=z9hG4bK{self.number};rport"),
            ("Max-Forwards", "70"),
            ("From", from_),
            ("To", to or f"<{uri}>"),
            ("Call-ID", call_id or f"wire-{self.number}"),
            ("CSeq", f"{cseq or self.number} {method}"),
            ("Contact", f"<sip:200@{HOST}:5060>"),
        ]
        given = {name for name, _ in headers}
        lines = [line for line in lines if line[0] not in given] + list(headers)
        if body:
            lines.append(("Content-Type", "application/sdp"))
        request = Request(method, uri, headers=lines, body=body)
        self.node.send(request.encode(), self.node.flow_to("192.0.2.1", 5060))
        self.office.run(0.3)
        answer = [m for m in self.messages if isinstance(m, Response)][-1]
        if method == "INVITE" and answer.status >= 300:
            self.node.send(ack_for(request, answer).encode(), self.node.flow_to("192.0.2.1", 5060))
        self.office.run(1.7)
        self.messages.clear()
        return answer

    def authorized(
        self,
        method: str,
        uri: str,
        *,
        user: str = "200",
        password: str = "secret-200",
        **more: object,
    ) -> Response:
        """Send a request twice: to be challenged, and with credentials."""
        challenge = self.send(method, uri, **more)  # type: ignore[arg-type]
        assert challenge.status == 401
        (offered,) = digest.parse_challenges(challenge.get_all("WWW-Authenticate"))
        value = digest.authorize(offered, method, uri, user, password, nc=1, cnonce="c")
        headers = (*more.pop("headers", ()), ("Authorization", value))  # type: ignore[misc]
        return self.send(method, uri, headers=headers, **more)  # type: ignore[arg-type]


@pytest.fixture
def office() -> Office:
    made = Office()
    made.add_user("200")
    made.add_phone("201", Behaviour(answer_after=None))
    return made


@pytest.fixture
def wire(office: Office) -> Wire:
    return Wire(office)


REGISTRAR = "sip:example.org"
AOR = "<sip:200@example.org>"


def register(wire: Wire, *headers: tuple[str, str], **more: object) -> Response:
    return wire.authorized("REGISTER", REGISTRAR, to=AOR, headers=headers, **more)


def test_a_registration_is_answered_with_its_contacts_and_is_stored(
    wire: Wire, office: Office
) -> None:
    answer = register(wire, ("Expires", "600"))
    assert answer.status == 200
    assert answer.get("Contact") == f"<sip:200@{HOST}:5060>;expires=600"
    (binding,) = office.registrations.of(office.users["200"])
    assert (binding.flow.host, binding.flow.port) == (HOST, 5060)
    office.registrations._bindings.clear()
    office.now(office.registrations.load())
    assert office.registrations.of(office.users["200"]) == (binding,)


def test_a_registration_that_is_too_short_is_423(wire: Wire) -> None:
    answer = register(wire, ("Expires", "5"))
    assert (answer.status, answer.get("Min-Expires")) == (423, "60")


def test_a_registration_ends_by_itself(wire: Wire, office: Office) -> None:
    register(wire, ("Expires", "60"))
    office.run(61)
    assert office.registrations.of(office.users["200"]) == ()


@pytest.mark.parametrize(("user", "password"), [("200", "wrong"), ("nobody", "wrong")])
def test_wrong_credentials_of_known_and_unknown_users_look_the_same(
    wire: Wire, user: str, password: str
) -> None:
    answer = wire.authorized("REGISTER", REGISTRAR, to=AOR, user=user, password=password)
    assert (answer.status, answer.reason) == (403, "Forbidden")


def test_ones_own_credentials_do_not_register_somebody_else(wire: Wire) -> None:
    answer = wire.authorized("REGISTER", REGISTRAR, to="<sip:201@example.org>")
    assert answer.status == 403


def challenged(wire: Wire, *headers: tuple[str, str]) -> list[str]:
    """The algorithms that a REGISTER of usual size is offered."""
    usual = ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, MESSAGE, REFER, NOTIFY")
    padding = ("Supported", "path, outbound, replaces, 100rel, timer, norefersub, gruu" * 4)
    answer = wire.send("REGISTER", REGISTRAR, to=AOR, headers=(usual, padding, *headers))
    return [digest.parse_challenges([v])[0].algorithm for v in answer.get_all("WWW-Authenticate")]


def test_md5_is_offered_first_and_sha_256_beside_it(wire: Wire) -> None:
    assert challenged(wire) == ["MD5", "SHA-256"]


def test_a_phone_that_gives_up_at_sha_256_is_offered_md5_alone(wire: Wire) -> None:
    assert challenged(wire, ("User-Agent", "baresip v1.0.0 (x86_64/linux)")) == ["MD5"]


@pytest.mark.parametrize("realm", ["r", "example.org", "a-rather-long-realm.of.example.org" * 2])
def test_no_challenge_is_much_larger_than_its_request(realm: str) -> None:
    office = Office(settings=f'[sip]\nrealm = "{realm}"')
    wire = Wire(office)
    for length in range(0, 700, 50):
        seen = len(office.network.log)
        wire.send("OPTIONS" if length % 100 else "REGISTER", REGISTRAR, call_id="c" * length + "x")
        question, answer = office.network.log[seen:]
        assert len(answer.data) <= 1.2 * len(question.data) + 300


def test_credentials_for_a_proxy_are_read_as_well(wire: Wire) -> None:
    (offered,) = digest.parse_challenges(
        wire.send("REGISTER", REGISTRAR, to=AOR).get_all("WWW-Authenticate")
    )
    value = digest.authorize(offered, "REGISTER", REGISTRAR, "200", "secret-200", nc=1, cnonce="c")
    headers = (("Proxy-Authorization", value),)
    assert wire.send("REGISTER", REGISTRAR, to=AOR, headers=headers).status == 200


@pytest.mark.parametrize("user", ["200", "nobody"])
def test_guesses_are_stopped_and_the_owner_gets_in_from_elsewhere(
    wire: Wire, office: Office, user: str
) -> None:
    for _ in range(10):
        wrong = wire.authorized("REGISTER", REGISTRAR, to=AOR, user=user, password="wrong")
        assert wrong.status == 403
    locked = wire.authorized("REGISTER", REGISTRAR, to=AOR, user=user)
    assert (locked.status, bool(locked.get("Retry-After"))) == (503, True)
    other = Wire(office, "198.51.100.78")
    assert other.authorized("REGISTER", REGISTRAR, to=AOR).status == 200
    office.run(60)
    if user == "200":
        assert wire.authorized("REGISTER", REGISTRAR, to=AOR).status == 200


def test_guesses_from_a_forged_address_do_not_lock_anybody_out(wire: Wire, office: Office) -> None:
    """Who forges an address does not receive the nonces that are sent there."""
    attacker = Wire(office, "198.51.100.66")
    challenge = attacker.send("REGISTER", REGISTRAR, to=AOR)
    (offered,) = digest.parse_challenges(challenge.get_all("WWW-Authenticate"))
    for number in range(40):
        value = digest.authorize(
            offered, "REGISTER", REGISTRAR, "200", "wrong", nc=number + 1, cnonce="c"
        )
        answer = wire.send("REGISTER", REGISTRAR, to=AOR, headers=(("Authorization", value),))
        assert (answer.status, "stale=true" in str(answer.headers)) == (401, True)
    assert wire.authorized("REGISTER", REGISTRAR, to=AOR).status == 200


def test_replayed_credentials_are_challenged_again(wire: Wire) -> None:
    challenge = wire.send("REGISTER", REGISTRAR, to=AOR)
    (offered,) = digest.parse_challenges(challenge.get_all("WWW-Authenticate"))
    value = digest.authorize(offered, "REGISTER", REGISTRAR, "200", "secret-200", nc=1, cnonce="c")
    headers = (("Authorization", value),)
    assert wire.send("REGISTER", REGISTRAR, to=AOR, headers=headers).status == 200
    again = wire.send("REGISTER", REGISTRAR, to=AOR, headers=headers)
    assert again.status == 401
    assert "stale=true" in (again.get("WWW-Authenticate") or "")


@pytest.mark.parametrize(
    "method", ["REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE", "REFER", "BYE", "CANCEL"]
)
def test_a_stranger_costs_no_memory_and_gets_one_small_answer(
    wire: Wire, office: Office, method: str
) -> None:
    before = len(office.timers), office.stack.server_count
    seen = len(office.network.log)
    wire.send(method, "sip:201@example.org", body=SDP if method == "INVITE" else b"")
    assert (len(office.timers), office.stack.server_count) == before
    question, *answers = [
        packet for packet in office.network.log[seen:] if not packet.data.startswith(b"ACK ")
    ]
    (answer,) = answers
    assert answer.destination == question.source
    assert len(answer.data) <= 1.2 * len(question.data) + 300


def test_a_call_needs_credentials(wire: Wire, office: Office) -> None:
    assert wire.send("INVITE", "sip:201@example.org", body=SDP).status == 401
    assert office.phones[0].calls == []
    assert wire.authorized("INVITE", "sip:201@example.org", body=SDP).status == 180


def test_the_servers_own_ip_address_stands_for_its_domain(wire: Wire) -> None:
    assert wire.authorized("INVITE", "sip:201@192.0.2.1:5060", body=SDP).status == 180


def test_another_domain_needs_a_permission(wire: Wire) -> None:
    answer = wire.authorized("INVITE", "sip:201@elsewhere.example", body=SDP)
    assert (answer.status, "sip-address" in answer.reason) == (403, True)


@pytest.mark.parametrize("uri", ["sip:404@example.org", "sip:example.org"])
def test_what_no_route_leads_to_is_404(wire: Wire, uri: str) -> None:
    assert wire.authorized("INVITE", uri, body=SDP).status == 404


def test_a_session_interval_below_90_seconds_is_422(wire: Wire) -> None:
    headers = (("Session-Expires", "30"), ("Supported", "timer"))
    answer = wire.authorized("INVITE", "sip:201@example.org", body=SDP, headers=headers)
    assert (answer.status, answer.get("Min-SE")) == (422, "90")


def test_a_call_that_has_no_hops_left_is_483(wire: Wire) -> None:
    headers = (("Max-Forwards", "0"),)
    answer = wire.authorized("INVITE", "sip:201@example.org", body=SDP, headers=headers)
    assert answer.status == 483


def test_a_session_description_that_cannot_be_read_is_488(wire: Wire, office: Office) -> None:
    answer = wire.authorized("INVITE", "sip:201@example.org", body=b"nonsense")
    assert answer.status == 488
    assert office.left_over().get("calls") is None


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("OPTIONS", 200),
        ("BYE", 481),
        ("UPDATE", 481),
        ("FOO", 405),
    ],
)
def test_other_requests_outside_of_a_dialog(wire: Wire, method: str, status: int) -> None:
    answer = wire.send(method, "sip:201@example.org")
    assert answer.status == status
    if status in (200, 405):
        assert "INVITE" in (answer.get("Allow") or "")


@pytest.mark.parametrize(
    ("method", "status"),
    [("MESSAGE", 403), ("REFER", 403), ("SUBSCRIBE", 489), ("PUBLISH", 489), ("NOTIFY", 489)],
)
def test_what_rings_relays_or_subscribes_needs_credentials_first(
    wire: Wire, office: Office, method: str, status: int
) -> None:
    assert wire.send(method, "sip:201@example.org").status == 401
    answer = wire.authorized(method, "sip:201@example.org")
    assert answer.status == status
    assert office.left_over().get("calls") is None


@pytest.mark.parametrize("method", ["MESSAGE", "REFER", "SUBSCRIBE", "PUBLISH"])
def test_credentials_of_one_user_are_none_for_another(wire: Wire, method: str) -> None:
    headers = (("From", "<sip:201@example.org>;tag=x"),)
    assert wire.authorized(method, "sip:201@example.org", headers=headers).status == 403


@pytest.mark.parametrize("method", ["BYE", "INVITE", "INFO", "REFER"])
def test_a_request_of_an_unknown_dialog_is_481(wire: Wire, method: str) -> None:
    to = "<sip:x@192.0.2.1>;tag=unknown"
    assert wire.send(method, "sip:x@192.0.2.1:5060", to=to, body=b"").status == 481


def test_a_request_with_the_right_leg_and_a_wrong_dialog_is_481(wire: Wire, office: Office) -> None:
    alice = office.add_phone("200")
    alice.call("201")
    office.run(2)
    leg_id = next(iter(office.table._legs))
    answer = wire.send("BYE", f"sip:{leg_id}@192.0.2.1:5060", to="<sip:x@192.0.2.1>;tag=guessed")
    assert answer.status == 481
    assert office.table.leg_count == 2


def test_a_trusted_peer_brings_calls_of_users_and_of_strangers_without_a_password() -> None:
    office = Office(settings=f'[sip]\ntrusted_peers = ["{HOST}/32"]\n')
    office.add_user("200")
    office.add_phone("201", Behaviour(answer_after=None))
    wire = Wire(office)
    assert wire.send("INVITE", "sip:201@example.org", body=SDP).status == 180
    stranger = "<sip:x@y.org>;tag=2"
    assert wire.send("INVITE", "sip:201@example.org", body=SDP, from_=stranger).status == 180
    outside = wire.send("INVITE", "sip:030123@example.org", body=SDP, from_=stranger)
    assert outside.status == 404  # no gateway is set up, and none would take it
    assert wire.send("REGISTER", REGISTRAR, to=AOR).status == 401


def test_an_offerless_call_carries_the_far_offer_up_and_the_callers_answer_down(
    wire: Wire, office: Office
) -> None:
    office.phones[0].behaviour = Behaviour(answer_after=0.1)
    answer = wire.authorized("INVITE", "sip:201@example.org")
    assert answer.status == 200
    assert b"c=IN IP4 198.51.100.1" in answer.body
    (contact,) = answer.get_all("Contact")
    assert office.requests("ACK", "198.51.100.1") == []  # it waits for the caller's answer
    ack = Request(
        "ACK",
        contact.strip("<>"),
        headers=[
            ("Via", f"SIP/2.0/UDP {HOST}:5060;branch=z9hG4bKack"),
            ("Max-Forwards", "70"),
            ("From", answer.require("From")),
            ("To", answer.require("To")),
            ("Call-ID", answer.call_id),
            ("CSeq", f"{answer.cseq[0]} ACK"),
            ("Content-Type", "application/sdp"),
        ],
        body=SDP,
    )
    wire.node.send(ack.encode(), wire.node.flow_to("192.0.2.1", 5060))
    office.run(1)
    (far,) = office.requests("ACK", "198.51.100.1")
    assert b"c=IN IP4 198.51.100.77" in far and b"m=audio 4000" in far
    assert office.phones[0].calls[-1].up
