"""The dialog as a value: how it is made, what its requests look like, that it can be stored."""

from __future__ import annotations

import json

import pytest
from legkit import FLOW, PEER_CONTACT, invite, reply, request_of, sdp, uac

from sipxd.sip.dialog import (
    DialogError,
    DialogState,
    makeshift_dialog,
    remote_target,
    uac_dialog,
    uas_dialog,
    without_tag,
)
from sipxd.sip.message import Header, Request, Response

CONTACT = "<sip:leg1@192.0.2.1:5060>"


def our_invite() -> Request:
    return request_of(uac().start(sdp()), "INVITE").request


def made(*headers: Header, contact: str | None = PEER_CONTACT) -> DialogState:
    request = our_invite()
    return uac_dialog(request, reply(request, 200, headers=headers, contact=contact), FLOW)


def test_uac_takes_tags_target_and_sequence_from_request_and_response() -> None:
    dialog = made()
    assert dialog.call_id == "call-1"
    assert dialog.remote_tag == "peer"
    assert dialog.local == '"201" <sip:201@example.test>'
    assert dialog.remote == "<sip:200@example.test>"
    assert (dialog.local_seq, dialog.remote_seq) == (1, -1)
    assert dialog.remote_target == PEER_CONTACT


def test_uas_takes_tags_target_and_sequence_from_the_request() -> None:
    dialog = uas_dialog(invite(cseq=7), "ours", FLOW)
    assert (dialog.local_tag, dialog.remote_tag) == ("ours", "peer")
    assert dialog.remote == '"A, B" <sip:200@example.test>'
    assert (dialog.local_seq, dialog.remote_seq) == (0, 7)


def test_route_set_is_reversed_for_the_caller_and_kept_for_the_callee() -> None:
    headers = [("Record-Route", "<sip:p2;lr>, <sip:p1;lr>"), ("Record-Route", "<sip:p0;lr>")]
    assert made(*headers).route_set == ("<sip:p0;lr>", "<sip:p1;lr>", "<sip:p2;lr>")
    callee = uas_dialog(invite(headers=headers), "ours", FLOW)
    assert callee.route_set == ("<sip:p2;lr>", "<sip:p1;lr>", "<sip:p0;lr>")


def test_requests_count_and_go_to_the_remote_target_over_loose_routers() -> None:
    dialog = made(("Record-Route", "<sip:p1;lr>"))
    request, after = dialog.request("UPDATE", contact=CONTACT)
    assert request.uri == PEER_CONTACT
    assert request.values("Route") == ["<sip:p1;lr>"]
    assert request.cseq == (2, "UPDATE")
    assert after.local_seq == 2
    assert request.get("Max-Forwards") == "70"
    assert request.to_tag == "peer"


def test_a_strict_router_takes_the_request_uri_without_headers_and_method() -> None:
    route = "<sip:p1:5070;transport=udp;method=INVITE?Subject=x>"
    request, _ = made(("Record-Route", f"<sip:p2>, {route}")).request("BYE", contact=CONTACT)
    assert request.uri == "sip:p1:5070;transport=udp"
    assert request.values("Route") == ["<sip:p2>", f"<{PEER_CONTACT}>"]


def test_an_ack_has_the_number_of_its_invite() -> None:
    dialog = made()
    _, later = dialog.request("INFO", contact=CONTACT)
    ack = later.ack(1, contact=CONTACT, body=sdp())
    assert ack.cseq == (1, "ACK")
    assert ack.sdp == sdp()


@pytest.mark.parametrize(
    ("method", "expected"), [("INVITE", True), ("UPDATE", True), ("BYE", False), ("INFO", False),
                             ("MESSAGE", False)],
)  # fmt: skip
def test_only_requests_that_may_move_the_target_name_our_contact(
    method: str, expected: bool
) -> None:
    request, _ = made().request(method, contact=CONTACT)
    assert (request.get("Contact") == CONTACT) is expected


@pytest.mark.parametrize("contact", [None, "tel:123", "sip:a b"])
def test_a_response_without_usable_contact_makes_no_dialog(contact: str | None) -> None:
    with pytest.raises(DialogError, match="Contact"):
        made(contact=contact)


@pytest.mark.parametrize("route", ["nonsense", '"<sip:p1;lr>', "<sip:p 1>"])
def test_a_broken_record_route_makes_no_dialog(route: str) -> None:
    with pytest.raises(DialogError):
        made(("Record-Route", route))
    with pytest.raises(DialogError):
        uas_dialog(invite(headers=[("Record-Route", route)]), "ours", FLOW)


def test_a_makeshift_dialog_can_always_say_ack_and_bye() -> None:
    request = our_invite()
    response = reply(request, 200, contact=None, headers=[("Record-Route", "nonsense")])
    dialog = makeshift_dialog(request, response, FLOW)
    assert dialog.ack(1, contact=CONTACT).uri == request.uri
    bye, _ = dialog.request("BYE", contact=CONTACT)
    assert (bye.cseq, bye.to_tag) == ((2, "BYE"), "peer")


def test_the_target_loses_what_a_request_uri_must_not_have() -> None:
    message = Response(200, "OK", headers=[("Contact", "<sip:a@h;method=BYE;x=1?Reason=y>")])
    assert remote_target(message) == "sip:a@h;x=1"
    assert remote_target(Response(200, "OK", headers=[("Contact", "*")])) is None


def test_a_dialog_matches_by_call_id_and_both_tags() -> None:
    dialog = uas_dialog(invite(), "ours", FLOW)

    def incoming(call_id: str, from_tag: str, to_tag: str) -> Request:
        return Request(
            "BYE",
            "sip:x@h",
            headers=[
                ("From", f"<sip:a@h>{from_tag}"),
                ("To", f"<sip:b@h>{to_tag}"),
                ("Call-ID", call_id),
            ],
        )

    assert dialog.matches(incoming("call-2", ";tag=peer", ";tag=ours"))
    assert not dialog.matches(incoming("call-3", ";tag=peer", ";tag=ours"))
    assert not dialog.matches(incoming("call-2", ";tag=other", ";tag=ours"))
    assert not dialog.matches(incoming("call-2", ";tag=peer", ""))


def test_a_tag_is_taken_off_and_the_rest_kept() -> None:
    assert without_tag('"A \\"B\\"" <sip:a@h;x=1>;foo=bar;tag=1;z') == (
        '"A \\"B\\"" <sip:a@h;x=1>;foo=bar;z'
    )
    assert without_tag("sip:a@h;tag=1") == "<sip:a@h>"


def test_a_dialog_survives_storage_as_json() -> None:
    dialog = made(("Record-Route", "<sip:p1;lr>, <sip:p2;lr>"))
    assert DialogState.from_plain(json.loads(json.dumps(dialog.to_plain()))) == dialog
