"""What a telephone does in a call, as a list of steps for SIPp.

The steps return XML fragments; ``scenario()`` numbers what has to be unique in them (CSeq,
branches, variables) and joins them.  What is received is checked by SIPp's own means: the order of
messages, and regular expressions that fail the call.

Within a scenario three variables describe the dialog, whichever side started it: ``local`` and
``remote`` (From and To of what we send, ours without its tag) and ``target`` (the peer's Contact).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from xml.sax.saxutils import quoteattr

_VIA = "Via: SIP/2.0/UDP [local_ip]:[local_port];rport;branch=z9hG4bK[pid]-[call_number]-@BRANCH@"
_CONTACT = "Contact: <sip:[local_ip]:[local_port];transport=udp>"
_TAG = "tag=[pid]-[call_number]"


# What is said about media


def sdp(port: int, direction: str = "sendrecv", *, version: int = 1, codecs: str = "8 0") -> str:
    """A telephone's session description with one audio line on `port`."""
    return "\n".join(
        (
            "v=0",
            f"o=phone 77 {version} IN IP4 127.0.0.1",
            "s=-",
            "c=IN IP4 127.0.0.1",
            "t=0 0",
            f"m=audio {port} RTP/AVP {codecs} 101",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:101 telephone-event/8000",
            f"a={direction}",
        )
    )


# Checks on a received message


def has(pattern: str, where: str = "msg") -> str:
    """The message (``msg``), its ``body`` or the named header matches a POSIX extended pattern."""
    return _ereg(pattern, where, 'check_it="true"')


def lacks(pattern: str, where: str = "msg") -> str:
    """The message (``msg``), its ``body`` or the named header does not match the pattern."""
    return _ereg(pattern, where, 'check_it_inverse="true"')


def keep(name: str, pattern: str, where: str) -> str:
    """Keep what matches in the variable `name`; write ``[$name]`` to use it."""
    return _ereg(pattern, where, 'check_it="true"', name)


def look(name: str, pattern: str, where: str = "msg") -> str:
    """Note in the variable `name` whether the pattern matches, for ``goto(..., test=name)``."""
    return _ereg(pattern, where, "", name)


def _ereg(pattern: str, where: str, check: str, name: str = "@NEW@") -> str:
    place = (
        f'search_in="{where}"'
        if where in ("msg", "body")
        else f'search_in="hdr" header="{where}:" case_indep="true"'
    )
    return f'<ereg regexp={quoteattr(pattern)} {place} {check} assign_to="{name}"/>'


# Steps: receiving


def receive(
    method: str,
    *actions: str,
    optional: bool = False,
    goto: str | None = None,
    within: int = 0,
    otherwise: str | None = None,
) -> str:
    """Wait for a request. `optional`: the next one awaited may come instead; `goto`: a label to go
    on at; `within`: milliseconds in which it has to come, else go on at the label `otherwise`."""
    return _recv(f'request="{method}"{_limit(within, otherwise)}', actions, optional, goto)


def expect(
    code: int,
    *actions: str,
    optional: bool = False,
    goto: str | None = None,
    auth: bool = False,
    within: int = 0,
    otherwise: str | None = None,
) -> str:
    """Wait for a response to the last request sent. `within` and `otherwise` as in ``receive``."""
    more = ' auth="true"' if auth else ""
    return _recv(f'response="{code}"{more}{_limit(within, otherwise)}', actions, optional, goto)


def _limit(within: int, otherwise: str | None) -> str:
    limit = f' timeout="{within}"' if within else ""
    return limit + (f' ontimeout="{otherwise}"' if otherwise else "")


def _recv(what: str, actions: Iterable[str], optional: bool, goto: str | None) -> str:
    attributes = what
    if optional:
        attributes += ' optional="true"'
    if goto:
        attributes += f' next="{goto}"'
    joined = "".join(actions)
    return f"<recv {attributes}>" + (f"<action>{joined}</action>" if joined else "") + "</recv>"


def invited(*actions: str) -> str:
    """Wait for the INVITE that begins a call, and remember its dialog."""
    return receive(
        "INVITE",
        keep("via", ".*", "Via"),
        keep("cseq", ".*", "CSeq"),
        keep("local", ".*", "To"),
        keep("remote", ".*", "From"),
        keep("target", "sip:[^>]*", "Contact"),
        *actions,
    )


OFFERLESS = lacks("m=audio", "body")
"""The INVITE carries no offer."""


def cancelled(*actions: str) -> str:
    """Our ringing is cancelled: 200 to the CANCEL, 487 to the INVITE, and its ACK."""
    return cancel_received(*actions) + answer(487) + receive("ACK")


def cancel_received(*actions: str) -> str:
    """A CANCEL comes and is answered; the INVITE stays open."""
    return receive("CANCEL", *actions) + _send(
        "SIP/2.0 200 OK",
        "[last_Via:]",
        "[last_From:]",
        f"To:[$local];{_TAG}",
        "[last_Call-ID:]",
        "[last_CSeq:]",
    )


# Steps: sending


def reply(code: int, *headers: str, body: str | None = None) -> str:
    """Answer the request received last (one inside a dialog)."""
    return _send(
        f"SIP/2.0 {code} Reply",
        "[last_Via:]",
        "[last_From:]",
        "[last_To:]",
        "[last_Call-ID:]",
        "[last_CSeq:]",
        *((_CONTACT,) if code // 100 in (1, 2) else ()),
        *headers,
        body=body,
    )


def answer(
    code: int,
    *headers: str,
    body: str | None = None,
    allow: str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE",
    repeat: bool = True,
) -> str:
    """Answer the INVITE that began the call, whatever came since. `repeat`: a final one until
    something comes."""
    return _send(
        f"SIP/2.0 {code} Answer",
        "Via:[$via]",
        "From:[$remote]",
        f"To:[$local];{_TAG}",
        "Call-ID: [call_id]",
        "CSeq:[$cseq]",
        *((_CONTACT,) if code // 100 in (1, 2) else ()),
        f"Allow: {allow}",
        *headers,
        body=body,
        repeat=repeat and code >= 200,
    )


def request(
    method: str,
    *headers: str,
    body: str | None = None,
    content_type: str = "application/sdp",
    cseq: int | None = None,
) -> str:
    """Send a request inside the dialog. `cseq`: another number than it would have in its turn."""
    number = cseq or ("@CSEQ@" if method == "ACK" else "@NEXT_CSEQ@")
    return _send(
        f"{method} [$target] SIP/2.0",
        _VIA,
        f"From:[$local];{_TAG}",
        "To:[$remote]",
        "Call-ID: [call_id]",
        f"CSeq: {number} {method}",
        "Max-Forwards: 70",
        *((_CONTACT,) if method in ("INVITE", "UPDATE") else ()),
        *headers,
        body=body,
        content_type=content_type,
        repeat=method != "ACK",
    )


def hang_up() -> str:
    """Send BYE and see it answered."""
    return request("BYE") + expect(200)


def hung_up(*actions: str) -> str:
    """A BYE comes and is answered."""
    return receive("BYE", *actions) + reply(200)


def pause(milliseconds: int) -> str:
    """Do nothing for a while; anything that arrives meanwhile fails the call."""
    return f'<pause milliseconds="{milliseconds}"/>'


def label(name: str) -> str:
    """A place to go to."""
    return f'<label id="{name}"/>'


def goto(name: str, test: str | None = None) -> str:
    """Go on at a label; with `test` only if that variable is set."""
    return f'<nop next="{name}"' + (f' test="{test}"' if test else "") + "/>"


def _send(
    first: str,
    *lines: str,
    body: str | None = None,
    content_type: str = "application/sdp",
    repeat: bool = False,
) -> str:
    head = [first, *lines]
    if body is not None:
        head.append(f"Content-Type: {content_type}")
    head.append("Content-Length: [len]")
    text = "\n".join(head) + "\n\n" + (body + "\n" if body else "")
    # Later than the RFC says: nothing is lost here, and a repeated 200 brings a second ACK.
    attributes = ' retrans="2000"' if repeat else ""
    return f"<send{attributes}><![CDATA[\n{text}\n]]></send>"


def note(text: str) -> str:
    """Write a line that ``Phone.notes()`` returns."""
    return f"<nop><action><log message={quoteattr('note: ' + text)}/></action></nop>"


# Whole pieces of the calling side


def register(
    user: str,
    password: str,
    domain: str,
    *contacts: str,
    expires: int = 300,
    headers: Iterable[str] = (),
) -> str:
    """Register `contacts` (URIs; the phone's own socket when none) with digest; ends at the 200."""
    listed = ", ".join(f"<{uri}>" for uri in contacts) or _own_contact(user)
    attempt = _registers(user, domain, listed, expires, headers)
    return (
        attempt()
        + expect(401, auth=True)
        + attempt(f"[authentication username={user} password={password}]")
        + expect(200, has("expires=[0-9]+", "Contact") if expires else "")
    )


def register_refused(user: str, password: str, domain: str) -> str:
    """Register with a wrong password: challenged again, never let in."""
    attempt = _registers(user, domain, _own_contact(user), 300)
    return (
        attempt()
        + expect(401, auth=True)
        + attempt(f"[authentication username={user} password={password}]")
        + expect(403, optional=True, goto="refused")
        + expect(401)
        + label("refused")
        + pause(1)
    )


def _own_contact(user: str) -> str:
    return f"<sip:{user}@[local_ip]:[local_port];transport=udp>"


def _registers(
    user: str, domain: str, contact: str, expires: int, headers: Iterable[str] = ()
) -> Callable[..., str]:
    def attempt(*more: str) -> str:
        return _send(
            f"REGISTER sip:{domain} SIP/2.0",
            _VIA,
            f"From: <sip:{user}@{domain}>;{_TAG}",
            f"To: <sip:{user}@{domain}>",
            "Call-ID: [call_id]",
            "CSeq: @NEXT_CSEQ@ REGISTER",
            "Max-Forwards: 70",
            f"Contact: {contact}",
            f"Expires: {expires}",
            *headers,
            *more,
            repeat=True,
        )

    return attempt


def call(
    user: str, password: str, domain: str, number: str, body: str | None, *headers: str
) -> str:
    """Call a number: INVITE, challenge, INVITE with credentials. Ends before the first response
    that is more than 100."""
    credentials = f"[authentication username={user} password={password}]"
    return (
        calls_as(user, domain)
        + _invite(domain, number, body, headers)
        + expect(100, optional=True)
        + expect(401, auth=True, optional=True, goto="challenged")
        + expect(407, auth=True)
        + label("challenged")
        + refused_ack(domain, number)
        + _invite(domain, number, body, (*headers, credentials))
        + expect(100, optional=True)
    )


def call_unasked(user: str, domain: str, number: str, body: str) -> str:
    """Call a number as one who is trusted without credentials."""
    return calls_as(user, domain) + _invite(domain, number, body, ()) + expect(100, optional=True)


def calls_as(user: str, domain: str) -> str:
    """From now on our requests say that they are from this user."""
    identity = quoteattr(f" <sip:{user}@{domain}>")
    return f'<nop><action><assignstr assign_to="local" value={identity}/></action></nop>'


def _invite(domain: str, number: str, body: str | None, headers: Iterable[str]) -> str:
    return _send(
        f"INVITE sip:{number}@{domain} SIP/2.0",
        _VIA.replace("@BRANCH@", "@INVITE_BRANCH@"),
        f"From:[$local];{_TAG}",
        f"To: <sip:{number}@{domain}>",
        "Call-ID: [call_id]",
        "CSeq: @NEXT_CSEQ@ INVITE",
        "Max-Forwards: 70",
        "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE",
        _CONTACT,
        *headers,
        body=body,
        repeat=True,
    )


def refused_ack(domain: str, number: str) -> str:
    """The ACK for a final response that refuses our INVITE."""
    return _hop("ACK", domain, number, "[last_To:]")


def cancel(domain: str, number: str) -> str:
    """Cancel our INVITE; 200 to the CANCEL, then 487 and its ACK."""
    return (
        _hop("CANCEL", domain, number, f"To: <sip:{number}@{domain}>")
        + expect(200)
        + expect(487)
        + refused_ack(domain, number)
    )


def _hop(method: str, domain: str, number: str, to: str) -> str:
    return _send(
        f"{method} sip:{number}@{domain} SIP/2.0",
        _VIA.replace("@BRANCH@", "@LAST_INVITE_BRANCH@"),
        f"From:[$local];{_TAG}",
        to,
        "Call-ID: [call_id]",
        f"CSeq: @CSEQ@ {method}",
        "Max-Forwards: 70",
        repeat=method != "ACK",
    )


def answered(*actions: str, ack: str | None = None, cseq: int | None = None) -> str:
    """The 200 to our INVITE, remembered and acknowledged, with the SDP `ack` where that is due.
    `cseq`: the number of the INVITE, where other requests came after it."""
    return expect(200, *_DIALOG, *actions) + request("ACK", body=ack, cseq=cseq)


def rung(code: int, *actions: str) -> str:
    """A reliable provisional response to our INVITE; its early dialog is the one from now on."""
    reliable = (has("100rel", "Require"), keep("rseq", "[0-9]+", "RSeq"))
    return expect(code, *_DIALOG, *reliable, *actions)


def prack(body: str | None = None) -> str:
    """Acknowledge it; our INVITE was the second one, because the first was challenged."""
    return request("PRACK", "RAck: [$rseq] 2 INVITE", body=body)


_DIALOG = (keep("remote", ".*", "To"), keep("target", "sip:[^>]*", "Contact"))


# The scenario as a file


def scenario(*steps: str) -> str:
    """Join the steps; give every CSeq, branch and check variable its own number."""
    text = "".join(steps)
    cseq = invite = count = 0
    names = set(re.findall(r'assign_to="(\w+)"', text))

    def number(match: re.Match[str]) -> str:
        nonlocal cseq, invite, count
        count += 1
        match match.group(1):
            case "NEXT_CSEQ":
                cseq += 1
                return str(cseq)
            case "CSEQ":
                return str(cseq)
            case "INVITE_BRANCH":
                invite = count
                return str(count)
            case "LAST_INVITE_BRANCH":
                return str(invite)
            case "NEW":
                names.add(f"check{count}")
                return f"check{count}"
            case _:
                return str(count)

    text = re.sub(r"@(NEXT_CSEQ|CSEQ|INVITE_BRANCH|LAST_INVITE_BRANCH|NEW|BRANCH)@", number, text)
    used = f'<Reference variables="{",".join(sorted(names))}"/>' if names else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="phone">\n'
        f"{text}\n{used}\n</scenario>\n"
    )
