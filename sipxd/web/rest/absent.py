"""Resources of sub-systems that are not there: 501, and a sentence that says what to do.

Who asks is found out first, so that nobody learns anything that he may not (contract 1.4).
"""

from __future__ import annotations

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.web.auth import Authenticator
from sipxd.web.problems import HttpProblem

REST = "/sipxconfig/rest"
ANY = ("GET", "POST", "PUT", "DELETE")

_MAILBOXES = (
    "The voicemail server with its messages is no part of sipxd: run one, and say where in "
    "[voicemail]; its messages are heard by a call, or by its own interface"
)
_PHONES = (
    "The provisioning of telephones is no part of sipxd: give each telephone the name of its user "
    "and his SIP password by its own web page or by a provisioning server"
)
_BACKUP = (
    "Backups are no resources of sipxd: copy its state directory, and the database where that is "
    "PostgreSQL"
)
_DNS = "DNS is no part of sipxd: its records are kept in a DNS server"
_CLUSTER = (
    "The administration of a cluster is no part of sipxd: each server has its own configuration "
    "file"
)


@attrs.frozen
class Absent:
    """A resource of a sub-system that is not there."""

    path: str
    """Below ``/sipxconfig/rest``, as the router has it."""
    methods: tuple[str, ...]
    sentence: str
    """What it belongs to, and where its work is done instead; without the full stop."""
    of_users: bool = False
    """Whether it is for every user; else for administrators."""


ABSENT = (
    Absent("my/feed/voicemail/<folder>", ("GET",), _MAILBOXES, of_users=True),
    Absent("my/redirect/mailbox/<path:rest>", ("GET", "PUT", "DELETE"), _MAILBOXES, of_users=True),
    Absent("my/redirect/media/<path:rest>", ("GET",), _MAILBOXES, of_users=True),
    Absent("phone/<serial>/profile/<name>", ("GET",), _PHONES),
    Absent("backup/<kind>", ANY, _BACKUP),
    Absent("restore", ANY, _BACKUP),
    Absent("uploadRestore", ANY, _BACKUP),
    Absent("uploadRestore/<definition>", ANY, _BACKUP),
    *(
        Absent(path, ANY, _DNS)
        for path in (
            "dnsPlan",
            "dnsPlan/<plan>",
            "dnsView",
            "dnsView/<view>",
            "dnsViewMove",
            "dnsDefaultView",
            "dnsDefaultPreview",
            "dnsPreview/<show>",
            "dnsCustom",
            "dnsCustom/<custom>",
        )
    ),
    *(
        Absent(path, ANY, _CLUSTER)
        for path in ("mongoGlobal", "mongoRegional", "region", "region/<region>")
    ),
)


def add_absent_routes(app: Klein, authenticator: Authenticator) -> None:
    """Add all of them."""
    for absent in ABSENT:
        _add(app, authenticator, absent)


def _add(app: Klein, authenticator: Authenticator, absent: Absent) -> None:
    async def refuse(request: Request, **_: str) -> bytes:
        if absent.of_users:
            await authenticator.user(request)
        else:
            await authenticator.administrator(request)
        raise HttpProblem(501, f"{absent.sentence}.")

    refuse.__qualname__ = f"refuse.{absent.path}"  # the router knows handlers by it
    app.route(f"{REST}/{absent.path}", methods=list(absent.methods))(refuse)
