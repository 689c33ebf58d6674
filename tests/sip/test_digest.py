"""Digest authentication: the vectors of the RFCs, and what strangers may send."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.sip import digest
from sipxd.sip.digest import (
    Algorithm,
    Challenge,
    Ha1,
    Outcome,
    Verdict,
    authorize,
    challenges,
    parse_challenges,
    verify,
)
from sipxd.sip.nonces import Nonces

REALM = "example.test"
URI = "sip:201@example.test"
NOW = 1_800_000_000.0
HERE = "192.0.2.1"
MD5, SHA_256, SHA_512_256 = Algorithm


def find_ha1(user: str, algorithm: Algorithm) -> str | None:
    return digest.ha1(algorithm, user, REALM, "secret") if user == "200" else None


def credentials(
    nonces: Nonces,
    *,
    algorithm: Algorithm = MD5,
    user: str = "200",
    secret: str = "secret",
    nc: int = 1,
    uri: str = URI,
    now: float = NOW,
    nonce: str = "",
) -> str:
    value = challenges(REALM, nonce or nonces.issue(now, HERE), algorithms=[algorithm])
    (challenge,) = parse_challenges(value)
    return authorize(challenge, "INVITE", uri, user, secret, nc=nc, cnonce="0a4f113b")


def judge(
    nonces: Nonces,
    *values: str,
    now: float = NOW,
    uri: str = URI,
    source: str = HERE,
    locked: bool = False,
) -> Outcome:
    return verify(
        values,
        method="INVITE",
        request_uri=uri,
        realm=REALM,
        nonces=nonces,
        now=now,
        source=source,
        find_ha1=find_ha1,
        locked=lambda username: locked,
    ).outcome


@pytest.fixture
def nonces() -> Nonces:
    return Nonces(b"k" * 32)


# -- vectors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("challenge", "user", "password", "uri", "cnonce", "response"),
    [
        (  # RFC 2617 section 3.5
            'Digest realm="testrealm@host.com", qop="auth,auth-int", '
            'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
            "Mufasa",
            "Circle Of Life",
            "/dir/index.html",
            "0a4f113b",
            "6629fae49393a05397450978507c4ef1",
        ),
        (  # RFC 7616 section 3.9.1
            'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, '
            'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
            'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
            "Mufasa",
            "Circle of Life",
            "/dir/index.html",
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "8ca523f5e9506fed4657c9700eebdbec",
        ),
        (
            'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
            'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"',
            "Mufasa",
            "Circle of Life",
            "/dir/index.html",
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
        (  # RFC 7616 section 3.9.2 with erratum 4897
            'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
            'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK"',
            "J\u00e4s\u00f8n Doe",
            "Secret, or not?",
            "/doe.json",
            "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
            "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
        ),
    ],
)
def test_vectors_of_the_rfcs(
    challenge: str, user: str, password: str, uri: str, cnonce: str, response: str
) -> None:
    (read,) = parse_challenges([challenge])
    value = authorize(read, "GET", uri, user, password, nc=1, cnonce=cnonce)
    assert f'response="{response}"' in value
    ready = Ha1(digest.ha1(read.algorithm, user, read.realm, password))
    assert authorize(read, "GET", uri, user, ready, nc=1, cnonce=cnonce) == value
    assert ready.value not in repr(ready)


def test_without_qop_the_older_form_is_used() -> None:
    (read,) = parse_challenges(['Digest realm="atlanta.com",nonce="84a4cc6f",opaque=""'])
    value = authorize(read, "REGISTER", "sip:ss2", "bob", "zanzibar", nc=1, cnonce="unused")
    expected = MD5.hash(
        f"{MD5.hash('bob:atlanta.com:zanzibar')}:84a4cc6f:{MD5.hash('REGISTER:sip:ss2')}"
    )
    assert f'response="{expected}"' in value
    assert "qop" not in value and "nc=" not in value and 'opaque=""' in value


# -- the client -----------------------------------------------------------------------------------


def test_sha_goes_before_md5_and_else_the_server_s_order_holds() -> None:
    values = challenges(REALM, "n", algorithms=[MD5, SHA_256, SHA_512_256])
    assert [c.algorithm for c in parse_challenges(values)] == [SHA_256, SHA_512_256, MD5]


@pytest.mark.parametrize(
    "value",
    [
        'Basic realm="x"',
        'Digest realm="x", nonce="n", algorithm=MD5-sess',
        'Digest realm="x", nonce="n", algorithm=AKAv1-MD5',
        'Digest realm="x", nonce="n", qop="auth-int"',
        'Digest realm="x"',
        'Digest nonce="n"',
        'Digest realm="x", nonce=""',
        'Digest realm="x", nonce="n", nonce="m"',
        'Digest realm="x", nonce="n',
        'Digest realm="x\\", nonce="n"',
        'Digest realm="x" nonce="n"',
        'Digest realm="x\r\nVia: y", nonce="n"',
        'Digest realm=x\\, nonce="n"',
        "Digest " + "a" * digest.MAX_VALUE,
        "Digest",
        "",
    ],
)
def test_challenges_that_cannot_be_answered_are_left_out(value: str) -> None:
    assert parse_challenges([value]) == []


def test_challenges_are_read_tolerantly() -> None:
    value = (
        'digest   Realm = "a, \\"b\\" c" ,,NONCE=abc ,'
        'algorithm="sha-256", STALE=TRUE, qop=auth, x=,'
    )
    assert parse_challenges([value]) == [
        Challenge('a, \\"b\\" c', "abc", SHA_256, qop=True, opaque=None, stale=True)
    ]


@pytest.mark.parametrize(
    ("user", "uri"), [("a\r\nb", URI), ("a", 'sip:"'), ("a", "sip:\n"), ("a\0", URI)]
)
def test_no_line_break_gets_into_a_header(user: str, uri: str) -> None:
    (read,) = parse_challenges(challenges(REALM, "n"))
    with pytest.raises(ValueError, match="printable"):
        authorize(read, "INVITE", uri, user, "x", nc=1, cnonce="c")


# -- the server -----------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_right_credentials_are_accepted_once(nonces: Nonces, algorithm: Algorithm) -> None:
    value = credentials(nonces, algorithm=algorithm)
    assert judge(nonces, value) is Outcome.ACCEPTED
    assert judge(nonces, value) is Outcome.STALE


def test_a_user_name_with_quotes_comes_through(nonces: Nonces) -> None:
    value = credentials(nonces, user='a "b" \\c', secret="x")
    verdict = verify(
        [value],
        method="INVITE",
        request_uri=URI,
        realm=REALM,
        nonces=nonces,
        now=NOW,
        source=HERE,
        find_ha1=lambda user, algorithm: digest.ha1(algorithm, user, REALM, "x"),
    )
    assert verdict == Verdict(Outcome.ACCEPTED, 'a "b" \\c')


def test_a_nonce_serves_as_long_as_its_count_rises(nonces: Nonces) -> None:
    nonce = nonces.issue(NOW, HERE)
    outcomes = [
        judge(nonces, credentials(nonces, nonce=nonce, nc=nc), now=NOW + 59)
        for nc in (1, 2, 7, 7, 3)
    ]
    assert outcomes == [Outcome.ACCEPTED] * 3 + [Outcome.STALE] * 2


def test_without_qop_a_nonce_serves_once(nonces: Nonces) -> None:
    bare = f'Digest realm="{REALM}", nonce="{nonces.issue(NOW, HERE)}"'
    (challenge,) = parse_challenges([bare])
    value = authorize(challenge, "INVITE", URI, "200", "secret", nc=1, cnonce="")
    assert judge(nonces, value) is Outcome.ACCEPTED
    assert judge(nonces, value) is Outcome.STALE


def test_an_old_a_future_and_a_foreign_nonce_are_stale(nonces: Nonces) -> None:
    assert judge(nonces, credentials(nonces), now=NOW + 61) is Outcome.STALE
    assert judge(nonces, credentials(nonces, now=NOW + 5)) is Outcome.STALE
    for foreign in ("dcd98b71", "é" * 56, "0" * 56, Nonces(b"other").issue(NOW, HERE)):
        assert judge(nonces, credentials(nonces, nonce=foreign)) is Outcome.STALE


def test_a_nonce_is_good_for_the_address_that_it_was_sent_to(nonces: Nonces) -> None:
    """Who can use one has received it: a forged sender address is not enough."""
    value = credentials(nonces)
    assert judge(nonces, value, source="192.0.2.66") is Outcome.STALE
    assert judge(nonces, value) is Outcome.ACCEPTED


@pytest.mark.parametrize("secret", ["secret", "guess"])
def test_a_secret_is_looked_at_only_with_a_nonce_of_ours(nonces: Nonces, secret: str) -> None:
    old = credentials(nonces, secret=secret)
    assert judge(nonces, old, now=NOW + 61) is Outcome.STALE
    assert judge(nonces, credentials(nonces, secret=secret, nonce="0" * 56)) is Outcome.STALE


@pytest.mark.parametrize("secret", ["secret", "guess"])
def test_where_too_many_were_wrong_none_is_looked_at(nonces: Nonces, secret: str) -> None:
    assert judge(nonces, credentials(nonces, secret=secret), locked=True) is Outcome.LOCKED
    assert len(nonces) == 0


def test_wrong_secret_and_unknown_user_look_the_same(nonces: Nonces) -> None:
    assert judge(nonces, credentials(nonces, secret="guess")) is Outcome.REFUSED
    assert judge(nonces, credentials(nonces, user="999")) is Outcome.REFUSED
    assert len(nonces) == 0


def test_the_decoy_of_unknown_users_lets_nobody_in(nonces: Nonces) -> None:
    (challenge,) = parse_challenges(challenges(REALM, nonces.issue(NOW, HERE)))
    for length in (0, 32, 64):
        value = authorize(challenge, "INVITE", URI, "999", Ha1("0" * length), nc=1, cnonce="c")
        assert judge(nonces, value) is Outcome.REFUSED


def test_credentials_for_another_realm_are_somebody_else_s(nonces: Nonces) -> None:
    other = credentials(nonces).replace(f'realm="{REALM}"', 'realm="pbx"')
    assert judge(nonces) is Outcome.ABSENT
    assert judge(nonces, other, "Basic MjAwOjE=") is Outcome.ABSENT
    assert judge(nonces, other, credentials(nonces)) is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('username="200"', 'username=""'),
        ("response=", "answer="),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        ("qop=auth", "qop=auth-int"),
        ("algorithm=MD5", "algorithm=MD5-sess"),
        (f'uri="{URI}"', 'uri="sip:900@example.test"'),
        (f'uri="{URI}"', 'uri="sip:201@evil.test"'),
        ("cnonce=", "conce="),
        ('response="', 'response="\x01'),
        ("qop=auth", "qop=auth, qop=auth"),
        ("qop=auth", 'qop="auth'),
    ],
)
def test_broken_credentials_are_malformed(nonces: Nonces, old: str, new: str) -> None:
    value = credentials(nonces)
    assert old in value
    assert judge(nonces, value.replace(old, new)) is Outcome.MALFORMED


@pytest.mark.parametrize(
    "uri",
    ["sip:201@EXAMPLE.test", "sip:201@example.test:5060", "SIP:201@example.test;user=phone?a=b"],
)
def test_the_uri_of_a_phone_may_leave_out_port_and_parameters(nonces: Nonces, uri: str) -> None:
    assert judge(nonces, credentials(nonces, uri=uri)) is Outcome.ACCEPTED
    assert judge(nonces, credentials(nonces), uri=uri) is Outcome.ACCEPTED


def test_an_ipv6_host_is_no_port(nonces: Nonces) -> None:
    value = credentials(nonces, uri="sip:[2001:db8::1]:5060")
    assert judge(nonces, value, uri="sip:[2001:db8::1]") is Outcome.ACCEPTED
    value = credentials(nonces, uri="sip:[2001:db8::1]")
    assert judge(nonces, value, uri="sip:[2001:db8::2]") is Outcome.MALFORMED


def test_only_the_algorithms_asked_for_are_taken(nonces: Nonces) -> None:
    verdict = verify(
        [credentials(nonces)],
        method="INVITE",
        request_uri=URI,
        realm=REALM,
        nonces=nonces,
        now=NOW,
        source=HERE,
        find_ha1=find_ha1,
        algorithms=[SHA_256],
    )
    assert verdict.outcome is Outcome.MALFORMED


def test_the_table_of_nonces_is_bounded_and_forgets_nothing_into_replay() -> None:
    nonces = Nonces(b"k", capacity=3)
    early = nonces.issue(NOW, HERE)
    used = [credentials(nonces) for _ in range(5)]
    assert [judge(nonces, value) for value in used] == [Outcome.ACCEPTED] * 5
    assert len(nonces) == 3
    assert [judge(nonces, value) for value in used] == [Outcome.STALE] * 5
    assert judge(nonces, credentials(nonces, nonce=early)) is Outcome.STALE
    assert judge(nonces, credentials(nonces)) is Outcome.ACCEPTED


def test_expired_nonces_leave_the_table(nonces: Nonces) -> None:
    for _ in range(10):
        judge(nonces, credentials(nonces))
    assert len(nonces) == 10
    judge(nonces, credentials(nonces, now=NOW + 100), now=NOW + 100)
    assert len(nonces) == 1


def test_stale_is_said_so_that_phones_try_again() -> None:
    (value,) = challenges(REALM, "n", stale=True)
    assert value == f'Digest realm="{REALM}", nonce="n", algorithm=MD5, qop="auth", stale=true'
    assert parse_challenges([value])[0].stale


# -- anything from the wire -----------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *("Digest ", 'realm="example.test"', 'nonce="n"', 'username="200"', f'uri="{URI}"'),
        *('response="é"', "qop=auth", "nc=00000001", 'cnonce="', "algorithm=MD5"),
        *('"', "\\", ",", "=", " ", "\udcff", "²"),
    ]
)


@given(st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=20).map("".join)), st.booleans())
def test_nothing_raises(text: str, prefixed: bool) -> None:
    value = "Digest " + text if prefixed else text
    assert judge(Nonces(b"k"), value) in {Outcome.ABSENT, Outcome.MALFORMED, Outcome.STALE}
    for challenge in parse_challenges([value]):
        authorize(challenge, "INVITE", URI, "200", "secret", nc=1, cnonce="c")


QUOTABLE = st.text(
    st.characters(min_codepoint=32, exclude_characters='\x7f"\\', exclude_categories=("Cs",)),
    max_size=20,
)
TOKENS = st.text("abcXYZ09-.!%*_+`'~", min_size=1, max_size=8)


@given(st.dictionaries(TOKENS.map(str.lower), QUOTABLE, max_size=6))
def test_parameters_are_read_as_written(fields: dict[str, str]) -> None:
    value = "Digest " + ", ".join(f'{name}="{text}"' for name, text in fields.items())
    assert digest._parameters(value) == fields


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20))
def test_escaping_turns_back(text: str) -> None:
    assert digest._unescaped(digest._escaped(text)) == text


@pytest.mark.parametrize(
    "piece", ["a=b,", 'a="', '\\"', 'a="\\\\",', "a" * 4, ", , ", "=" * 4, " \t \t"]
)
def test_reading_takes_time_in_proportion(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "MAX_VALUE", 1 << 20)

    def cpu(size: int) -> float:
        value = "Digest " + piece * (size // len(piece))
        best = 1.0
        for _ in range(5):
            start = time.process_time()
            digest._parameters(value)
            best = min(best, time.process_time() - start)
        return best

    assert cpu(65_536) < max(3 * cpu(32_768), 0.002)
