"""Hunt groups when their members are renamed or go."""

from __future__ import annotations

from sipxd.directory.call_group import CallGroup, Member, renamed

GROUP = CallGroup(1, "sales", "500", (Member("200", 5), Member("201"), Member("200", 9)), version=3)


def test_a_renamed_member_keeps_his_places() -> None:
    new = renamed(GROUP, "200", "300")
    assert new.members == (Member("300", 5), Member("201"), Member("300", 9))
    assert new.version == 4


def test_who_is_gone_leaves_all_his_places() -> None:
    assert renamed(GROUP, "200", None).members == (Member("201"),)
    assert renamed(renamed(GROUP, "200", None), "201", None).members == ()


def test_a_group_of_others_stays_itself() -> None:
    assert renamed(GROUP, "999", "300") is GROUP
    assert renamed(GROUP, "sales", None) is GROUP
