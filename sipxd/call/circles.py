"""Whether calls could go in a circle within the house: who sends his calls on to whom.

A call that goes in a circle at run time is ended by the numbers that it carries
(`sipxd.call.path`); this is for the one who sets a number, so that he is told at once.  Schedules,
conditions and whether a user is enabled are not looked at: they change by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

import attrs

from sipxd.call.numbers import clean_number
from sipxd.directory.call_group import CallGroup
from sipxd.directory.forwarding import Action, Forwarding
from sipxd.directory.user import User
from sipxd.errors import BadInput

K = TypeVar("K", bound=Hashable)
_Key = tuple[type, int]


def sent_to(forwarding: Forwarding) -> Iterator[tuple[str, str]]:
    """The numbers that calls may be sent on to, each behind the path of the member it stands in.

    What is disabled or has no number sends nothing.
    """
    for index, ring in enumerate(forwarding.rings):
        if ring.enabled and ring.number:
            yield f"rings[{index}].number", ring.number
    for index, rule in enumerate(forwarding.rules):
        if rule.enabled and rule.action == Action.FORWARD and rule.number:
            yield f"rules[{index}].number", rule.number


def find_circle(start: K, first: Iterable[K], onward: Callable[[K], Iterable[K]]) -> list[K]:
    """The shortest way that leads by one of ``first`` back to ``start``, both ends included.

    ``onward`` gives what each of the others leads to.  Empty: there is none.
    """
    came_from: dict[K, K] = {}
    edge = [(start, step) for step in first]
    while edge:
        coming: list[K] = []
        for before, here in edge:
            if here == start:
                way = [here]
                while before != start:
                    way.append(before)
                    before = came_from[before]
                return [start, *reversed(way)]
            if here not in came_from:
                came_from[here] = before
                coming.append(here)
        edge = [(here, there) for here in coming for there in onward(here)]
    return []


@attrs.frozen
class House:
    """Who can be reached by a number of ``domain``, and what they have set."""

    domain: str
    user: Callable[[str], User | None]
    """By name or alias."""
    group: Callable[[str], CallGroup | None]
    """By name, extension or DID."""
    forwarding: Callable[[int], Forwarding]
    """By the user's id."""

    def circle_of_user(
        self, user: User, old: Forwarding, new: Forwarding
    ) -> tuple[str, str] | None:
        """The circle that ``new`` would make, in words, and the path of the member that makes it.

        What ``old`` did already is not held against ``new``.
        """
        known = {_key(place) for _, place in self._of_forwarding(old)}
        fresh: dict[_Key, str] = {}
        places: list[User | CallGroup] = []
        for field, place in self._of_forwarding(new):
            if _key(place) not in known:
                fresh.setdefault(_key(place), field)
                places.append(place)
        circle = self._circle(user, places)
        return (_in_words(circle), fresh[_key(circle[1])]) if circle else None

    def circle_of_group(self, old: CallGroup | None, new: CallGroup) -> str:
        """The circle that the group ``new`` would make in the place of ``old``; empty: none."""

        def group(text: str) -> CallGroup | None:
            found = new if text in new.names else self.group(text)
            return None if found is not None and found.id == new.id and found is not new else found

        house = attrs.evolve(self, group=group)
        known: set[_Key] = set()
        if old is not None and old.names == new.names:
            known = {_key(place) for place in self._of_group(old)}
        fresh = [place for place in house._of_group(new) if _key(place) not in known]
        return _in_words(house._circle(new, fresh))

    def _circle(
        self, start: User | CallGroup, first: list[User | CallGroup]
    ) -> list[User | CallGroup]:
        met = {_key(place): place for place in [*first, start]}

        def onward(key: _Key) -> list[_Key]:
            places = {_key(place): place for place in self._onward(met[key])}
            met.update(places)
            return list(places)

        return [met[key] for key in find_circle(_key(start), map(_key, first), onward)]

    def _onward(self, place: User | CallGroup) -> Iterator[User | CallGroup]:
        if isinstance(place, CallGroup):
            yield from self._of_group(place)
        else:
            for _, there in self._of_forwarding(self.forwarding(place.id)):
                yield there

    def _of_forwarding(self, forwarding: Forwarding) -> Iterator[tuple[str, User | CallGroup]]:
        for field, number in sent_to(forwarding):
            place = self._place(number)
            if place is not None:
                yield field, place

    def _of_group(self, group: CallGroup) -> Iterator[User | CallGroup]:
        if not group.enabled:
            return
        # Without it only the members' phones ring.
        if group.follow:
            yield from filter(None, map(self.user, (member.user for member in group.members)))
        fallback = self._place(group.fallback) if group.fallback else None
        if fallback is not None:
            yield fallback

    def _place(self, text: str) -> User | CallGroup | None:
        try:
            number = clean_number(text)
        except BadInput:
            return None
        if number.host not in (None, self.domain):
            return None
        return self.user(number.user) or self.group(number.user)


def _key(place: User | CallGroup) -> _Key:
    return type(place), place.id


def _in_words(circle: list[User | CallGroup]) -> str:
    return " -> ".join(
        place.extension if isinstance(place, CallGroup) else place.name for place in circle
    )
