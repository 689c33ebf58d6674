"""What can be set of a user, and who decides where he has not."""

from __future__ import annotations

import pytest

from sipxd.directory.setting import SettingType
from sipxd.directory.speed_dial import Button, permitted
from sipxd.directory.user_setting import SETTINGS, effective

DEFAULTS = {
    "im/im-account": "0",
    "im/advertise-sip-presence": "1",
    "im/include-call-info": "0",
    "im/on-the-phone-message": "On the phone",
    "im/fwd-vm-on-dnd": "0",
    "im_notification/conferenceEntryIM": "1",
    "im_notification/conferenceExitIM": "1",
    "im_notification/leaveMsgBeginIM": "0",
    "im_notification/leaveMsgEndIM": "0",
    "im_notification/call": "0",
    "im_notification/callFromAnyNumber": "0",
    "user-portal/clickToCall-chat/clickToCall": "1",
    "user-portal/clickToCall-chat/chat": "1",
    "user-portal/clickToCall-conf/conf": "1",
}
"""As the contract has them (section 2)."""


def test_the_defaults_are_sipxcoms() -> None:
    assert {path: SETTINGS[path].default for path in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.path)
def test_every_default_is_a_value_that_may_be_set(setting) -> None:
    assert setting.read(setting.default) == setting.default
    assert (setting.options is not None) == (setting.type is SettingType.ENUM)


def test_his_own_value_counts_before_those_of_his_groups_and_these_in_order() -> None:
    light = {"im/im-account": "1", "im/on-the-phone-message": "light"}
    heavy = {"im/on-the-phone-message": "heavy", "im/fwd-vm-on-dnd": "1", "no/such": "1"}
    values = effective({"im/im-account": "0", "no/such": "2"}, [light, heavy])
    assert values["im/im-account"] == "0"
    assert values["im/on-the-phone-message"] == "light"
    assert values["im/fwd-vm-on-dnd"] == "1"
    assert values.keys() == SETTINGS.keys()


def test_a_lamp_is_kept_only_of_a_button_that_is_as_it_was() -> None:
    ben, far = Button("Ben", "402", blf=True), Button("Far", "403")
    lit = [ben, Button("Ben", "403", blf=True), Button("Far", "403", blf=True), far]
    assert permitted(lit, [ben, far], presence=True) == tuple(lit)
    assert permitted(lit, [ben, far], presence=False) == (ben, Button("Ben", "403"), far, far)
