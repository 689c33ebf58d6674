"""A house whose users forward their calls: SIPp plays their phones, the gateways, the voicemail.

What is forwarded to whom goes in by the real doors; what rings when is read from what the phones
have seen.
"""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from daemon import Answer, Client, Daemon, free_port, until
from sipp import Phone, Sipp
from steps import (
    answer,
    answered,
    call_unasked,
    cancelled,
    expect,
    hang_up,
    has,
    hung_up,
    invited,
    label,
    lacks,
    pause,
    receive,
    register,
    sdp,
)
from stranger import Stranger

TRUNK, PLAIN, VOICEMAIL, PEER, SILENT = (f"127.0.0.{n}" for n in range(41, 46))
"""Addresses of: a gateway that wants to know who forwards, one that does not, the voicemail, a
trusted peer, a DNS server that never answers."""

SOON = 0.8
"""Seconds within which something happens that does not wait for a timer."""

_names = itertools.count(5001)


@attrs.frozen
class Site:
    """The daemon, and where everything around it is."""

    daemon: Daemon
    ports: dict[str, int]
    dns: Stranger


def build(make_daemon: Callable[..., Daemon], **options: Any) -> Site:
    """Start a daemon with two gateways, a voicemail, and a DNS server that says nothing."""
    ports = {host: free_port() for host in (TRUNK, PLAIN, VOICEMAIL, PEER, SILENT)}
    shared = {"health_check": 0, "incoming_strip": 4}
    daemon = make_daemon(
        **{
            "call__ring_timeout": 2,
            "call__home": ["+49"],
            "call__forbidden": ["+49900"],
            "sip__trusted_peers": [PEER],
            "sip__dns": [f"{SILENT}:{ports[SILENT]}"],
            "voicemail__uri": f"sip:{{user}}@{VOICEMAIL}:{ports[VOICEMAIL]}",
            "limits__user_calls_per_minute": 1000,
            "gateway": [
                {
                    "name": "trunk", "uri": f"sip:{TRUNK}:{ports[TRUNK]}", "diversion": True,
                    "history_info": True, "caller_prepend": "+4930", **shared,
                },
                {
                    "name": "plain", "uri": f"sip:{PLAIN}:{ports[PLAIN]}", "caller_prepend": "030",
                    **shared, "incoming_strip": 3, "incoming_prepend": "5",
                    "incoming": "reception",
                },
            ],
            "route": [
                {"pattern": "112", "gateways": ["trunk"]},
                {"pattern": "00.", "gateways": ["trunk"], "strip": 2, "prepend": "+"},
                {"pattern": "0.", "gateways": ["trunk"], "strip": 1, "prepend": "+49"},
                {"pattern": "7.", "gateways": ["plain"]},
            ],
            **options,
        }
    )  # fmt: skip
    daemon.start()
    return Site(daemon, ports, Stranger(("127.0.0.1", daemon.sip_port), SILENT, ports[SILENT]))


def then(number: str | Phone, seconds: int = 1, **more: Any) -> dict[str, Any]:
    """A ring that begins when everybody before has failed."""
    return {"number": _number(number), "seconds": seconds, "type": "if-no-response", **more}


def also(number: str | Phone, seconds: int = 1, **more: Any) -> dict[str, Any]:
    """A ring that begins together with the one before."""
    return {"number": _number(number), "seconds": seconds, "type": "at-the-same-time", **more}


def _number(of: str | Phone) -> str:
    return of if isinstance(of, str) else of.user


class House:
    """The users and the parts around them of one test."""

    def __init__(self, site: Site, directory: Path) -> None:
        self.daemon = site.daemon
        self._directory = directory
        self._phones: list[Phone] = []
        self._clients: dict[str, Client] = {}
        self.trunk, self.plain, self.voicemail, self.peer = (
            self.part(name, host, site.ports[host])
            for name, host in (
                ("trunk", TRUNK), ("plain", PLAIN), ("voicemail", VOICEMAIL), ("peer", PEER),
            )
        )  # fmt: skip

    def part(self, name: str, host: str, port: int) -> Phone:
        """Somebody at another address."""
        part = Phone(self._directory, self.daemon, name, host)
        part.port = port
        self._phones.append(part)
        return part

    # -- who there is ------------------------------------------------------------------------------

    def user(self, *, registered: bool = True, voicemail: bool = False, **more: Any) -> Phone:
        """The phone of a fresh user."""
        name = self.daemon.add_user(str(next(_names)), voicemail=voicemail, **more)
        return self.phone_of(name, registered=registered)

    def phone_of(self, name: str, *, registered: bool = True) -> Phone:
        """A phone, or one more, of a user."""
        phone = Phone(self._directory, self.daemon, name)
        self._phones.append(phone)
        return phone.register() if registered else phone

    def users(self, count: int) -> list[Phone]:
        """The phones of so many fresh users, registered at the same time."""
        phones = [self.user(registered=False) for _ in range(count)]
        domain = self.daemon.domain
        for registering in [
            phone.start(
                register(phone.user, self.daemon.sip_password(phone.user), domain),
                request_uri=domain,
            )
            for phone in phones
        ]:
            registering.finish()
        return phones

    def client(self, of: Phone) -> Client:
        """The HTTPS connection of the user who has that phone."""
        if of.user not in self._clients:
            self._clients[of.user] = self.daemon.client(of.user)
        return self._clients[of.user]

    # -- what they want ----------------------------------------------------------------------------

    def sequence(self, of: Phone, *rings: dict[str, Any], timer: int = 1) -> None:
        """Set his call sequence, in sipXcom's XML."""
        assert self.try_sequence(of, *rings, timer=timer).status == 200

    def try_sequence(self, of: Phone, *rings: dict[str, Any], timer: int = 1) -> Answer:
        """Ask for his call sequence to be set."""
        members = "".join(
            f"<ring><expiration>{ring['seconds']}</expiration>"
            f"<type>{ring['type'].replace('-', ' ').capitalize()}</type>"
            f"<enabled>{str(ring.get('enabled', True)).lower()}</enabled>"
            f"<number>{ring['number']}</number></ring>"
            for ring in rings
        )
        document = (
            f"<call-sequence><rings>{members}</rings><expiration>{timer}</expiration>"
            "<withVoicemail>false</withVoicemail></call-sequence>"
        )
        headers = {"Content-Type": "application/xml"}
        path = "/sipxconfig/rest/my/forward"
        return self.client(of).ask("PUT", path, document.encode(), **headers)

    def settings(self, of: Phone, *rings: dict[str, Any], timer: int = 1, **more: Any) -> None:
        """Set everything that he may set: ``rules=[...]``, ``do_not_disturb=True``."""
        document = {"timer": timer, "rings": rings, "rules": [], **more}
        answer = self.client(of).ask("PUT", "/v1/users/me/forwarding", document)
        assert answer.status == 200, answer.body

    def group(self, *members: dict[str, Any], **more: Any) -> str:
        """A hunt group; gives its number."""
        extension = str(next(_names))
        document = {
            "name": f"group-{extension}", "extension": extension,
            "members": [
                {"user": each["number"], "seconds": each["seconds"], "type": each["type"]}
                for each in members
            ],
            **more,
        }  # fmt: skip
        answer = self.daemon.client("superadmin").ask("POST", "/v1/groups", document)
        assert answer.status == 201, answer.body
        return extension

    # -- calls -------------------------------------------------------------------------------------

    def outsider(
        self,
        by: Phone,
        number: str,
        called: str,
        *steps: str,
        flags: str = "",
        domain: str = "pstn.test",
    ) -> Sipp:
        """A caller, ``number`` at ``domain``, calls; his INVITE comes from the part ``by``.

        ``flags``: what the Request-URI says beside the number.
        """
        begin = call_unasked(number, domain, called, sdp(by.media))
        begin = begin.replace(f"sip:{called}@{domain}", f"sip:{called}@{self.daemon.domain}")
        domain = self.daemon.domain
        begin = begin.replace(f"@{domain} SIP/2.0", f"@{domain}{flags} SIP/2.0")
        return by.start(begin, *steps, request_uri=f"{called}@{domain}")

    def finish(self, timeout: float = 15) -> None:
        """Everybody went through his scenario, and no call is left."""
        try:
            for phone in self._phones:
                phone.finish(timeout)
        except AssertionError as error:
            seen = "".join(
                f"--- {phone.user}\n{phone.messages()[-12_000:]}" for phone in self._phones
            )
            raise AssertionError(f"{error}\n--- all\n{seen}") from None
        self.nothing_is_left()

    def nothing_is_left(self) -> None:
        """No call and no leg; transactions and their timers linger as the RFC has it."""
        until(lambda: not self._left(), f"no call to be left: {self._left()}")

    def _left(self) -> dict[str, float]:
        left = self.daemon.left_open()
        return {name: left[name] for name in left if name.split("_")[1] in ("calls", "legs")}

    def stop(self) -> None:
        """End what still runs, so that one failed test does not spoil the next ones."""
        for phone in self._phones:
            phone.stop()
        if self._left():
            admin = self.daemon.client("superadmin")
            for call in admin.ask("GET", "/v1/calls?limit=100").json()["calls"]:
                if call["state"] != "ended":
                    admin.ask("DELETE", f"/v1/calls/{call['id']}")


# -- what phones do --------------------------------------------------------------------------------


def rings(*checks: str) -> str:
    """The phone is called, and rings."""
    return invited(*checks) + answer(180)


def in_vain(*checks: str) -> str:
    """It rings until it is cancelled, because its time is over or the caller has hung up."""
    return rings(*checks) + cancelled(lacks("SIP;cause=200"))


def beaten(*checks: str) -> str:
    """It rings until somebody else has answered."""
    return rings(*checks) + cancelled(has("SIP;cause=200", "Reason"))


def takes(phone: Phone, *checks: str, after: int = 0, ringing: bool = True) -> str:
    """It answers, after so many milliseconds of ringing, and is hung up on in the end."""
    return (
        (rings(*checks) if ringing else invited(*checks))
        + (pause(after) if after else "")
        + answer(200, body=sdp(phone.media))
        + receive("ACK")
        + hung_up()
    )


def refuses(code: int, *headers: str, ringing: bool = False) -> str:
    """It answers with a final response that is no answer."""
    begin = rings() if ringing else invited()
    return begin + answer(code, *headers) + receive("ACK")


_loops = itertools.count()


def ringing() -> str:
    """The caller is told that it rings, as often as it likes, or not at all."""
    again = f"ringing{next(_loops)}"
    return (
        label(again)
        + expect(180, optional=True, goto=again)
        + expect(183, optional=True, goto=again)
    )


def connected(phone: Phone | None = None, *, lasting: int = 100) -> str:
    """The caller is answered, by that phone, and hangs up after so many milliseconds."""
    checks = (has(f"m=audio {phone.media} ", "body"),) if phone is not None else ()
    return ringing() + answered(*checks) + pause(lasting) + hang_up()


def told(caller: Phone, number: str, code: int) -> str:
    """Nobody answers the caller, who is told so."""
    return ringing() + expect(code) + caller.refused(number)


# -- what was seen ---------------------------------------------------------------------------------

_MESSAGE = re.compile(
    r"^-{40,} (\S+ \S+)\n[^\n]*:\n\n(.*?)(?=^-{40,} |\Z)", re.MULTILINE | re.DOTALL
)


def messages(phone: Phone, first: str) -> list[tuple[float, str]]:
    """Every message sent or received that begins so, with its time in seconds."""
    return [
        (datetime.datetime.fromisoformat(moment).timestamp(), text)
        for moment, text in _MESSAGE.findall(phone.messages())
        if text.startswith(first)
    ]


def moment(phone: Phone, first: str) -> float:
    """When the phone sent or received the first message that begins so."""
    return messages(phone, first)[0][0]


def rang(phone: Phone) -> float:
    """For how many seconds it rang until it was cancelled."""
    return moment(phone, "CANCEL") - moment(phone, "INVITE")


def invites(phone: Phone) -> list[str]:
    """The INVITEs that it received or sent."""
    return [text for _, text in messages(phone, "INVITE")]


def about(seconds: float, wanted: float) -> bool:
    """Whether a timer of so many seconds has run that long, on a machine that has much to do."""
    return wanted - 0.05 <= seconds < wanted + SOON


def wait_for_ringing(*phones: Phone) -> None:
    """Wait until all of them ring."""

    def all_ring() -> bool:
        return all(messages(phone, "SIP/2.0 180") for phone in phones)

    until(all_ring, f"the phones of {[phone.user for phone in phones]} to ring")
