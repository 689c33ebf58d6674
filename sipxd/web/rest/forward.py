"""``/my/forward``: the call sequence without schedules, in XML and JSON (contract 3.2).

A PUT replaces rings and timer.  It drops the schedules of rings, which this resource does not show;
rules, "do not disturb" and everything else that a user has set stay.
"""

from __future__ import annotations

import re
from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.forwarding import (
    DEFAULT_SECONDS,
    MAX_RINGS,
    MAX_SECONDS,
    Forwarding,
    Ring,
    RingType,
)
from sipxd.directory.user import User
from sipxd.errors import BadInput, Forbidden
from sipxd.web.auth import Authenticator, shield
from sipxd.web.conditions import set_tag, tagged_answer, version_to_match
from sipxd.web.document import Node
from sipxd.web.negotiate import JSON, XML, choose, empty_answer, read_document, write_document
from sipxd.web.services import Forwardings
from sipxd.xml import Items

PATH = "/sipxconfig/rest/my/forward"
ROOT = "call-sequence"
MEMBERS = ("rings", "expiration", "withVoicemail")

_RING_FIELD = re.compile(r"rings\[([0-9]+)\]\.(\w+)")
_NAMES = {"seconds": "expiration", "timer": "expiration", "schedule": "scheduleId"}
"""What the doors of sipXcom call a member of a forwarding."""


def add_forward_routes(app: Klein, authenticator: Authenticator, forwardings: Forwardings) -> None:
    """Add ``GET`` and ``PUT``."""

    def told(user: User, forwarding: Forwarding, form: bytes) -> bytes:
        timer = forwardings.default_timer if forwarding.timer is None else forwarding.timer
        document = {
            "rings": Items("ring", [ring_document(ring) for ring in forwarding.rings]),
            "expiration": timer,
            "withVoicemail": user.voicemail,  # the permission, wherever the boxes are (3.2)
        }
        return write_document(form, ROOT, document)

    @app.route(PATH, methods=["GET"])
    async def get_forward(request: Request) -> bytes:
        user = await authenticator.user(request)
        form = choose(request, XML, JSON)
        forwarding = forwardings.of(user)
        body = told(user, forwarding, form)
        return tagged_answer(request, 200, body, form, forwarding.version)

    @app.route(PATH, methods=["PUT"])
    async def put_forward(request: Request) -> bytes:
        user = await authenticator.user(request)
        version = version_to_match(request, forwardings.of(user).version)
        document = read_document(request, ROOT, MEMBERS)
        nodes = document.list("rings", "ring", MAX_RINGS)
        rings = tuple(read_ring(node) for node in nodes)
        forwarding = await change_sequence(forwardings, user, document, nodes, rings, version)
        set_tag(request, told(user, forwarding, XML), forwarding.version)
        return empty_answer(request, 200)


async def change_sequence(
    forwardings: Forwardings,
    user: User,
    document: Node,
    nodes: list[Node],
    rings: tuple[Ring, ...],
    if_version: int | None,
) -> Forwarding:
    """Store rings, and the timer where ``document`` has one.

    Errors name the places in the document: ``nodes`` are those of the rings.
    """
    timer = document.number("expiration", None, 1, MAX_SECONDS)

    def make(old: Forwarding) -> Forwarding:
        return attrs.evolve(old, rings=rings, timer=old.timer if timer is None else timer)

    try:
        return await shield(forwardings.change(user, make, if_version=if_version))
    except (BadInput, Forbidden) as error:
        raise _at_its_place(error, document, nodes) from None


def ring_document(ring: Ring) -> dict[str, Any]:
    """A ring as sipXcom tells it, members in its order."""
    return {
        "expiration": ring.seconds,
        "type": ring.type,
        "enabled": ring.enabled,
        "number": ring.number,
    }


def read_ring(node: Node) -> Ring:
    """The ring that ``node`` describes; absent members have sipXcom's defaults. Raises BadInput."""
    return Ring(
        number=node.text("number"),
        seconds=node.number("expiration", DEFAULT_SECONDS, 1, MAX_SECONDS),
        type=node.choice("type", RingType.IF_NO_RESPONSE),
        enabled=node.flag("enabled", True),
    )


def _at_its_place(
    error: BadInput | Forbidden, document: Node, nodes: list[Node]
) -> BadInput | Forbidden:
    """A refusal of the service, with the path in the document in place of its field."""
    field = error.field or ""
    if (found := _RING_FIELD.fullmatch(field)) and int(found[1]) < len(nodes):
        path = nodes[int(found[1])].path_to(_NAMES.get(found[2], found[2]))
    elif field in ("timer", "rings"):
        path = document.path_to(_NAMES.get(field, field))
    else:
        return error
    detail = error.detail
    named = detail.startswith(field)
    return type(error)(
        path + detail.removeprefix(field) if named else f"{path}: {detail}", field=path
    )
