"""The near side of a click-to-call: whom it rings first, and what these are told."""

from __future__ import annotations

import attrs

from sipxd.call.numbers import Number
from sipxd.call.plan import Destination, ring_all
from sipxd.directory.user import User
from sipxd.service.destinations import Destinations
from sipxd.sip.message import Header
from sipxd.sip.profiles import auto_answer


@attrs.frozen
class FirstLeg:
    """What a click-to-call rings first, where that is not the user's own phones as usual."""

    number: Number | None = None
    """None: his own phones."""
    follow: bool = False
    """Whether the forwarding of whoever is reached by ``number`` is followed."""
    seconds: float | None = None
    """How long it may ring; None: as configured."""
    headers: tuple[Header, ...] = ()
    """What the first INVITE says beyond the usual."""


OWN_PHONES = FirstLeg()


def near_side(
    destinations: Destinations, user: User, number: Number, first: FirstLeg
) -> Destination:
    """What ``user`` has rung first, to call ``number`` then. Raises Forbidden, NotFound."""
    if first.number is None and not first.follow:
        destination = destinations.own_phones(user, number)
    else:
        calling = first.number or Number(user.name)
        destination = destinations.first_leg(user, number, calling, follow=first.follow)
    destination = saying(destination, first.headers)
    if first.seconds is None:
        return destination
    if not first.follow:
        return ring_all(destination.targets, destination.identity, first.seconds)
    return attrs.evolve(destination, plan=attrs.evolve(destination.plan, limit=first.seconds))


def answering(own_phones: Destination, domain: str) -> Destination:
    """The user's own phones, asked to answer by themselves: it is he who calls."""
    return own_phones.with_targets(
        lambda target: attrs.evolve(
            target, headers=(*target.headers, *auto_answer(target.user_agent, domain))
        )
    )


def saying(destination: Destination, headers: tuple[Header, ...]) -> Destination:
    """``destination`` with ``headers`` in each INVITE."""
    if not headers:
        return destination
    return destination.with_targets(
        lambda target: attrs.evolve(target, headers=(*target.headers, *headers))
    )
