"""Answering the challenges of a PBX or gateway."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from legkit import authorizer, challenge, is_right

from sipxd.sip.credentials import MAXIMUM_NONCE, Attempts
from sipxd.sip.digest import nonce_count
from sipxd.sip.message import Header, Request, Response


def request(method: str = "INVITE", *headers: Header, uri: str = "sip:1@pbx") -> Request:
    return Request(method, uri, headers=[("CSeq", f"1 {method}"), *headers])


def refusal(*headers: Header, status: int = 401) -> Response:
    return Response(status, "Unauthorized", headers=list(headers))


def test_a_challenge_is_answered_and_the_next_request_comes_with_credentials() -> None:
    account = authorizer()
    assert account.preempt(request()) == ()
    (first,) = account.answer(refusal(challenge()), request()) or ()
    (second,) = account.preempt(request("BYE"))
    assert is_right(request("INVITE", first))
    assert is_right(request("BYE", second))
    assert (nonce_count(first[1]), nonce_count(second[1])) == (1, 2)


def test_a_password_that_was_refused_is_not_sent_again() -> None:
    account = authorizer()
    first = account.answer(refusal(challenge()), request())
    assert first is not None
    assert account.answer(refusal(challenge("n2")), request("INVITE", *first)) is None
    assert account.preempt(request()) == ()


def test_a_nonce_that_has_got_old_is_replaced_whether_it_is_called_stale_or_not() -> None:
    account = authorizer()
    account.answer(refusal(challenge()), request())
    used = account.preempt(request())
    answer = account.answer(refusal(challenge("n2")), request("INVITE", *used))
    assert answer is not None
    assert is_right(request("INVITE", *answer))
    stale = challenge("n3", more=', qop="auth", stale=true')
    assert account.answer(refusal(stale), request("INVITE", *answer)) is not None


def test_the_same_nonce_given_to_two_calls_is_counted_on() -> None:
    account = authorizer()
    counts = []
    for _ in range(2):
        (header,) = account.answer(refusal(challenge("n1")), request()) or ()
        counts.append(nonce_count(header[1]))
    assert counts == [1, 2]


def test_a_nonce_without_qop_is_used_once() -> None:
    account = authorizer()
    old = challenge(more="")
    assert account.answer(refusal(old), request()) is not None
    assert account.preempt(request()) == ()


@pytest.mark.parametrize(
    "foreign",
    [
        challenge(realm="elsewhere"),
        challenge(realm="PBX"),
        challenge("n" * (MAXIMUM_NONCE + 1)),
        challenge(more=f', qop="auth", opaque="{"o" * (MAXIMUM_NONCE + 1)}"'),
        challenge(more=', qop="auth-int"'),
        challenge(more=", algorithm=SHA-1"),
        ("WWW-Authenticate", 'Digest nonce="n1"'),
        ("WWW-Authenticate", 'Basic realm="pbx"'),
        ("X-Other", "Digest"),
    ],
)
def test_nothing_is_given_to_anybody_else(foreign: Header) -> None:
    account = authorizer()
    assert account.answer(refusal(foreign), request()) is None
    assert account.preempt(request()) == ()


def test_of_several_challenges_the_strongest_of_our_realm_is_answered() -> None:
    values = [
        challenge(realm="elsewhere"),
        challenge("md5"),
        challenge("sha", more=', qop="auth", algorithm=SHA-256'),
        challenge("proxy", proxy=True),
    ]
    headers = dict(authorizer().answer(refusal(*values), request()) or ())
    assert 'nonce="sha"' in headers["Authorization"]
    assert "algorithm=SHA-256" in headers["Authorization"]
    assert 'nonce="proxy"' in headers["Proxy-Authorization"]


def test_what_no_header_can_hold_gets_no_credentials() -> None:
    assert authorizer().answer(refusal(challenge()), request(uri='sip:"@pbx')) is None


def test_a_request_that_went_out_again_has_one_set_of_credentials_and_a_new_number() -> None:
    attempts = Attempts(authorizer())
    attempts.first("k", request())
    attempts.again("k", refusal(challenge()), 2)
    again = attempts.again("k", refusal(challenge("n2", more=', qop="auth", stale=true')), 3)
    assert again is not None
    assert again.cseq == (3, "INVITE")
    assert len(again.get_all("Authorization")) == 1
    assert attempts.credentials("k") == (("Authorization", again.require("Authorization")),)


def test_requests_that_are_remembered_are_bounded() -> None:
    attempts = Attempts(authorizer())
    for n in range(40):
        attempts.first(f"k{n}", request())
    assert attempts.again("k0", refusal(challenge()), 2) is None
    assert attempts.again("k39", refusal(challenge()), 2) is not None


@given(st.lists(st.tuples(st.sampled_from(["WWW-Authenticate", "Proxy-Authenticate"]), st.text())))
def test_no_challenge_raises(headers: list[Header]) -> None:
    attempts = Attempts(authorizer())
    attempts.first("k", request())
    attempts.again("k", refusal(*headers), 2)
    assert len(attempts.explain(refusal(*headers))) < 200
