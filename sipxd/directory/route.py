"""The route: which numbers go to which gateways. The class is the section ``[[route]]``.

A pattern is read from the left, one character of it for one of the number::

    0-9 * # +   that character
    X           any digit            Z   1 to 9            N   2 to 9
    [235-7]     one of 2 3 5 6 7
    .           at the end: one or more further characters
    !           at the end: any further characters, or none

It is what Asterisk's dial plans call an extension pattern.  Matching looks at each character once.
"""

from __future__ import annotations

import functools
import re

import attrs

from sipxd.directory.gateway import MAX_NUMBER, matching, prefix, within

MAX_PATTERN = 128
MAX_GATEWAYS = 10

_CHARACTERS = frozenset("0123456789*#+")
_CLASSES = {
    "X": frozenset("0123456789"),
    "Z": frozenset("123456789"),
    "N": frozenset("23456789"),
}
_PERMISSION = re.compile(r"[A-Za-z0-9_.-]{1,64}+")


@attrs.frozen
class Pattern:
    """Which numbers: the characters allowed at each place, and what may follow."""

    places: tuple[frozenset[str], ...]
    further: bool = False
    """Whether there may be more characters than places."""
    least: int = 0
    """How many more there have to be."""

    def matches(self, number: str) -> bool:
        """Whether ``number`` is one of those."""
        more = len(number) - len(self.places)
        if more < self.least or (more and not self.further):
            return False
        return all(map(frozenset.__contains__, self.places, number)) and _CHARACTERS.issuperset(
            number
        )


def parse_pattern(text: str) -> Pattern:
    """Read a pattern. Raises ValueError with what is wrong."""
    if not 0 < len(text) <= MAX_PATTERN:
        raise ValueError(f"a pattern has 1 to {MAX_PATTERN} characters")
    body, last = (text[:-1], text[-1]) if text[-1] in ".!" else (text, "")
    places: list[frozenset[str]] = []
    position = 0
    while position < len(body):
        character = body[position]
        if character == "[":
            end = body.find("]", position)
            if end < 0:
                raise ValueError(f"{text!r} has a [ without ]")
            places.append(_one_of(text, body[position + 1 : end]))
            position = end
        elif character in _CLASSES:
            places.append(_CLASSES[character])
        elif character in _CHARACTERS:
            places.append(frozenset(character))
        else:
            raise ValueError(
                f"{text!r} holds {character!r}; a pattern is made of 0-9 * # + X Z N [...], "
                "and . or ! at its end"
            )
        position += 1
    if len(places) > MAX_NUMBER + 1:
        raise ValueError(f"{text!r} is longer than any number")
    return Pattern(tuple(places), bool(last), 1 if last == "." else 0)


def _one_of(text: str, inside: str) -> frozenset[str]:
    """The characters of ``[...]``."""
    found: set[str] = set()
    position = 0
    while position < len(inside):
        first = inside[position]
        if inside[position + 1 : position + 2] == "-":
            last = inside[position + 2 : position + 3]
            if not (first.isdigit() and last.isdigit() and first <= last and inside.isascii()):
                raise ValueError(f"{text!r} has a range that is not like 2-5")
            found.update(map(str, range(int(first), int(last) + 1)))
            position += 3
        else:
            found.add(first)
            position += 1
    if not found or not _CHARACTERS.issuperset(found):
        raise ValueError(f"{text!r} must have digits, * # or + between [ and ]")
    return frozenset(found)


def _check_pattern(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    try:
        parse_pattern(value)
    except ValueError as error:
        raise ValueError(f"{attribute.name}: {error}") from None


def _check_gateways(
    _: object, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]
) -> None:
    if not 0 < len(value) <= MAX_GATEWAYS or len(set(value)) != len(value):
        raise ValueError(f"{attribute.name} must name 1 to {MAX_GATEWAYS} gateways, all different")


@attrs.frozen
class Route:
    """Numbers that match ``pattern`` go to ``gateways``, the first one that takes the call."""

    pattern: str = attrs.field(validator=_check_pattern)
    gateways: tuple[str, ...] = attrs.field(validator=_check_gateways)
    strip: int = attrs.field(default=0, validator=within(0, MAX_NUMBER))
    prepend: str = attrs.field(default="", validator=prefix)
    permission: str = attrs.field(
        default="",
        validator=matching(
            _PERMISSION, "1 to 64 characters of A-Z a-z 0-9 - _ ., or empty", empty=True
        ),
    )
    """What a user must be granted to call such numbers; empty: nothing."""

    @functools.cached_property
    def _compiled(self) -> Pattern:
        return parse_pattern(self.pattern)

    def matches(self, number: str) -> bool:
        """Whether this route is for ``number``."""
        return self._compiled.matches(number)

    def rewritten(self, number: str) -> str:
        """The number that goes to the gateways."""
        return self.prepend + number[self.strip :]
