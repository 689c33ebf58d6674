"""``/v1/users/me/tokens`` and ``/v1/users/me/private-key``: credentials for programs.

Of himself only: an administrator can end the account of a user, not act in his name.
"""

from __future__ import annotations

from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.web.auth import Authenticator, shield
from sipxd.web.negotiate import empty_answer, json_answer, read_json, require_json_accepted
from sipxd.web.services import Token, Tokens
from sipxd.web.v1.values import Text, timestamp

PATH = "/v1/users/me/tokens"
KEY = "/v1/users/me/private-key"


@attrs.frozen
class NewToken:
    """The body of ``POST``."""

    label: Text


def add_tokens_routes(app: Klein, authenticator: Authenticator, tokens: Tokens) -> None:
    """Add the collection, its members, and the private key."""

    @app.route(PATH, methods=["GET"])
    async def get_tokens(request: Request) -> bytes:
        user = await authenticator.user(request)
        require_json_accepted(request)
        return json_answer(request, 200, {"tokens": [_document(t) for t in tokens.of(user)]})

    @app.route(PATH, methods=["POST"])
    async def post_token(request: Request) -> bytes:
        user = await authenticator.user(request)
        require_json_accepted(request)
        new = read_json(request, NewToken)
        secret, token = await shield(tokens.make(user, new.label))
        request.setHeader(b"Location", f"{PATH}/{token.id}".encode("ascii"))
        return json_answer(request, 201, {**_document(token), "token": secret})

    @app.route(f"{PATH}/<token_id>", methods=["DELETE"])
    async def delete_token(request: Request, token_id: str) -> bytes:
        user = await authenticator.user(request)
        await shield(tokens.revoke(user, token_id))
        return empty_answer(request, 204)

    @app.route(KEY, methods=["POST"])
    async def post_key(request: Request) -> bytes:
        user = await authenticator.user(request)
        require_json_accepted(request)
        return json_answer(request, 201, {"private_key": await shield(tokens.make_key(user))})

    @app.route(KEY, methods=["DELETE"])
    async def delete_key(request: Request) -> bytes:
        user = await authenticator.user(request)
        await shield(tokens.revoke_key(user))
        return empty_answer(request, 204)


def _document(token: Token) -> dict[str, Any]:
    return {"id": token.id, "label": token.label, "made": timestamp(token.made)}
