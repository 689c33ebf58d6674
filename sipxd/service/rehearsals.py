"""Rehearsals: what would become of a call for a user, and what is amiss with his settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from sipxd.call.circles import House, sent_to
from sipxd.call.numbers import Number, clean_number
from sipxd.call.path import extend_path
from sipxd.call.plan import Destination, Nowhere
from sipxd.call.policy import outsider
from sipxd.call.rehearsal import DryRun, Finding, FindingKind, Lookup, Rehearsal
from sipxd.directory.forwarding import ANONYMOUS, EVERYONE, Action, Forwarding, Rule
from sipxd.directory.user import User
from sipxd.errors import BadInput, Forbidden, NotFound
from sipxd.service.accounts import Accounts
from sipxd.service.destinations import Destinations
from sipxd.service.forwardings import Forwardings

LATEST = 32_503_680_000.0
"""The year 3000, in seconds since the epoch."""

_KINDS: dict[int, FindingKind] = {403: "forbidden", 404: "no-route", 482: "circle"}


class Rehearsals:
    """Goes through calls without making them. ``domain`` is our own."""

    def __init__(
        self,
        domain: str,
        accounts: Accounts,
        forwardings: Forwardings,
        house: House,
        destinations: Destinations,
        now: Callable[[], float],
    ) -> None:
        self._domain = domain
        self._accounts = accounts
        self._forwardings = forwardings
        self._house = house
        self._destinations = destinations
        self._now = now

    async def rehearse(self, user: User, caller: str | None, at: float | None) -> Rehearsal:
        """A call for ``user`` from ``caller`` (None: an unknown one) at ``at`` (None: now).

        The phones are those that are registered now.  Raises BadInput where ``caller`` (field
        ``from``) or ``at`` cannot be.
        """
        when = self._now() if at is None else at
        if not (math.isfinite(when) and 0 <= when < LATEST):
            raise BadInput("at must be a time between 1970 and 3000", field="at")
        calling = self._caller(caller)
        destination = self._destination(user, calling, when)
        if isinstance(destination, Nowhere):
            findings = tuple(self._amiss(user, []))
            answer = _told(destination.status, destination.reason, 0)
            return Rehearsal(when, caller or "", (), answer, findings)
        run = DryRun(destination.plan, self._destinations.seek)
        answer = f"A voicemail box answers {_after(run.seconds)}."
        if run.refusal is not None:
            answer = _told(*run.refusal, run.seconds)
        findings = tuple(self._amiss(user, run.lookups))
        return Rehearsal(when, caller or "", tuple(run.steps), answer, findings)

    def _caller(self, caller: str | None) -> User:
        if not caller or caller == ANONYMOUS:
            return outsider(ANONYMOUS)
        try:
            number = clean_number(caller)
        except BadInput as error:
            raise BadInput(error.detail, field="from") from None
        known = self._accounts.find(number.user) if number.host in (None, self._domain) else None
        return known or outsider(number.user)

    def _destination(self, user: User, caller: User, at: float) -> Destination | Nowhere:
        number = Number(user.name)
        path = extend_path((), number, self._domain)
        try:
            return self._destinations.find(caller, number, path=path, at=at)
        except (NotFound, Forbidden) as error:
            return Nowhere(404, error.detail)

    # -- what is amiss -------------------------------------------------------------------------

    def _amiss(self, user: User, lookups: list[Lookup]) -> Iterator[Finding]:
        """The findings, the same thing once."""
        settings = self._forwardings.of(user)
        told: set[tuple[str, str]] = set()
        for findings in (self._of_settings(user, settings), self._of_run(user, settings, lookups)):
            for finding in findings:
                if (finding.kind, finding.where) not in told or not finding.where:
                    told.add((finding.kind, finding.where))
                    yield finding

    def _of_settings(self, user: User, settings: Forwarding) -> Iterator[Finding]:
        try:
            self._destinations.own_phones(user, Number(user.name))
        except NotFound as error:
            yield Finding("no-phone", "", error.detail)
        circle = self._house.circle_of_user(user, Forwarding(), settings)
        if circle is not None:
            way, where = circle
            yield Finding("circle", where, f"Calls would go in a circle: {way}.")
        for where, number in sent_to(settings):
            try:
                self._destinations.permit(user, number)
            except Forbidden as error:
                yield Finding("forbidden", where, error.detail)
        for index, ring in enumerate(settings.rings):
            where = f"rings[{index}]"
            if ring.enabled and not ring.number:
                yield Finding("dead-step", f"{where}.number", "It has no number to ring.")
            schedule = None if ring.schedule is None else self._forwardings.schedule(ring.schedule)
            if schedule is not None and not schedule.periods:
                sentence = f"The schedule {schedule.name} has no times, so that it never rings."
                yield Finding("dead-step", f"{where}.schedule", sentence)
        yield from self._of_rules(user, settings.rules)

    def _of_rules(self, user: User, rules: tuple[Rule, ...]) -> Iterator[Finding]:
        decided: dict[str, int] = {}
        """For which situations a rule holds whoever calls, and whenever."""
        for index, rule in enumerate(rules):
            if not rule.enabled:
                continue
            if rule.when in decided:
                sentence = f"rules[{decided[rule.when]}] has decided already, whoever calls."
                yield Finding("dead-step", f"rules[{index}]", sentence)
            elif _holds_for_all(rule):
                decided[rule.when] = index
            if rule.action is Action.VOICEMAIL and not self._forwardings.has_voicemail(user):
                sentence = f"{user.name} has no voicemail: callers are told that nobody is there."
                yield Finding("no-voicemail", f"rules[{index}].action", sentence)

    def _of_run(self, user: User, settings: Forwarding, lookups: list[Lookup]) -> Iterator[Finding]:
        for lookup in lookups:
            onward, found = lookup.onward, lookup.found
            if isinstance(found, Nowhere):
                kind = _KINDS.get(found.status, "no-route")
                sentence = found.reason.partition(": ")[2]
            elif found.whose in lookup.around:
                kind, sentence = "circle", "it is being rung already."
            elif found.is_empty:
                kind, sentence = "no-phone", "no phone is registered there."
            else:
                continue
            if onward.by == user.name:
                yield Finding(kind, _where(settings, onward.number), f"{onward.number}: {sentence}")
            else:
                sentence = f"{onward.by} sends the call on to {onward.number}: {sentence}"
                yield Finding(kind, "", sentence)


def _where(settings: Forwarding, number: str) -> str:
    return next((where for where, known in sent_to(settings) if known == number), "")


def _holds_for_all(rule: Rule) -> bool:
    conditions = (rule.until, rule.schedule, rule.only_on_holidays, rule.not_on_holidays)
    return rule.caller == EVERYONE and not any(conditions)


def _after(seconds: float) -> str:
    return f"after {seconds:g} seconds" if seconds else "at once"


def _told(status: int, reason: str, seconds: float) -> str:
    return f"Nobody answers: {_after(seconds)} the caller is told {status} {reason.rstrip('.')}."
