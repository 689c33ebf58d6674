"""What is known of phones by their User-Agent."""

from __future__ import annotations

import pytest

from sipxd.sip.headers import parse_name_addr
from sipxd.sip.profiles import PROFILES, UNKNOWN, auto_answer, profile_of
from sipxd.sip.uri import parse_uri


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Yealink SIP-T46S 66.84.0.15", "yealink"),
        ("snomD785/10.1.64.14", "snom"),
        ("PolycomVVX-VVX_450-UA/6.3.1", "polycom"),
        ("Cisco/SPA525G2-7.6.2", "cisco"),
        ("baresip v1.0.0 (x86_64/linux)", "baresip"),
        ("Linphonec/5.1.65", "linphone"),
        ("", ""),
        ("something else", ""),
    ],
)
def test_a_profile_is_found_by_what_the_phone_calls_itself(agent: str, name: str) -> None:
    assert profile_of(agent).name == name


@pytest.mark.parametrize("profile", [*PROFILES, UNKNOWN], ids=lambda profile: profile.name)
def test_auto_answer_headers_follow_the_grammar(profile: object) -> None:
    headers = auto_answer(getattr(profile, "name", ""), "example.org")
    assert headers
    for name, value in headers:
        if name == "Answer-Mode":
            assert value == "Auto"
            continue
        uri = parse_name_addr(value).uri
        assert uri in ("sip:example.org", "http://example.org")
        if uri.startswith("sip:"):
            assert parse_uri(uri).host == "example.org"
    if "Call-Info" in dict(headers):
        assert dict(headers)["Call-Info"] == "<sip:example.org>;answer-after=0"


def test_baresip_alone_keeps_the_first_key_of_the_far_side() -> None:
    assert [profile.name for profile in PROFILES if not profile.replaces_keys] == ["baresip"]
