"""What a rehearsal of a call tells: who would ring when, what the caller gets, what is amiss."""

from __future__ import annotations

from typing import Literal

import attrs

StepKind = Literal["phone", "number", "voicemail"]
FindingKind = Literal["circle", "dead-step", "no-voicemail", "forbidden", "no-route", "no-phone"]


@attrs.frozen
class Step:
    """One thing that rings, at most from ``begins`` to ``ends``: seconds from the call's start."""

    begins: float
    ends: float | None
    """None: for as long as the caller waits."""
    whom: str
    """The user or group on whose behalf it rings."""
    number: str
    via: tuple[str, ...] = ()
    """Those who sent the call on, the one who was called first."""
    stage: int = 0
    kind: StepKind = "number"
    note: str = ""
    """A sentence on what is special about it; empty: nothing."""


@attrs.frozen
class Finding:
    """Something that will not do what the user may expect."""

    kind: FindingKind
    where: str
    """The setting, as in ``rings[2].number``; empty: no single one."""
    sentence: str


@attrs.frozen
class Rehearsal:
    """What would become of a call from ``caller`` at ``at`` (seconds since the epoch)."""

    at: float
    caller: str
    """Empty: an unknown one."""
    steps: tuple[Step, ...]
    answer: str
    """A sentence: what the caller gets when nobody answers."""
    findings: tuple[Finding, ...] = ()
