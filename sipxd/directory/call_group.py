"""The hunt group: an extension whose calls ring its members (contract 9.10, 11.2)."""

from __future__ import annotations

import attrs

from sipxd.directory.forwarding import DEFAULT_SECONDS, RingType

MAX_MEMBERS = 200


@attrs.frozen
class Member:
    """A user who is rung, and for how long (seconds)."""

    user: str
    """His user name."""
    seconds: int = DEFAULT_SECONDS
    type: RingType = RingType.IF_NO_RESPONSE


@attrs.frozen
class CallGroup:
    """A hunt group. ``name``, ``extension`` and ``did`` share one name space with the users."""

    id: int
    name: str
    extension: str
    members: tuple[Member, ...] = ()
    description: str = ""
    did: str = ""
    """A further number that reaches it; empty: none."""
    enabled: bool = True
    """A group that is not is 404 for callers."""
    follow: bool = True
    """Whether the members' own call forwarding is followed."""
    voicemail_fallback: bool = False
    """When nobody answers, the last member's voicemail takes the call."""
    fallback: str = ""
    """Else this number does; empty: the caller is told that nobody answered."""
    fallback_seconds: int = DEFAULT_SECONDS
    version: int = 0
    """Rises with every change."""

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that a caller may dial to reach it."""
        return tuple(dict.fromkeys(name for name in (self.extension, self.name, self.did) if name))


def renamed(group: CallGroup, old: str, new: str | None) -> CallGroup:
    """``group`` once its member ``old`` is called ``new``, or has left it (None).

    The version rises; a group that he is no member of comes back itself.
    """
    if all(member.user != old for member in group.members):
        return group
    members = tuple(
        attrs.evolve(member, user=new or "") if member.user == old else member
        for member in group.members
        if member.user != old or new is not None
    )
    return attrs.evolve(group, members=members, version=group.version + 1)
