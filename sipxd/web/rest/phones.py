"""``POST /phone``: telephones, which are stored only (contract 4.7)."""

from __future__ import annotations

from contextlib import suppress

from klein import Klein
from twisted.web.server import Request

from sipxd.directory.telephone import Telephone, serial_of
from sipxd.errors import BadInput, Conflict
from sipxd.service.telephones import Telephones
from sipxd.web.auth import Authenticator, shield
from sipxd.web.negotiate import empty_answer, read_list

MAX_PHONES = 1000


def add_phone_routes(app: Klein, authenticator: Authenticator, telephones: Telephones) -> None:
    """Add the list that is taken; one that cannot be stored is passed over, as sipXcom does it."""

    @app.route("/sipxconfig/rest/phone", methods=["POST"])
    async def post_phones(request: Request) -> bytes:
        await authenticator.administrator(request)
        new = [
            Telephone(
                0,
                serial_of(phone.text("serialNumber")),
                phone.text("model"),
                phone.text("description"),
                phone.text("version"),
            )
            for phone in read_list(request, "phones", "phone", MAX_PHONES)
        ]
        for telephone in new:
            with suppress(BadInput, Conflict):
                await shield(telephones.add(telephone))
        return empty_answer(request, 200)
