"""Beside a PBX that has the phones: every leg goes over it, with the password of the user."""

from __future__ import annotations

from gatewaykit import FakeGateway, challenge

from sipxd.sip.headers import parse_name_addr
from sipxd.sip.message import Request, Response, respond
from sipxd.sip.uri import parse_uri
from sipxd.testing.office import DOMAIN, Office

PBX = "203.0.113.5"
SETTINGS = f"""
    [sip]
    registrar = false
    outbound_proxy = "sip:{PBX}"
"""
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 203.0.113.6\r\ns=-\r\nc=IN IP4 203.0.113.6\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


class Pbx(FakeGateway):
    """Checks, as stock configurations do, that From is the user of the credentials."""

    def __init__(self, office: Office) -> None:
        super().__init__(office, PBX)
        self.answers["INVITE"] = self._decide

    def _decide(self, request: Request) -> Response:
        credentials = request.get("Proxy-Authorization")
        if credentials is None:
            asked = challenge(DOMAIN, proxy=True)
            return respond(request, 407, to_tag="p", headers=[asked])
        user = parse_uri(parse_name_addr(request.get("From") or "").uri).user_text
        if f'username="{user}"' not in credentials:
            return respond(request, 403, to_tag="p")
        about = [
            ("Record-Route", f"<sip:{PBX};lr>"),
            ("Contact", "<sip:phone@203.0.113.6>"),
            ("Content-Type", "application/sdp"),
        ]
        return respond(request, 200, to_tag=request.from_tag, headers=about, body=SDP)


def test_a_click_to_call_goes_over_the_pbx_twice_in_the_name_of_the_user() -> None:
    office = Office(settings=SETTINGS)
    for name in ("200", "201"):
        office.add_user(name)
    pbx = Pbx(office)
    office.click("200", "201")
    office.run(2)
    near, far = [r for r in pbx.of("INVITE") if r.get("Proxy-Authorization") and not r.to_tag]
    assert near.uri == f"sip:200@{DOMAIN};sipx-userforward=false"
    assert (near.get("From") or "").startswith(f'"201" <sip:200@{DOMAIN}>')
    assert far.uri == f"sip:201@{DOMAIN};sipx-userforward=false"
    assert (far.get("From") or "").startswith(f"<sip:200@{DOMAIN}>")
    for invite in (near, far):
        assert invite.get("Route") == f"<sip:{PBX};lr>"
        assert 'username="200"' in (invite.get("Proxy-Authorization") or "")


def test_a_number_that_is_nobodys_is_the_business_of_the_pbx() -> None:
    office = Office(settings=SETTINGS)
    office.add_user("200")
    pbx = Pbx(office)
    office.click("200", "4711")
    office.run(2)
    assert pbx.of("INVITE")[-1].uri in (f"sip:4711@{DOMAIN}", "sip:phone@203.0.113.6")
    assert any(request.uri == f"sip:4711@{DOMAIN}" for request in pbx.of("INVITE"))


def test_a_pbx_that_asks_for_another_realm_gets_no_password() -> None:
    office = Office(settings=SETTINGS)
    office.add_user("200")
    pbx = Pbx(office)
    pbx.refuse(407, challenge("elsewhere", proxy=True))
    call = office.click("200", "4711")
    office.run(2)
    (invite,) = pbx.of("INVITE")
    assert invite.get("Proxy-Authorization") is None
    cause = office.record(call).cause
    assert cause is not None and cause.who == "caller"
