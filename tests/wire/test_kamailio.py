"""sipxd beside Kamailio, which has the phones: by the configuration that the documentation shows.

Kamailio believes sipxd by its address, or challenges it like any phone (the user of From must then
be the user of the credentials); both ways must work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs
import pytest
from curl import curl_call
from daemon import Client, Daemon, until
from kamailio import HOST, Kamailio, Office
from telephones import Phones, Telephone


@pytest.fixture(scope="module", params=["trusting-udp", "challenging-udp", "challenging-tcp"])
def office(
    make_daemon: Callable[..., Daemon],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Office]:
    attitude, transport = request.param.split("-")
    kamailio = Kamailio(tmp_path_factory.mktemp("kamailio"), Daemon.domain)
    daemon = make_daemon(
        transports=("udp", "tcp"),
        sip__registrar=False,
        sip__outbound_proxy=f"sip:{kamailio.address};transport={transport}",
        sip__trusted_peers=[HOST],
        call__ring_timeout=5,
    )
    daemon.start()
    try:
        kamailio.start(daemon.sip_port, trusting=attitude == "trusting", transport=transport)
        yield Office(kamailio, daemon)
    finally:
        kamailio.stop()


@pytest.fixture
def make_phone(
    office: Office, start_telephone: Callable[..., Telephone]
) -> Callable[..., Telephone]:
    """Start a phone that registers at Kamailio."""

    def make(name: str, kind: str = "baresip", answer: str = "auto") -> Telephone:
        password = office.daemon.sip_password(name)
        return start_telephone(
            kind, name, office.daemon.domain,
            registrar=office.kamailio.address, password=password, answer=answer,
        )  # fmt: skip

    return make


@pytest.fixture
def names(office: Office) -> tuple[str, str]:
    """Two users of both."""
    return office.add_user(), office.add_user()


@pytest.fixture
def client(office: Office, names: tuple[str, str]) -> Iterator[Client]:
    """The first one's HTTPS connection; afterwards he has no call."""
    client = office.daemon.client(names[0])
    yield client
    client.hang_up_all()


@pytest.fixture
def phones(names: tuple[str, str], client: Client, make_phone: Callable[..., Telephone]) -> Phones:
    """A's phone answers by itself, B's when it is told to."""
    return Phones(make_phone(names[0]), make_phone(names[1], answer="manual"), names[1], client)


@pytest.mark.parametrize("flow", ["offer", "offerless"])
def test_click_to_call(phones: Phones, flow: str) -> None:
    call = phones.bridged(flow)
    phones.hold("b")
    phones.b.resume()
    phones.talk()
    phones.b.hang_up()
    phones.are_free()
    record = phones.client.wait_state(call, "ended")
    assert record["cause"]["who"] == "callee"
    assert not record["media_mismatch"]


def test_click_to_call_by_refer_leaves_the_call_to_the_phone(phones: Phones) -> None:
    """The phone makes a call of its own, through Kamailio; ours has done its work then."""
    call = phones.client.call(phones.b_name, flow="refer").call
    until(phones.b.is_ringing, "the other phone to ring")
    phones.b.accept()
    record = phones.client.wait_state(call, "ended")
    assert record["bridged"] is not None, record
    assert record["cause"]["code"] == 200, record
    phones.talk()
    phones.hold("b")
    phones.b.resume()
    phones.talk()
    phones.b.hang_up()
    phones.are_free()


@pytest.mark.parametrize("flow", ["offer", "refer"])
def test_curl_makes_the_call(
    office: Office, names: tuple[str, str], phones: Phones, flow: str
) -> None:
    call = curl_call(office.daemon, *names, flow=flow)
    until(phones.b.is_ringing, "the other phone to ring")
    phones.b.accept()
    phones.talk()
    record = phones.client.wait_state(call, "ended" if flow == "refer" else "bridged")
    assert record["bridged"] is not None, record
    phones.b.hang_up()
    phones.are_free()
    record = phones.client.wait_state(call, "ended")
    assert record["cause"]["code"] == 200, record


def test_user_hangs_up_while_the_other_rings(phones: Phones) -> None:
    call = phones.client.call(phones.b_name).call
    until(phones.b.is_ringing, "the other phone to ring")
    phones.a.hang_up()
    phones.are_free()
    assert phones.client.wait_state(call, "ended")["cause"]["who"] == "caller"


def test_callee_declines(phones: Phones) -> None:
    call = phones.client.call(phones.b_name).call
    until(phones.b.is_ringing, "the other phone to ring")
    phones.b.hang_up()
    phones.are_free()
    cause = phones.client.wait_state(call, "ended")["cause"]
    assert (cause["leg"], cause["code"]) == ("callee", 486)


def test_kamailio_knows_no_phone_of_the_user(names: tuple[str, str], client: Client) -> None:
    cause = client.wait_state(client.call(names[1]).call, "ended")["cause"]
    assert (cause["leg"], cause["code"]) == ("caller", 404)


def test_a_phone_dials_another_through_both(office: Office, phones: Phones) -> None:
    phones.a.dial(f"sip:{phones.b_name}@{office.daemon.domain}")
    until(phones.b.is_ringing, "the other phone to ring")
    phones.b.accept()
    phones.talk()
    (record,) = phones.client.calls()
    assert record["number"] == phones.b_name
    phones.a.hang_up()
    phones.are_free()


@pytest.mark.parametrize("by", ["a", "b", "api"])
def test_calls_survive_a_restart_of_kamailio(
    office: Office,
    phones: Phones,
    names: tuple[str, str],
    make_phone: Callable[..., Telephone],
    by: str,
) -> None:
    call = phones.bridged()
    office.kamailio.restart()
    phones.talk()
    match by:
        case "a":
            phones.a.hang_up()
        case "b":
            phones.b.hang_up()
        case "api":
            assert phones.client.ask("DELETE", f"/v1/calls/{call}").status // 100 == 2
    phones.are_free()
    who = {"a": "caller", "b": "callee", "api": "api"}[by]
    assert phones.client.wait_state(call, "ended")["cause"]["who"] == who
    # Kamailio has forgotten who registered; the phones' next registrations let calls through again.
    cause = phones.client.wait_state(phones.client.call(phones.b_name).call, "ended")["cause"]
    assert (cause["leg"], cause["code"]) == ("caller", 404)
    phones.a.stop()
    phones.b.stop()
    again = attrs.evolve(phones, a=make_phone(names[0]), b=make_phone(names[1], answer="manual"))
    again.bridged()
    again.a.hang_up()
    again.are_free()


@pytest.mark.parametrize("office", ["trusting-udp", "challenging-udp"], indirect=True)
@pytest.mark.parametrize("then", ["answers", "declines", "answers too late"])
def test_kamailio_restarts_while_the_callee_rings(
    office: Office, phones: Phones, then: str
) -> None:
    """Kamailio passes the response on by its Via, but not the CANCEL of what it has forgotten."""
    call = phones.client.call(phones.b_name, flow="offer").call
    until(phones.b.is_ringing, "the other phone to ring")
    office.kamailio.restart()
    match then:
        case "answers":
            phones.b.accept()
            phones.talk()
            phones.client.wait_state(call, "bridged")
            phones.b.hang_up()
        case "declines":
            phones.b.hang_up()
        case "answers too late":
            phones.client.wait_state(call, "ended")
            until(phones.a.has_no_call, "the user's phone to be free")
            phones.b.accept()
    phones.are_free()
    cause = phones.client.wait_state(call, "ended")["cause"]
    code = {"answers": 200, "declines": 486, "answers too late": 408}[then]
    assert (cause["leg"], cause["code"]) == ("callee", code)
    until(lambda: not office.daemon.metrics()["sipxd_legs_live"], "no leg to be left")


@pytest.mark.parametrize("office", ["challenging-udp"], indirect=True)
def test_kamailio_does_not_accept_the_password_that_sipxd_knows(office: Office) -> None:
    name = office.add_user(known_to_kamailio_as="something-Else-9")
    client = office.daemon.client(name)
    cause = client.wait_state(client.call(office.add_user()).call, "ended")["cause"]
    assert cause["leg"] == "caller"
    assert cause["code"] in (403, 407), cause


def test_linphone_calls_baresip(
    names: tuple[str, str], client: Client, make_phone: Callable[..., Telephone]
) -> None:
    a, b = make_phone(names[0], "linphone"), make_phone(names[1], answer="manual")
    phones = Phones(a, b, names[1], client)
    phones.bridged()
    phones.hold("b")
    phones.b.resume()
    phones.talk()
    phones.a.hang_up()
    phones.are_free()
