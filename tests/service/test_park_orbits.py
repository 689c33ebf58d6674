"""Park orbits: kept, and called in vain, on phones in memory."""

from __future__ import annotations

import attrs
import pytest

from sipxd.directory.forwarding import Forwarding, Ring
from sipxd.directory.park_orbit import ParkOrbit
from sipxd.errors import BadInput, NotFound
from sipxd.testing.office import Office
from sipxd.testing.phone import Behaviour

LOBBY = ParkOrbit(0, "Lobby orbit", "7001")


def an_office() -> tuple[Office, ParkOrbit]:
    """An office with one orbit, and the phones of 200 and 201, who does not answer."""
    office = Office()
    office.add_phone("200")
    office.add_phone("201", Behaviour(answer_after=None))
    return office, office.now(office.park_orbits.add(LOBBY))


def test_who_dials_an_orbit_is_told_that_nothing_parks() -> None:
    office, _ = an_office()
    call = office.phones[0].call("7001")
    office.run(3)
    assert call.status == 480
    assert any(
        packet.data.startswith(b"SIP/2.0 480 No call can be parked, there is no park server\r\n")
        for packet in office.network.log
    )
    office.run(70)
    assert office.left_over() == {}


def test_an_orbit_that_is_switched_off_or_deleted_is_nobody() -> None:
    office, orbit = an_office()
    off = office.park_orbits.change(orbit.id, lambda old: attrs.evolve(old, enabled=False))
    office.now(off)
    for _ in range(2):
        call = office.phones[0].call("7001")
        office.run(3)
        assert call.status == 404
        if office.park_orbits.all():
            office.now(office.park_orbits.delete([orbit.id]))


def test_a_call_that_is_forwarded_to_an_orbit_rings_the_own_phone_and_ends() -> None:
    office, _ = an_office()
    forwarding = Forwarding(timer=5, rings=(Ring("7001"),))
    office.now(office.forwardings.change(office.users["201"], lambda old: forwarding))
    call = office.phones[0].call("201")
    office.run(10)
    assert call.status in (408, 480)
    office.run(70)
    assert office.left_over() == {}


def test_a_new_name_is_found_and_the_old_one_is_not() -> None:
    office, orbit = an_office()
    new = attrs.evolve(LOBBY, name="Hall", extension="7002")
    changed = office.now(office.park_orbits.change(orbit.id, lambda old: new))
    assert changed == attrs.evolve(new, id=orbit.id, server="example.org")
    assert office.park_orbits.find("7002") == changed == office.park_orbits.get(orbit.id)
    assert office.park_orbits.find("Hall") == changed
    assert office.park_orbits.find("7001") is office.park_orbits.find("Lobby orbit") is None
    office.now(office.park_orbits.load())
    assert office.park_orbits.all() == [changed]


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ({"name": ""}, BadInput, "name"),
        ({"name": "a\x00"}, BadInput, "name"),
        ({"extension": ""}, BadInput, "extension"),
        ({"extension": "7 001"}, BadInput, "extension"),
        ({"description": "x" * 256}, BadInput, "description"),
        ({"music": "a\nb"}, BadInput, "music"),
        ({"server": "a\nb"}, BadInput, "server"),
        ({"settings": {"general/parkTimeout": "x"}}, BadInput, "general/parkTimeout"),
        ({"settings": {"general/other": "1"}}, NotFound, "path"),
    ],
)
def test_what_breaks_a_rule_is_not_kept(change, error, field) -> None:
    office, orbit = an_office()
    for work in (
        office.park_orbits.add(attrs.evolve(LOBBY, **change)),
        office.park_orbits.change(orbit.id, lambda old: attrs.evolve(old, **change)),
    ):
        with pytest.raises(error) as caught:
            office.now(work)
        assert caught.value.field == field
    assert office.park_orbits.all() == [orbit]


def test_several_are_deleted_together_or_not_at_all() -> None:
    office, orbit = an_office()
    other = office.now(office.park_orbits.add(ParkOrbit(0, "b", "7002")))
    with pytest.raises(NotFound):
        office.now(office.park_orbits.delete([orbit.id, 99]))
    assert office.park_orbits.all() == [orbit, other]
    office.now(office.park_orbits.delete([orbit.id, other.id]))
    assert office.park_orbits.all() == []
    with pytest.raises(NotFound):
        office.park_orbits.get(orbit.id)
