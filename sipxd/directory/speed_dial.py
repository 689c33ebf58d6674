"""Speed dials: the buttons of a user's telephones (contract 3.15)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

MAX_BUTTONS = 200


@attrs.frozen
class Button:
    """A button that dials a number."""

    label: str
    number: str
    blf: bool = False
    """Whether its lamp tells if that number is busy."""


@attrs.frozen
class SpeedDial:
    """The buttons that a user has."""

    buttons: tuple[Button, ...] = ()
    of_group: bool = False
    """Whether they are those of his group, because he has none himself."""


def permitted(
    wanted: Sequence[Button], present: Sequence[Button], *, presence: bool
) -> tuple[Button, ...]:
    """The buttons that ``wanted`` come to.

    Whom nobody allowed to watch others (``presence``) keeps the lamps that he has, and gets none.
    """
    if presence:
        return tuple(wanted)
    return tuple(
        button if button in present else attrs.evolve(button, blf=False) for button in wanted
    )
