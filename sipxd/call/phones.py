"""What phones refuse that others take, as a call finds it out (plain data)."""

from __future__ import annotations

import enum

import attrs


class Refusal(enum.StrEnum):
    """Something that a kind of phone does not take."""

    OFFERLESS = "offerless"
    """An INVITE without SDP."""
    REFER = "refer"
    """A REFER within a call."""


@attrs.frozen
class Refusing:
    """Phones that call themselves ``user_agent`` refuse ``refuses``; seen at ``noted``."""

    user_agent: str
    refuses: Refusal
    noted: float
    """Seconds since the epoch."""
