"""The listeners of the configuration: what of ``advertise`` holds for which."""

from __future__ import annotations

import pytest

from sipxd.config_values import parse_sip_listen
from sipxd.net.listeners import advertised

UDP, TCP, TLS = (f"{kind}:0.0.0.0:5060" for kind in ("udp", "tcp", "tls"))
SIX = "udp:[::]:5060"


@pytest.mark.parametrize(
    ("advertise", "listener", "told"),
    [
        ("", UDP, ""),
        ("sip.example.com", UDP, "sip.example.com"),
        ("sip.example.com", SIX, "sip.example.com"),
        ("sip.example.com:5070", UDP, "sip.example.com:5070"),
        ("sip.example.com:5070", TCP, "sip.example.com:5070"),
        ("sip.example.com:5070", TLS, "sip.example.com"),
        ("192.0.2.1:5070", TLS, "192.0.2.1"),
        ("192.0.2.1", SIX, ""),
        ("2001:db8::1", SIX, "2001:db8::1"),
        ("2001:db8::1", UDP, ""),
        ("[2001:db8::1]", SIX, "[2001:db8::1]"),
        ("[2001:db8::1]:5070", SIX, "[2001:db8::1]:5070"),
        ("[2001:db8::1]:5070", "tls:[::]:5061", "[2001:db8::1]"),
    ],
)
def test_a_port_is_for_udp_and_tcp_and_an_address_for_its_family(
    advertise: str, listener: str, told: str
) -> None:
    assert advertised(advertise, parse_sip_listen(listener)) == told
