"""Resources of sub-systems that are not there (8.7): 501, and a sentence that says what to do."""

from __future__ import annotations

from klein import Klein
from twisted.web.server import Request

from sipxd.web.api.base import API, administrator
from sipxd.web.auth import Authenticator
from sipxd.web.problems import HttpProblem

METHODS = ["GET", "POST", "PUT", "DELETE"]

_PHONES = (
    "The provisioning of telephones is no part of sipxd: give each telephone the name of its user "
    "and his SIP password by its own web page or by a provisioning server"
)
_GATEWAYS = (
    "Gateways and dialling rules are no resources of sipxd: they are in its configuration file, as "
    "[[gateway]] and [[route]]"
)
_CLUSTER = (
    "The administration of a cluster is no part of sipxd: each server has its own configuration "
    "file, and DNS and FTP servers have theirs"
)
_SOCKET = "The messages for sipXcom's portal (STOMP over a web socket) are no part of sipxd"
_MUSIC = (
    "The server for music on hold is no part of sipxd: telephones play what they are set to, or "
    "what the PBX beside sipxd plays"
)


def _section(service: str, section: str) -> str:
    return (
        f"The settings of the {service} are no resources of sipxd: they are in its configuration "
        f"file, in the section {section}"
    )


ABSENT = {
    "pagegroups": (
        "The paging server is no part of sipxd: run one beside it, and lead its numbers there with "
        "a [[route]]"
    ),
    "phones/models": _PHONES,
    "phones/<name>/settings": _PHONES,
    "phones/<name>/sendProfile": _PHONES,
    "phones/sendProfile": _PHONES,
    "phoneGroups": _PHONES,
    "gateways": _GATEWAYS,
    "rules": _GATEWAYS,
    "servers": _CLUSTER,
    "dns": _CLUSTER,
    "ftp": _CLUSTER,
    "proxy": _section("SIP proxy", "[sip]"),
    "registrar": _section("registrar", "[sip]"),
    "restserver": _section("REST server", "[web]"),
    "ivr": _section("voicemail server (IVR)", "[voicemail], which says where it is"),
    "moh": _MUSIC,
    "mwi": (
        "The server for message waiting indications (MWI) is no part of sipxd: telephones "
        "subscribe to the voicemail server"
    ),
    "imbot": "The instant messaging server and its assistant (IM bot) are no part of sipxd",
    "saa": "The shared appearance agent (SAA) is no part of sipxd",
    "cdrs/settings": _section("call records", "[call]"),
    "cdrs/reports": (
        "The reports (PDF) of call records are no part of sipxd: make them of cdrs/history"
    ),
    "orbits/prompts": "The park server with its music files is no part of sipxd",
    "ws": _SOCKET,
}
"""What is told of the resources behind these paths, to administrators."""
ABSENT_OF_USERS = {
    "my/moh": _MUSIC,
    "my/greetings": (
        "The voicemail server with its greetings is no part of sipxd: greetings are recorded by a "
        "call to the voicemail server that [voicemail] names"
    ),
    "my/ws": _SOCKET,
}
"""The same for every user."""


def add_absent_routes(app: Klein, authenticator: Authenticator) -> None:
    """Add what is answered 501, whatever is asked for behind each path."""
    for path, sentence in ABSENT.items():
        _add(app, authenticator, path, sentence, of_users=False)
    for path, sentence in ABSENT_OF_USERS.items():
        _add(app, authenticator, path, sentence, of_users=True)


def _add(
    app: Klein, authenticator: Authenticator, path: str, sentence: str, *, of_users: bool
) -> None:
    async def refuse(request: Request, **_: str) -> bytes:
        if of_users:
            await authenticator.user(request)
        else:
            await administrator(authenticator, request)
        raise HttpProblem(501, f"{sentence}.")

    refuse.__qualname__ = f"refuse.{path}"  # the router knows handlers by it
    app.route(f"{API}/{path}", methods=METHODS)(refuse)
    refuse.__qualname__ = f"refuse.{path}.rest"
    app.route(f"{API}/{path}/<path:rest>", methods=METHODS)(refuse)
