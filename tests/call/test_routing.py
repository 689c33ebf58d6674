"""The dial plan: from a number to gateways, in order."""

from __future__ import annotations

from sipxd.call.routing import find_way
from sipxd.directory.gateway import Gateway
from sipxd.directory.route import Route

GATEWAYS = {
    gateway.name: gateway
    for gateway in (
        Gateway("one", "sip:192.0.2.1"),
        Gateway("two", "sip:192.0.2.2", called_strip=1, called_prepend="00"),
        Gateway("three", "sip:192.0.2.3", called_strip=32),
    )
}
ROUTES = (
    Route("112", ("two",), prepend="+"),
    Route("0[1-9].", ("one", "two"), strip=1, prepend="+49", permission="LongDistance"),
    Route("0.", ("one",)),
    Route("7.", ("three",)),
)


def attempts(number: str, *ill: str) -> list[tuple[str, str]]:
    way = find_way(number, ROUTES, GATEWAYS, lambda name: name not in ill)
    assert way is not None
    return [(attempt.gateway.name, attempt.number) for attempt in way.attempts]


def test_the_first_route_that_matches_is_used() -> None:
    way = find_way("030123", ROUTES, GATEWAYS)
    assert way is not None
    assert (way.number, way.permission) == ("+4930123", "LongDistance")
    assert way.forms == ("+4930123", "+4930123", "004930123")
    assert attempts("030123") == [("one", "+4930123"), ("two", "004930123")]
    assert attempts("0012") == [("one", "0012")]
    assert attempts("112") == [("two", "00112")]


def test_a_gateway_that_is_not_well_comes_last() -> None:
    assert attempts("030123", "one") == [("two", "004930123"), ("one", "+4930123")]
    assert attempts("030123", "two") == [("one", "+4930123"), ("two", "004930123")]
    assert attempts("030123", "one", "two") == [("one", "+4930123"), ("two", "004930123")]
    assert attempts("0012", "one") == [("one", "0012")]


def test_a_number_of_no_route_leads_nowhere() -> None:
    assert find_way("201", ROUTES, GATEWAYS) is None
    assert find_way("ann", ROUTES, GATEWAYS) is None


def test_a_gateway_for_which_no_number_is_left_is_not_tried() -> None:
    assert attempts("712") == []
