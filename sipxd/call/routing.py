"""The dial plan: which gateways take a number, in which order, and how each wants it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import attrs

from sipxd.directory.gateway import Gateway, is_dialled
from sipxd.directory.route import Route


@attrs.frozen
class Attempt:
    """A gateway, and the number as it is sent to it."""

    gateway: Gateway
    number: str


@attrs.frozen
class Way:
    """Where a number leads: the attempts, in order, and what the route asks of the caller.

    ``number`` is the one that the route makes of the number dialled.
    """

    number: str
    permission: str
    attempts: tuple[Attempt, ...]

    @property
    def forms(self) -> tuple[str, ...]:
        """Every form in which the number may be sent."""
        return (self.number, *(attempt.number for attempt in self.attempts))


def find_way(
    number: str,
    routes: Iterable[Route],
    gateways: Mapping[str, Gateway],
    is_well: Callable[[str], bool] = lambda name: True,
) -> Way | None:
    """The way of the first route whose pattern matches; None where none does.

    A gateway that is not well stands behind those that are.  One for which rewriting leaves no
    number is left out, so that there may be no attempt at all.
    """
    for route in routes:
        if route.matches(number):
            sent = route.rewritten(number)
            named = [gateways[name] for name in route.gateways]
            ordered = sorted(named, key=lambda gateway: not is_well(gateway.name))
            attempts = (Attempt(gateway, gateway.called(sent)) for gateway in ordered)
            usable = tuple(attempt for attempt in attempts if is_dialled(attempt.number))
            return Way(sent, route.permission, usable)
    return None
