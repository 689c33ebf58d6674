"""``/v1/users/{name}/forwarding``: everything that a user wants done with the calls for him.

One document, read and replaced as a whole, guarded by ETag and If-Match.
"""

from __future__ import annotations

from typing import Annotated, Any

import attrs
from klein import Klein
from msgspec import Meta
from twisted.web.server import Request

from sipxd.directory.forwarding import (
    DEFAULT_SECONDS,
    EVERYONE,
    MAX_RINGS,
    MAX_RULES,
    Action,
    Forwarding,
    Ring,
    Rule,
    When,
)
from sipxd.directory.user import User
from sipxd.web.auth import Authenticator, shield
from sipxd.web.conditions import tagged_answer, version_to_match
from sipxd.web.negotiate import JSON, encode_json, read_json, require_json_accepted
from sipxd.web.services import Accounts, Forwardings
from sipxd.web.v1.owner import find_owner
from sipxd.web.v1.values import Id, RingKind, Seconds, Text, Time, seconds_of, timestamp

PATH = "/v1/users/<name>/forwarding"


@attrs.frozen
class NewRing:
    """A member of ``rings``."""

    number: Text = ""
    seconds: Seconds = DEFAULT_SECONDS
    type: RingKind = RingKind.IF_NO_RESPONSE
    enabled: bool = True
    schedule: Id | None = None


@attrs.frozen
class NewRule:
    """A member of ``rules``."""

    when: When = When.ALWAYS
    caller: Text = EVERYONE
    action: Action = Action.FORWARD
    number: Text = ""
    seconds: Seconds = DEFAULT_SECONDS
    enabled: bool = True
    until: Time | None = None
    schedule: Id | None = None
    only_on_holidays: Text = ""
    not_on_holidays: Text = ""


@attrs.frozen
class NewForwarding:
    """The body of ``PUT``. The two lists must be there: what is left out would be gone."""

    rings: Annotated[list[NewRing], Meta(max_length=MAX_RINGS)]
    rules: Annotated[list[NewRule], Meta(max_length=MAX_RULES)]
    timer: Seconds | None = None
    do_not_disturb: bool = False
    do_not_disturb_until: Time | None = None
    time_zone: Text = ""


def add_forwarding_routes(
    app: Klein, authenticator: Authenticator, accounts: Accounts, forwardings: Forwardings
) -> None:
    """Add ``GET`` and ``PUT``."""

    def told(request: Request, user: User, forwarding: Forwarding) -> bytes:
        body = encode_json(
            forwarding_document(
                forwarding,
                default_timer=forwardings.default_timer,
                voicemail=forwardings.has_voicemail(user),
            )
        )
        return tagged_answer(request, 200, body, JSON, forwarding.version)

    @app.route(PATH, methods=["GET"])
    async def get_forwarding(request: Request, name: str) -> bytes:
        asking = await authenticator.user(request)
        require_json_accepted(request)
        user = find_owner(accounts, asking, name)
        return told(request, user, forwardings.of(user))

    @app.route(PATH, methods=["PUT"])
    async def put_forwarding(request: Request, name: str) -> bytes:
        asking = await authenticator.user(request)
        require_json_accepted(request)
        user = find_owner(accounts, asking, name)
        version = version_to_match(request, forwardings.of(user).version)
        wanted = _forwarding(read_json(request, NewForwarding))

        def make(old: Forwarding) -> Forwarding:
            return attrs.evolve(wanted, version=old.version)

        forwarding = await shield(forwardings.change(user, make, if_version=version))
        return told(request, user, forwarding)


def forwarding_document(
    forwarding: Forwarding, *, default_timer: int, voicemail: bool
) -> dict[str, Any]:
    """A forwarding as it is told; the two last members are not the user's to change."""
    return {
        "timer": forwarding.timer,
        "do_not_disturb": forwarding.do_not_disturb,
        "do_not_disturb_until": timestamp(forwarding.do_not_disturb_until),
        "time_zone": forwarding.time_zone,
        "rings": [
            {
                "number": ring.number,
                "seconds": ring.seconds,
                "type": RingKind.of(ring.type),
                "enabled": ring.enabled,
                "schedule": ring.schedule,
            }
            for ring in forwarding.rings
        ],
        "rules": [
            {
                "when": rule.when,
                "caller": rule.caller,
                "action": rule.action,
                "number": rule.number,
                "seconds": rule.seconds,
                "enabled": rule.enabled,
                "until": timestamp(rule.until),
                "schedule": rule.schedule,
                "only_on_holidays": rule.only_on_holidays,
                "not_on_holidays": rule.not_on_holidays,
            }
            for rule in forwarding.rules
        ],
        "default_timer": default_timer,
        "voicemail": voicemail,
    }


def _forwarding(new: NewForwarding) -> Forwarding:
    """What is to be stored. Raises BadInput."""
    rings = [
        Ring(ring.number, ring.seconds, ring.type.type, ring.enabled, ring.schedule)
        for ring in new.rings
    ]
    rules = [
        Rule(
            when=rule.when,
            caller=rule.caller,
            action=rule.action,
            number=rule.number,
            seconds=rule.seconds,
            enabled=rule.enabled,
            until=seconds_of(rule.until, f"rules[{index}].until"),
            schedule=rule.schedule,
            only_on_holidays=rule.only_on_holidays,
            not_on_holidays=rule.not_on_holidays,
        )
        for index, rule in enumerate(new.rules)
    ]
    return Forwarding(
        timer=new.timer,
        rings=tuple(rings),
        rules=tuple(rules),
        do_not_disturb=new.do_not_disturb,
        do_not_disturb_until=seconds_of(new.do_not_disturb_until, "do_not_disturb_until"),
        time_zone=new.time_zone,
    )
