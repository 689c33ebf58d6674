"""Keys of transactions, and the ACK and CANCEL that are made from an INVITE."""

from __future__ import annotations

import pytest

from sipxd.sip.message import Request, respond
from sipxd.sip.transaction import ack_for, cancel_for, client_key, merge_key, server_key

VIA = "SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKa"


def request(
    method: str = "INVITE", via: str = VIA, *, uri: str = "sip:b@h", cseq: int = 1, tag: str = "a"
) -> Request:
    return Request(
        method,
        uri,
        headers=[
            ("Via", via),
            ("Via", "SIP/2.0/UDP 10.0.0.3;branch=z9hG4bKother"),
            ("Max-Forwards", "69"),
            ("Route", "<sip:p1;lr>"),
            ("Route", "<sip:p2;lr>"),
            ("From", f"<sip:a@h>;tag={tag}"),
            ("To", "<sip:b@h>"),
            ("Call-ID", "c1"),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", "<sip:a@10.0.0.2>"),
            ("Content-Type", "application/sdp"),
        ],
        body=b"v=0\r\n",
    )


def test_one_transaction_is_branch_sent_by_and_method() -> None:
    assert server_key(request()) == server_key(request(uri="sip:other@h"))
    assert server_key(request("ACK"), "INVITE") == server_key(request())
    assert server_key(request("CANCEL"), "INVITE") == server_key(request())


@pytest.mark.parametrize(
    "other",
    [
        request(via=VIA + "x"),
        request(via=VIA.replace("5060", "5061")),
        request(via=VIA.replace("10.0.0.2", "10.0.0.9")),
        request("CANCEL"),
    ],
)
def test_another_branch_sender_or_method_is_another_transaction(other: Request) -> None:
    assert server_key(other) != server_key(request())


@pytest.mark.parametrize("branch", ["", ";branch=1", ";branch=z9hG4bK"])
def test_a_peer_without_unique_branches_is_known_by_its_request(branch: str) -> None:
    via = f"SIP/2.0/UDP 10.0.0.2{branch}"
    assert server_key(request("ACK", via), "INVITE") == server_key(request(via=via))
    for other in (
        request(via=via, uri="sip:c@h"),
        request(via=via, cseq=2),
        request(via=via, tag="b"),
    ):
        assert server_key(other) != server_key(request(via=via))


def test_copies_over_different_paths_are_one_request() -> None:
    assert merge_key(request()) == merge_key(request(via=VIA + "x"))
    assert merge_key(request()) != merge_key(request(cseq=2))
    assert merge_key(request()) != merge_key(request(tag="b"))
    assert merge_key(request()) != merge_key(request("OPTIONS"))


def test_a_cancel_and_its_invite_are_two_client_transactions() -> None:
    assert client_key("z9hG4bKa", "INVITE") != client_key("z9hG4bKa", "CANCEL")


def test_the_ack_of_a_refusal_is_of_the_same_transaction() -> None:
    invite = request()
    ack = ack_for(invite, respond(invite, 486, to_tag="theirs"))
    assert (ack.method, ack.uri, ack.body) == ("ACK", "sip:b@h", b"")
    assert ack.get_all("Via") == [VIA]
    assert ack.get_all("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert ack.get("Max-Forwards") == "70"
    assert ack.cseq == (1, "ACK")
    assert (ack.from_tag, ack.to_tag, ack.call_id) == ("a", "theirs", "c1")
    assert ack.get("Contact") is None


def test_the_cancel_names_the_invite_and_carries_its_reason() -> None:
    reason = ("Reason", "SIP;cause=200")
    cancel = cancel_for(request(), [reason])
    assert (cancel.method, cancel.uri, cancel.body) == ("CANCEL", "sip:b@h", b"")
    assert cancel.get_all("Via") == [VIA]
    assert cancel.get_all("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert cancel.cseq == (1, "CANCEL")
    assert (cancel.from_tag, cancel.to_tag, cancel.call_id) == ("a", None, "c1")
    assert reason in cancel.headers
