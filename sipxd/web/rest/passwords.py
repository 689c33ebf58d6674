"""The password of the portal and the PIN of voicemail, which stand in the path (contract 3.13).

The site takes them out of the path before anything else sees it, so that no log can have them.
"""

from __future__ import annotations

from klein import Klein
from twisted.web.server import Request

from sipxd.errors import Forbidden
from sipxd.service.account_requests import UserChange
from sipxd.web.auth import Authenticator, shield
from sipxd.web.negotiate import empty_answer
from sipxd.web.problems import PhrasedBadInput
from sipxd.web.services import Accounts

MY = "/sipxconfig/rest/my"
MIN_PASSWORD = 8
MIN_PIN = 4


def add_password_routes(app: Klein, authenticator: Authenticator, accounts: Accounts) -> None:
    """Add both; ``hidden`` is what the site has left in the path."""

    @app.route(f"{MY}/portal/password/<hidden>", methods=["PUT"])
    async def put_password(request: Request, hidden: str) -> bytes:
        user = await authenticator.user(request)
        if getattr(request, "private_key", None) is not None:
            raise Forbidden("A private key changes no password; log in with the present one.")
        password = _secret(request, MIN_PASSWORD, "Password")
        await shield(accounts.change(user, UserChange(pin=password)))
        return empty_answer(request, 200)

    @app.route(f"{MY}/voicemail/pin/<hidden>", methods=["PUT"])
    async def put_pin(request: Request, hidden: str) -> bytes:
        user = await authenticator.user(request)
        pin = _secret(request, MIN_PIN, "Voicemail PIN")
        await shield(accounts.change(user, UserChange(voicemail_pin=pin)))
        return empty_answer(request, 200)


def _secret(request: Request, least: int, what: str) -> str:
    secret: str = getattr(request, "secret", "")
    if len(secret) < least:
        sentence = f"{what} must be at least {least} characters long"
        raise PhrasedBadInput(f"{sentence}.", field=None, phrase=sentence.encode("ascii"))
    return secret
