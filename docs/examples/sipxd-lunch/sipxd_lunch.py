"""``/sipxconfig/rest/my/lunch``: do not disturb for so many minutes; it ends by itself."""

from __future__ import annotations

import time
from typing import Any

import attrs

from sipxd.directory.forwarding import Forwarding
from sipxd.web.plugin import Asked, Resources

PATH = "/sipxconfig/rest/my/lunch"
LONGEST = 180


def add_resources(resources: Resources) -> None:
    """What the entry point names."""
    forwardings = resources.services.forwardings

    async def look(asked: Asked) -> dict[str, Any]:
        until = forwardings.of(asked.user).do_not_disturb_until or 0.0
        left = max(0, round((until - time.time()) / 60))
        return {"atLunch": left > 0, "minutes": left}

    async def go(asked: Asked) -> None:
        document = asked.document("lunch", ("minutes",))
        document.needed("minutes")
        minutes = document.number("minutes", 0, 1, LONGEST)
        until = time.time() + 60 * minutes

        def silent(forwarding: Forwarding) -> Forwarding:
            return attrs.evolve(forwarding, do_not_disturb=True, do_not_disturb_until=until)

        await forwardings.change(asked.user, silent)

    async def come_back(asked: Asked) -> None:
        await forwardings.change(
            asked.user,
            lambda old: attrs.evolve(old, do_not_disturb=False, do_not_disturb_until=None),
        )

    resources.add(PATH, look, root="lunch")
    resources.add(PATH, go, methods=["PUT"])
    resources.add(PATH, come_back, methods=["DELETE"])
