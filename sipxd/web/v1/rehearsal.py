"""``POST /v1/users/{name}/forwarding/rehearsal``: what would become of a call; nobody is rung."""

from __future__ import annotations

from typing import Any

from klein import Klein
from msgspec import Struct
from twisted.web.server import Request

from sipxd.call.rehearsal import Rehearsal
from sipxd.web.auth import Authenticator
from sipxd.web.negotiate import json_answer, read_json, require_json_accepted
from sipxd.web.services import Accounts, Rehearsals
from sipxd.web.v1.owner import find_owner
from sipxd.web.v1.values import Text, Time, seconds_of, timestamp


class NewRehearsal(Struct, frozen=True, rename={"caller": "from"}):
    """The body of ``POST .../rehearsal``; attrs has no way to name a member ``from``."""

    caller: Text | None = None
    at: Time | None = None


def add_rehearsal_routes(
    app: Klein, authenticator: Authenticator, accounts: Accounts, rehearsals: Rehearsals
) -> None:
    """Add ``POST``."""

    @app.route("/v1/users/<name>/forwarding/rehearsal", methods=["POST"])
    async def post_rehearsal(request: Request, name: str) -> bytes:
        asking = await authenticator.user(request)
        require_json_accepted(request)
        user = find_owner(accounts, asking, name)
        new = read_json(request, NewRehearsal, optional=True)
        at = seconds_of(new.at, "at")
        rehearsal = await rehearsals.rehearse(user, new.caller, at)
        return json_answer(request, 200, rehearsal_document(rehearsal))


def rehearsal_document(rehearsal: Rehearsal) -> dict[str, Any]:
    """A rehearsal as it is told."""
    return {
        "at": timestamp(rehearsal.at),
        "from": rehearsal.caller,
        "steps": [
            {
                "begins": step.begins,
                "ends": step.ends,
                "whom": step.whom,
                "number": step.number,
                "via": step.via,
                "stage": step.stage,
                "kind": step.kind,
                "note": step.note,
            }
            for step in rehearsal.steps
        ],
        "answer": rehearsal.answer,
        "findings": [
            {"kind": finding.kind, "where": finding.where, "sentence": finding.sentence}
            for finding in rehearsal.findings
        ],
    }
