"""Refer-To, Replaces and sipfrag as text; REFER and its NOTIFYs on a leg."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from legkit import Peer, of, one, reply, request_of, status_of, up_uac, up_uas

from sipxd.sip.leg import (
    Ended,
    Gone,
    Output,
    ReferOutcome,
    Referred,
    SendRequest,
    SendResponse,
)
from sipxd.sip.message import Request, Response
from sipxd.sip.referral import (
    MAXIMUM_FRAGMENT,
    ReferralError,
    ReferTo,
    Replaces,
    fragment,
    parse_fragment,
    parse_refer_to,
    parse_replaces,
    replaces_of,
)
from sipxd.sip.referral_usage import EXPIRES
from sipxd.sip.usage import InviteUsage

# -- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@b;to-tag=1;from-tag=2", Replaces("a@b", "1", "2")),
        (" a ; from-tag=2 ;to-tag=1", Replaces("a", "1", "2")),
        ("a;to-tag=1;from-tag=2;early-only", Replaces("a", "1", "2", early_only=True)),
        ("a;to-tag=1;from-tag=2;x=y", Replaces("a", "1", "2")),
    ],
)
def test_replaces_is_read(text: str, expected: Replaces) -> None:
    assert parse_replaces(text) == expected
    assert parse_replaces(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a;to-tag=1",
        ";to-tag=1;from-tag=2",
        "a;to-tag=1;from-tag=2;to-tag=3",
        "a,b;to-tag=1;from-tag=2",
        "a b;to-tag=1;from-tag=2",
        "a;to-tag=1 2;from-tag=2",
        "a;to-tag=;from-tag=2",
        "x" * 300 + ";to-tag=1;from-tag=2",
        "a;to-tag=1;from-tag=2;ä=1",
        "a\x01;to-tag=1;from-tag=2",
    ],
)
def test_a_replaces_that_names_no_single_dialog_is_refused(text: str) -> None:
    with pytest.raises(ReferralError):
        parse_replaces(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:202@example.org", ReferTo("sip:202@example.org")),
        ('"Carol" <sip:202@example.org>', ReferTo("sip:202@example.org")),
        ("<sip:202@example.org;method=INVITE>", ReferTo("sip:202@example.org")),
        ("<tel:+49301234>", ReferTo("tel:+49301234")),
        (
            "<sip:202@h?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>",
            ReferTo("sip:202@h", Replaces("a@b", "1", "2")),
        ),
        (
            "<sip:202@h?Subject=x&replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces>",
            ReferTo("sip:202@h", Replaces("a", "1", "2")),
        ),
        ("<sip:202@h?Route=%3Csip:evil%3E>", ReferTo("sip:202@h")),
    ],
)
def test_refer_to_is_read_without_what_a_stranger_embeds(text: str, expected: ReferTo) -> None:
    assert parse_refer_to(text) == expected
    assert parse_refer_to(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<>",
        "<http://example.org>",
        "<sip:202@h;method=BYE>",
        "<sip:202@h?Replaces=nothing>",
        "<sip:202@h?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=b>",
        "<sip:202@h?" + "&".join(["a=b"] * 17) + ">",
        "sip:202@h?Replaces=x",
    ],
)
def test_a_refer_to_that_cannot_be_followed_is_refused(text: str) -> None:
    with pytest.raises(ReferralError):
        parse_refer_to(text)


@given(st.text(max_size=60))
def test_no_text_breaks_the_readers(text: str) -> None:
    for read in (parse_refer_to, parse_replaces):
        try:
            read(text)
        except ReferralError:
            continue


def notify(body: bytes, kind: str = "message/sipfrag;version=2.0") -> Request:
    return Request("NOTIFY", "sip:x@y", headers=[("Content-Type", kind)], body=body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"SIP/2.0 200 OK\r\n", (200, "OK")),
        (b"SIP/2.0 486 Busy here", (486, "Busy here")),
        (b"\r\nsip/2.0 180 Ringing\r\nTo: x\r\n\r\n", (180, "Ringing")),
        (b"SIP/2.0 603", (603, "")),
        (b"SIP/2.0 099 x", None),
        (b"SIP/2.0 20 x", None),
        (b"SIP/2.0 \xd9\xa1\xd9\xa2\xd9\xa3 x", None),
        (b"INVITE sip:a@b SIP/2.0", None),
        (b"", None),
        (b"SIP/2.0 200 OK\r\n" + b"x" * MAXIMUM_FRAGMENT, None),
    ],
)
def test_the_status_line_of_a_sipfrag_is_read(body: bytes, expected: object) -> None:
    assert parse_fragment(notify(body)) == expected
    assert parse_fragment(notify(body, "text/plain")) is None


def test_a_fragment_is_one_line_whatever_the_reason_says() -> None:
    assert fragment(486, "Busy\r\nEvil: yes") == b"SIP/2.0 486 BusyEvil: yes\r\n"


def test_an_invite_names_at_most_one_dialog() -> None:
    value = "a;to-tag=1;from-tag=2"
    assert replaces_of(Request("INVITE", "sip:x@y", headers=[])) is None
    single = Request("INVITE", "sip:x@y", headers=[("Replaces", value)])
    assert replaces_of(single) == Replaces("a", "1", "2")
    with pytest.raises(ReferralError):
        replaces_of(Request("INVITE", "sip:x@y", headers=[("Replaces", value)] * 2))


# -- the peer refers us ------------------------------------------------------------------------


def refer(peer: Peer, to: str = "<sip:202@example.test>", key: str = "in-1", *more: Any) -> Any:
    return peer.send("REFER", headers=[("Refer-To", to), *more], key=key)


def told(outputs: list[Output]) -> tuple[SendRequest, str, str, str]:
    """The NOTIFY that is sent: Event, state and what the sipfrag says."""
    sent = request_of(outputs, "NOTIFY")
    request = sent.request
    state = request.get("Subscription-State") or ""
    return sent, request.get("Event") or "", state, request.body.decode().strip()


def noted(leg: InviteUsage, sent: SendRequest, status: int = 200) -> list[Output]:
    return leg.receive_response(sent.key, reply(sent.request, status))


def test_a_referral_is_told_accepted_and_followed_by_notifies() -> None:
    leg, peer = up_uas()
    out = refer(peer, "in-1" and "<sip:202@example.test>", "in-1", ("Referred-By", "<sip:a@b>"))
    assert out == [Referred("in-1", "sip:202@example.test", None, "<sip:a@b>")]
    out = leg.accept_referral("in-1")
    assert status_of(out) == 202
    sent, event, state, line = told(out)
    assert (event, state) == ("refer;id=101", f"active;expires={EXPIRES}")
    assert line == "SIP/2.0 100 Trying"
    assert sent.request.get("Contact") is not None
    assert leg.notify_referral("in-1", 180, "Ringing", final=False) == []
    sent, _, _, line = told(noted(leg, sent))
    assert line == "SIP/2.0 180 Ringing"
    noted(leg, sent)
    sent, event, state, line = told(leg.notify_referral("in-1", 200, "OK", final=True))
    assert (event, state, line) == (
        "refer;id=101",
        "terminated;reason=noresource",
        "SIP/2.0 200 OK",
    )
    assert noted(leg, sent) == []
    assert leg.notify_referral("in-1", 200, "OK", final=True) == []


def test_only_the_newest_of_the_notifies_that_wait_is_sent_and_nothing_overtakes_the_last() -> None:
    leg, peer = up_uac()
    refer(peer)
    sent, *_ = told(leg.accept_referral("in-1"))
    assert leg.notify_referral("in-1", 180, "", final=False) == []
    assert leg.notify_referral("in-1", 486, "Busy", final=True) == []
    assert leg.notify_referral("in-1", 183, "", final=False) == []
    *_, line = told(noted(leg, sent))
    assert line == "SIP/2.0 486 Busy"


def test_a_referral_with_replaces_names_the_dialog() -> None:
    _, peer = up_uac()
    out = refer(peer, "<sip:202@h?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>")
    assert one(out, Referred).replaces == Replaces("a", "1", "2")


def test_a_referral_is_refused_and_another_may_follow() -> None:
    leg, peer = up_uac()
    refer(peer)
    response = one(leg.refuse_referral("in-1", 403, "Forbidden: no"), SendResponse).response
    assert (response.status, response.reason) == (403, "Forbidden: no")
    assert leg.notify_referral("in-1", 200, "OK", final=True) == []
    assert one(refer(peer, key="in-2"), Referred).key == "in-2"


def test_one_referral_is_open_at_a_time() -> None:
    leg, peer = up_uac()
    refer(peer)
    assert status_of(refer(peer, key="in-2")) == 491
    leg.accept_referral("in-1")
    assert status_of(refer(peer, key="in-3")) == 491


@pytest.mark.parametrize("to", ["<http://x>", "<sip:a@b;method=BYE>"])
def test_a_broken_refer_to_is_400(to: str) -> None:
    _, peer = up_uac()
    assert status_of(refer(peer, to)) == 400


def test_two_refer_to_are_400() -> None:
    _, peer = up_uac()
    both = [("Refer-To", "<sip:a@b>"), ("Refer-To", "<sip:c@d>")]
    assert status_of(peer.send("REFER", headers=both)) == 400


def test_a_peer_that_wants_no_notify_gets_none() -> None:
    leg, peer = up_uac()
    peer.send("REFER", headers=[("Refer-To", "<sip:a@b>"), ("Refer-Sub", "false")])
    out = leg.accept_referral("in-1")
    assert one(out, SendResponse).response.get("Refer-Sub") == "false"
    assert not of(out, SendRequest)
    assert leg.notify_referral("in-1", 200, "OK", final=True) == []


@pytest.mark.parametrize("status", [481, 489, 500])
def test_a_notify_that_is_refused_ends_the_subscription_and_not_the_call(status: int) -> None:
    leg, peer = up_uac()
    refer(peer)
    sent, *_ = told(leg.accept_referral("in-1"))
    assert noted(leg, sent, status) == []
    assert leg.notify_referral("in-1", 200, "OK", final=True) == []
    assert status_of(peer.send("OPTIONS")) == 200


def test_a_notify_that_gets_no_answer_ends_the_subscription_and_not_the_call() -> None:
    leg, peer = up_uac()
    refer(peer)
    sent, *_ = told(leg.accept_referral("in-1"))
    assert leg.request_failed(sent.key, 408) == []
    assert leg.notify_referral("in-1", 200, "OK", final=True) == []


def test_the_last_word_leaves_before_the_bye() -> None:
    leg, peer = up_uac()
    refer(peer)
    leg.accept_referral("in-1")
    leg.notify_referral("in-1", 200, "OK", final=True)
    sent = [o.request.method for o in of(leg.hang_up(), SendRequest)]
    assert sent == ["NOTIFY", "BYE"]


def test_a_peer_that_hangs_up_before_an_answer_gets_one() -> None:
    leg, peer = up_uac()
    refer(peer)
    out = peer.send("BYE", key="in-2")
    assert [o.response.status for o in of(out, SendResponse)] == [200, 487]
    assert one(out, Ended).by_peer and one(out, Gone)
    assert leg.accept_referral("in-1") == []
    assert leg.notify_referral("in-1", 200, "OK", final=True) == []


def subscribe(peer: Peer, event: str, expires: str = "60", key: str = "in-9") -> Any:
    return peer.send("SUBSCRIBE", headers=[("Event", event), ("Expires", expires)], key=key)


def test_the_subscription_is_refreshed_and_given_up() -> None:
    leg, peer = up_uac()
    refer(peer)
    sent, *_ = told(leg.accept_referral("in-1"))
    noted(leg, sent)
    out = subscribe(peer, "refer;id=101")
    assert status_of(out) == 200
    sent, _, state, line = told(out)
    assert state.startswith("active") and line == "SIP/2.0 100 Trying"
    noted(leg, sent)
    _, _, state, _ = told(subscribe(peer, "refer", "0"))
    assert state.startswith("terminated")
    assert status_of(subscribe(peer, "refer")) == 481


@pytest.mark.parametrize(
    ("event", "status"), [("refer", 481), ("refer;id=7", 481), ("dialog", 489)]
)
def test_other_subscriptions_are_refused(event: str, status: int) -> None:
    _, peer = up_uac()
    assert status_of(subscribe(peer, event)) == status


# -- we refer the peer -------------------------------------------------------------------------


def referring(**more: Any) -> tuple[InviteUsage, Peer, SendRequest]:
    leg, peer = up_uac(**more)
    return leg, peer, request_of(leg.refer("sip:202@example.test", (("X", "y"),)), "REFER")


def says(peer: Peer, body: bytes, state: str = "active", event: str = "refer") -> list[Any]:
    headers = [
        ("Event", event),
        ("Subscription-State", state),
        ("Content-Type", "message/sipfrag"),
    ]
    request = peer.request("NOTIFY", headers=headers)
    return list(
        peer.leg.receive_request(
            "in-1", Request("NOTIFY", request.uri, headers=request.headers, body=body)
        )
    )


def test_the_outcome_of_our_referral_is_what_the_sipfrags_say() -> None:
    leg, peer, sent = referring()
    assert sent.request.get("Refer-To") == "<sip:202@example.test>"
    assert sent.request.get("Contact") and sent.request.get("X") == "y"
    out = leg.receive_response(sent.key, reply(sent.request, 202))
    assert out == [ReferOutcome(202, "Accepted", final=False)]
    out = says(peer, b"SIP/2.0 100 Trying\r\n")
    assert status_of(out) == 200
    assert one(out, ReferOutcome) == ReferOutcome(100, "Trying", final=False)
    # linphone ends neither a failure nor a success properly
    out = says(peer, b"SIP/2.0 486 Busy", "active")
    assert one(out, ReferOutcome) == ReferOutcome(486, "Busy", final=True)
    out = says(peer, b"", "terminated;reason=reason=noresource")
    assert status_of(out) == 200 and not of(out, ReferOutcome)


def test_a_notify_may_come_before_the_202() -> None:
    leg, peer, sent = referring()
    assert one(says(peer, b"SIP/2.0 200 OK"), ReferOutcome).final
    assert leg.receive_response(sent.key, reply(sent.request, 202)) == []


def test_a_refused_referral_is_told_and_the_call_goes_on() -> None:
    leg, peer, sent = referring()
    out = leg.receive_response(sent.key, reply(sent.request, 603))
    assert out == [ReferOutcome(603, "Decline", final=True)]
    assert request_of(leg.refer("sip:203@example.test"), "REFER")
    assert status_of(peer.send("OPTIONS")) == 200


@pytest.mark.parametrize("status", [408, 481])
def test_a_peer_that_no_longer_knows_the_call_ends_it(status: int) -> None:
    leg, _, sent = referring()
    out = leg.receive_response(sent.key, reply(sent.request, status))
    assert one(out, ReferOutcome).status == status
    assert one(out, Ended) and request_of(out, "BYE")


def test_a_referral_without_any_answer_ends_the_call() -> None:
    leg, _, sent = referring()
    out = leg.request_failed(sent.key, 408)
    assert one(out, ReferOutcome).final and one(out, Ended)


def test_a_second_referral_waits_for_nothing() -> None:
    leg, _, _ = referring()
    assert one(leg.refer("sip:203@example.test"), ReferOutcome).final


def test_without_a_dialog_nothing_is_referred() -> None:
    leg, peer = up_uac()
    peer.send("BYE")
    assert one(leg.refer("sip:203@example.test"), ReferOutcome) == ReferOutcome(
        481, "There is no dialog to refer in", final=True
    )


@pytest.mark.parametrize(
    ("event", "status"),
    [("refer;id=999", 481), ("dialog", 489), ("", 489), ("refer;id=x", 481)],
)
def test_a_notify_about_something_else_is_refused(event: str, status: int) -> None:
    _, peer, _ = referring()
    out = says(peer, b"SIP/2.0 200 OK", event=event)
    assert status_of(out) == status and not of(out, ReferOutcome)


def test_a_notify_about_no_referral_of_ours_is_481() -> None:
    _, peer = up_uac()
    assert status_of(says(peer, b"SIP/2.0 200 OK")) == 481


def test_the_id_of_a_notify_is_the_number_of_the_refer() -> None:
    _, peer, sent = referring()
    event = f"refer;id={sent.request.cseq[0]}"
    assert one(says(peer, b"SIP/2.0 180 Ringing", event=event), ReferOutcome).status == 180


STEPS = st.lists(
    st.sampled_from(
        [
            "refer", "accept", "refuse", "ringing", "final", "answered", "failed", "lost", "bye",
            "hang up", "our refer", "sipfrag", "subscribe", "unsubscribe",
        ]
    ),
    max_size=20,
)  # fmt: skip


@given(STEPS)
def test_any_order_of_events_keeps_one_notify_under_way_and_answers_everything(
    steps: list[str],
) -> None:
    leg, peer = up_uac()
    sent: dict[str, Request] = {}
    asked: set[str] = set()
    for number, step in enumerate(steps):
        key = f"in-{number}"
        last = max(asked, default="in-0", key=lambda k: int(k[3:]))
        out: list[Output] = []
        match step:
            case "refer":
                asked.add(key)
                out = refer(peer, key=key)
            case "accept":
                out = leg.accept_referral(last)
            case "refuse":
                out = leg.refuse_referral(last, 603)
            case "ringing":
                out = leg.notify_referral(last, 180, "", final=False)
            case "final":
                out = leg.notify_referral(last, 200, "OK", final=True)
            case "answered" | "lost" | "failed" if sent:
                first = next(iter(sent))
                request = sent.pop(first)
                if step == "failed":
                    out = leg.request_failed(first, 408)
                else:
                    out = leg.receive_response(
                        first, reply(request, 200 if step == "answered" else 481)
                    )
            case "bye":
                out = peer.send("BYE", key=key)
            case "hang up":
                out = leg.hang_up()
            case "our refer":
                out = leg.refer("sip:1@x")
            case "sipfrag":
                out = says(peer, b"SIP/2.0 200 OK")
            case "subscribe" | "unsubscribe":
                out = subscribe(peer, "refer", "0" if step == "unsubscribe" else "60", key=key)
            case _:
                pass
        for started in of(out, SendRequest):
            sent[started.key] = started.request
        for answer in of(out, SendResponse):
            asked.discard(answer.key)
            assert isinstance(answer.response, Response)
        final = [r for r in sent.values() if b"200 OK" in r.body]
        assert (
            sum(r.method == "NOTIFY" for r in sent.values()) - len(final) <= 1 or "hang up" in steps
        )
    leg.hang_up()
    peer.send("BYE", key="in-bye")
    assert leg.accept_referral("in-0") == []
