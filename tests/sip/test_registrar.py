"""The rules of RFC 3261 section 10.3, with Path and instances."""

from __future__ import annotations

import attrs
import pytest
from legkit import FLOW

from sipxd.sip.flow import Flow
from sipxd.sip.message import Header, Request
from sipxd.sip.registrar import (
    DEFAULT_EXPIRES,
    MAXIMUM_EXPIRES,
    MINIMUM_EXPIRES,
    Binding,
    Registered,
    Rejected,
    active,
    register,
)

NOW = 1000.0
Bindings = tuple[Binding, ...]


def work(
    *contacts: str,
    before: Bindings = (),
    expires: str | None = None,
    cseq: int = 1,
    call_id: str = "c1",
    headers: tuple[Header, ...] = (),
    limit: int = 5,
    now: float = NOW,
    flow: Flow = FLOW,
) -> Registered | Rejected:
    extra: list[Header] = [("Contact", contact) for contact in contacts]
    if expires is not None:
        extra.append(("Expires", expires))
    request = Request(
        "REGISTER",
        "sip:example.test",
        headers=[("Call-ID", call_id), ("CSeq", f"{cseq} REGISTER"), *extra, *headers],
    )
    return register(request, before, flow, now, limit)


def after(*contacts: str, **more: object) -> Bindings:
    result = work(*contacts, **more)  # type: ignore[arg-type]
    assert isinstance(result, Registered), result
    return result.bindings


def status(*contacts: str, **more: object) -> int:
    result = work(*contacts, **more)  # type: ignore[arg-type]
    assert isinstance(result, Rejected), result
    return result.status


def uris(bindings: Bindings) -> list[str]:
    return [binding.uri for binding in bindings]


def test_a_contact_is_bound_for_the_time_it_asks() -> None:
    (binding,) = after("<sip:a@h1>;expires=600;q=0.5", headers=(("User-Agent", "phone"),))
    assert binding == Binding(
        "sip:a@h1", NOW + 600, "c1", 1, FLOW, q=0.5, path=(), user_agent="phone", instance=""
    )


@pytest.mark.parametrize(
    ("contact", "general", "seconds"),
    [
        ("<sip:a@h>;expires=600", "900", 600),
        ("<sip:a@h>", "900", 900),
        ("<sip:a@h>", None, DEFAULT_EXPIRES),
        ("<sip:a@h>;expires=nonsense", "900", DEFAULT_EXPIRES),
        ("<sip:a@h>;expires=-5", None, DEFAULT_EXPIRES),
        ("<sip:a@h>", "nonsense", DEFAULT_EXPIRES),
        ("<sip:a@h>;expires=4000000000", None, MAXIMUM_EXPIRES),
        ("<sip:a@h>;expires=99999999999999999999", None, DEFAULT_EXPIRES),
    ],
)
def test_the_contact_says_how_long_else_expires_else_the_default(
    contact: str, general: str | None, seconds: int
) -> None:
    (binding,) = after(contact, expires=general)
    assert binding.expires_at == NOW + seconds


def test_too_short_is_423_with_the_minimum() -> None:
    result = work("<sip:a@h>;expires=59")
    assert isinstance(result, Rejected)
    assert (result.status, result.headers) == (423, (("Min-Expires", str(MINIMUM_EXPIRES)),))


def test_a_query_changes_nothing_and_lists_what_holds() -> None:
    before = after("<sip:a@h1>", "<sip:a@h2>;expires=60")
    result = work(before=before)
    assert isinstance(result, Registered)
    assert not result.changed
    assert result.headers == (
        ("Contact", "<sip:a@h1>;expires=3600"),
        ("Contact", "<sip:a@h2>;expires=60"),
    )
    later = work(before=before, now=NOW + 61)
    assert isinstance(later, Registered)
    assert uris(later.bindings) == ["sip:a@h1"]


def test_several_contacts_in_one_line_are_several_bindings() -> None:
    assert uris(after("<sip:a@h1>, <sip:a@h2>;expires=90")) == ["sip:a@h1", "sip:a@h2"]


def test_the_same_contact_twice_in_one_request_counts_once() -> None:
    (binding,) = after("<sip:a@h1>;expires=600", "<sip:a@H1>;expires=700")
    assert binding.expires_at == NOW + 700


def test_an_equivalent_uri_refreshes_instead_of_adding() -> None:
    before = after("<sip:a@H1;transport=udp>")
    (binding,) = after("<sip:%61@h1;transport=UDP>", before=before, cseq=2)
    assert binding.cseq == 2


def test_a_contact_with_expires_zero_is_taken_back() -> None:
    before = after("<sip:a@h1>", "<sip:a@h2>")
    assert uris(after("<sip:a@h1>;expires=0", before=before, cseq=2)) == ["sip:a@h2"]
    assert after("<sip:a@h9>;expires=0") == ()


def test_star_with_expires_zero_takes_everything_back() -> None:
    before = after("<sip:a@h1>", "<sip:a@h2>")
    assert after("*", expires="0", before=before, call_id="other") == ()


@pytest.mark.parametrize(
    ("contacts", "expires"),
    [(("*",), None), (("*",), "3600"), (("*",), "x"), (("*", "<sip:a@h>"), "0")],
)
def test_star_with_anything_else_is_wrong(contacts: tuple[str, ...], expires: str | None) -> None:
    assert status(*contacts, expires=expires) == 400


@pytest.mark.parametrize("cseq", [4, 5])
@pytest.mark.parametrize("contact", ["<sip:a@h1>", "<sip:a@h1>;expires=0", "*"])
def test_a_request_that_was_overtaken_changes_nothing(contact: str, cseq: int) -> None:
    before = after("<sip:a@h1>", cseq=5)
    assert status(contact, before=before, cseq=cseq, expires="0") == 500


def test_another_call_id_is_a_restarted_phone_whatever_its_cseq() -> None:
    before = after("<sip:a@h1>", cseq=5)
    (binding,) = after("<sip:a@h1>", before=before, call_id="c2", cseq=1)
    assert (binding.call_id, binding.cseq) == ("c2", 1)


def test_all_or_nothing() -> None:
    before = after("<sip:a@h1>", cseq=5)
    assert status("<sip:a@h2>", "<sip:a@h1>", before=before, cseq=5) == 500
    assert status("<sip:a@h2>", "<sip:a@h3>;expires=1", before=before, cseq=6) == 423


@pytest.mark.parametrize("contact", ["<mailto:a@h>", "<tel:123>", "sip:", "<sip:a@h", '"a'])
def test_contacts_that_cannot_be_rung_are_wrong(contact: str) -> None:
    assert status(contact) == 400


def test_no_more_than_the_limit_but_those_there_may_stay() -> None:
    before = after(*(f"<sip:a@h{n}>" for n in range(3)), limit=3)
    assert status("<sip:a@h9>", before=before, cseq=2, limit=3) == 403
    assert len(after("<sip:a@h1>", before=before, cseq=2, limit=2)) == 3


def test_a_device_that_moves_replaces_its_old_contact() -> None:
    instance = '+sip.instance="<urn:uuid:1>"'
    before = after(f"<sip:a@h1>;{instance}")
    (binding,) = after(f"<sip:a@h2>;{instance}", before=before, cseq=2)
    assert binding.uri == "sip:a@h2"


def test_a_late_request_of_a_device_that_has_moved_changes_nothing() -> None:
    instance = '+sip.instance="<urn:uuid:1>"'
    before = after(f"<sip:a@h2>;{instance}", cseq=2)
    assert status(f"<sip:a@h1>;{instance}", before=before, cseq=1) == 500


@pytest.mark.parametrize("turned", [False, True])
def test_a_device_may_move_in_one_request(turned: bool) -> None:
    instance = '+sip.instance="<urn:uuid:1>"'
    before = after(f"<sip:a@h1>;{instance}")
    contacts = [f"<sip:a@h1>;{instance};expires=0", f"<sip:a@h2>;{instance}"]
    if turned:
        contacts.reverse()
    assert uris(after(*contacts, before=before, cseq=2)) == ["sip:a@h2"]


def test_the_flows_of_one_device_are_bindings_of_their_own() -> None:
    instance = '+sip.instance="<urn:uuid:1>"'
    first = after(f"<sip:a@h1>;{instance};reg-id=1")
    both = after(f"<sip:a@h2>;{instance};reg-id=2", before=first, cseq=2)
    assert uris(both) == ["sip:a@h1", "sip:a@h2"]
    moved = after(f"<sip:a@h3>;{instance};reg-id=1", before=both, cseq=3)
    assert uris(moved) == ["sip:a@h2", "sip:a@h3"]


def test_the_path_is_kept_and_shown() -> None:
    result = work("<sip:a@h>", headers=(("Path", "<sip:p1;lr>, <sip:p2;lr>"),))
    assert isinstance(result, Registered)
    assert result.bindings[0].path == ("<sip:p1;lr>", "<sip:p2;lr>")
    assert result.headers[-1] == ("Path", "<sip:p1;lr>, <sip:p2;lr>")


def test_a_broken_or_endless_path_is_wrong_and_harmless_in_a_query() -> None:
    assert status("<sip:a@h>", headers=(("Path", "nonsense"),)) == 400
    assert status("<sip:a@h>", headers=(("Path", ",".join(["<sip:p;lr>"] * 11)),)) == 400
    assert after(headers=(("Path", 'x, "'),)) == ()


def test_the_preferred_contact_comes_first_and_expired_ones_not_at_all() -> None:
    bindings = after("<sip:a@h1>;q=0.1", "<sip:a@h2>;q=0.9", "<sip:a@h3>;q=1.0;expires=60")
    assert uris(active(bindings, NOW)) == ["sip:a@h3", "sip:a@h2", "sip:a@h1"]
    assert uris(active(bindings, NOW + 60)) == ["sip:a@h2", "sip:a@h1"]


@pytest.mark.parametrize(
    ("text", "q"),
    [("0", 0.0), ("0.5", 0.5), ("1", 1.0), ("1.0", 1.0), ("0.", 0.0), ("2", 1.0), ("x", 1.0),
     ("1.5", 1.0), ("0.1234", 1.0), ("0.²", 1.0), ("-0.5", 1.0), ("", 1.0), ("nan", 1.0)],
)  # fmt: skip
def test_a_malformed_q_is_one(text: str, q: float) -> None:
    assert after(f"<sip:a@h>;q={text}")[0].q == q


def test_a_binding_follows_the_flow_of_its_last_request() -> None:
    flow = attrs.evolve(FLOW, port=6000)
    (binding,) = after("<sip:a@h>", before=after("<sip:a@h>"), cseq=2, flow=flow)
    assert binding.flow == flow
