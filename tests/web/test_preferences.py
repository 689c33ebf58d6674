"""/my/im/prefs, imbot/prefs, vmprefs, voicemail/attendant, faxprefs (3.12, 3.14)."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from settingskit import make_group
from twisted.internet import defer

ensure = pytest_twisted.ensureDeferred
MY = "/sipxconfig/rest/my"

IM = {
    "statusPhonePresence": True,
    "statusCallInfo": False,
    "otpMessage": "On the phone",
    "voicemailOnDnd": False,
}
BOT = {"confEnter": True, "confExit": True, "vmBegin": False, "vmEnd": False}
FAX = {"extension": "", "did": ""}
VOICEMAIL = {
    "greeting": "NONE",
    "email": None,
    "emailAttachType": "NO",
    "emailFormat": None,
    "emailIncludeAudioAttachment": None,
    "altEmail": None,
    "altEmailAttachType": "NO",
    "altEmailFormat": None,
    "altEmailIncludeAudioAttachment": None,
    "voicemailPermission": True,
    "voicemailFormat": "wav",
}
ATTENDANT = {
    "depositVM": True,
    "forwardDeleteVM": False,
    "playVMDefaultOptions": True,
    "operator": None,
    "menu": {},
    "language": None,
    "overrideLanguage": False,
    "personalAttendantPermission": True,
}
BY_DEFAULT = {
    "im/prefs": IM,
    "imbot/prefs": BOT,
    "faxprefs": FAX,
    "vmprefs": VOICEMAIL,
    "voicemail/attendant": ATTENDANT,
}
FIELDS_CHANGED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("im/prefs", {"statusPhonePresence": False}, {}),
    ("im/prefs", {"statusCallInfo": True, "otpMessage": "Besetzt – später"}, {}),
    ("im/prefs", {"otpMessage": "", "voicemailOnDnd": True, "statusCallInfo": None}, {}),
    ("imbot/prefs", {"confEnter": False, "vmEnd": True}, {}),
    ("imbot/prefs", {"confExit": False, "vmBegin": True}, {}),
    ("faxprefs", {"extension": "7200"}, {}),
    ("faxprefs", {"did": "+4930123"}, {}),
    ("vmprefs", {"greeting": "OUT_OF_OFFICE"}, {}),
    ("vmprefs", {"greeting": "EXTENDED_ABSENCE", "voicemailFormat": "mp3"}, {}),
    ("vmprefs", {"email": "ben@example.org", "altEmail": "b@example.net"}, {}),
    (
        "vmprefs",
        {"emailAttachType": "YES", "emailFormat": "BRIEF"},
        {"emailIncludeAudioAttachment": False},
    ),
    (
        "vmprefs",
        {"altEmailAttachType": "YES", "altEmailIncludeAudioAttachment": True},
        {"altEmailFormat": "FULL"},
    ),
    ("vmprefs", {"emailFormat": "MEDIUM"}, {"emailFormat": None}),  # kept, and told when it counts
    ("voicemail/attendant", {"depositVM": False, "operator": "201", "language": "de"}, {}),
    ("voicemail/attendant", {"menu": {"1": "202", "#": "203"}, "overrideLanguage": True}, {}),
    ("voicemail/attendant", {"playVMDefaultOptions": False, "forwardDeleteVM": True}, {}),
]


@ensure
@pytest.mark.parametrize("path", BY_DEFAULT)
async def test_who_has_set_nothing_has_the_defaults(house, path):
    answer = await house.get(f"{MY}/{path}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json == BY_DEFAULT[path]
    assert list(answer.json) == list(BY_DEFAULT[path])
    await refused(house, path)


async def refused(house, path) -> None:
    assert (await house.get(f"{MY}/{path}", user=None)).status == 401
    assert (await house.get(f"{MY}/{path}", Accept="text/xml")).status == 406
    for method in ("POST", "DELETE"):
        answer = await house.send(method, f"{MY}/{path}", {})
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, PUT")


@ensure
@pytest.mark.parametrize(("path", "change", "beside"), FIELDS_CHANGED)
async def test_a_put_changes_what_it_names_and_of_its_own_user(house, path, change, beside):
    answer = await house.send("PUT", f"{MY}/{path}", change | {"unknown": [1]})
    assert (answer.status, answer.body) == (200, b"")
    told = (await house.get(f"{MY}/{path}")).json
    given = {name: value for name, value in change.items() if value is not None}
    assert told == BY_DEFAULT[path] | given | beside
    other = (await house.get(f"{MY}/{path}", "202")).json
    assert other == BY_DEFAULT[path]


BAD = [
    ("im/prefs", b"", None),
    ("im/prefs", b"<prefs/>", None),
    ("im/prefs", b'{"otpMessage": NaN}', None),
    ("im/prefs", b"[]", None),
    ("im/prefs", {"statusPhonePresence": "yes"}, "statusPhonePresence"),
    ("im/prefs", {"statusCallInfo": 1}, "statusCallInfo"),
    ("im/prefs", {"statusCallInfo": True, "otpMessage": "a\nb"}, "otpMessage"),
    ("im/prefs", {"statusCallInfo": True, "otpMessage": "a" * 256}, "otpMessage"),
    ("imbot/prefs", {"confExit": False, "vmEnd": []}, "vmEnd"),
    ("faxprefs", {"did": "1", "extension": 7200}, "extension"),
    ("vmprefs", {"voicemailFormat": "mp3", "greeting": "standard"}, "greeting"),
    ("vmprefs", {"greeting": "STANDARD", "email": "nobody"}, "email"),
    ("vmprefs", {"greeting": "STANDARD", "altEmail": "nobody"}, "altEmail"),
    ("vmprefs", {"greeting": "STANDARD", "emailAttachType": True}, "emailAttachType"),
    ("vmprefs", {"greeting": "STANDARD", "altEmailFormat": "full"}, "altEmailFormat"),
    ("voicemail/attendant", {"depositVM": False, "menu": ["201"]}, "menu"),
    ("voicemail/attendant", {"depositVM": False, "menu": {"1": 201}}, "menu.1"),
]


@ensure
@pytest.mark.parametrize(("path", "value", "field"), BAD)
async def test_what_is_wrong_is_named_and_nothing_of_it_is_stored(house, path, value, field):
    answer = await house.send("PUT", f"{MY}/{path}", value)
    assert answer.status == 400, answer
    assert answer.field == field
    assert (await house.get(f"{MY}/{path}")).json == BY_DEFAULT[path]


@ensure
async def test_the_menu_of_an_attendant_is_replaced_whole(house):
    for menu in ({"1": "201", "9": "203"}, {"0": "202", "A": "not a key"}):
        answer = await house.send("PUT", f"{MY}/voicemail/attendant", {"menu": menu})
        assert answer.status == 200
    assert (await house.get(f"{MY}/voicemail/attendant")).json["menu"] == {"0": "202"}
    await house.send("PUT", f"{MY}/voicemail/attendant", {"depositVM": False})
    assert (await house.get(f"{MY}/voicemail/attendant")).json["menu"] == {"0": "202"}


@ensure
async def test_who_may_not_have_voicemail_or_an_attendant_changes_nothing(house):
    """201 has no permission Voicemail."""
    answer = await house.send(
        "PUT", f"{MY}/vmprefs", {"greeting": "STANDARD", "email": "a@b.org"}, "201"
    )
    assert (answer.status, answer.body) == (200, b"")
    told = (await house.get(f"{MY}/vmprefs", "201")).json
    assert told == VOICEMAIL | {"voicemailPermission": False}
    await make_group(house, "sales", permissions={"personal-auto-attendant": False})
    answer = await house.send("PUT", f"{MY}/voicemail/attendant", {"depositVM": False}, "201")
    assert (answer.status, answer.body) == (200, b"")
    told = (await house.get(f"{MY}/voicemail/attendant", "201")).json
    assert told == ATTENDANT | {"personalAttendantPermission": False}


@ensure
async def test_what_a_user_has_not_set_is_as_his_group_has_it(house):
    await make_group(house, "sales", settings={"im/on-the-phone-message": "Selling"})
    await house.send("PUT", f"{MY}/im/prefs", {"statusCallInfo": True}, "201")
    told = (await house.get(f"{MY}/im/prefs", "201")).json
    assert told == IM | {"statusCallInfo": True, "otpMessage": "Selling"}
    await house.send("PUT", f"{MY}/im/prefs", {"otpMessage": "Busy"}, "201")
    assert (await house.get(f"{MY}/im/prefs", "201")).json["otpMessage"] == "Busy"
    assert (await house.get(f"{MY}/im/prefs")).json == IM


@ensure
@pytest.mark.parametrize(
    ("given", "greeting"),
    [
        ("none", "NONE"),
        ("standard", "STANDARD"),
        ("outofoffice", "OUT_OF_OFFICE"),
        ("extendedabsence", "EXTENDED_ABSENCE"),
        ("whatever", "NONE"),
    ],
)
async def test_the_greeting_is_set_by_a_path_of_its_own(house, given, greeting):
    await house.send("PUT", f"{MY}/vmprefs", {"greeting": "STANDARD"})
    path = f"{MY}/mailbox/201/preferences/activegreeting/{given}"
    answer = await house.request("PUT", path)  # without a body, for the one who asks
    assert (answer.status, answer.body) == (200, b"")
    assert (await house.get(f"{MY}/vmprefs")).json["greeting"] == greeting
    assert (await house.get(f"{MY}/vmprefs", "201")).json["greeting"] == "NONE"
    assert (await house.get(path)).status == 405
    assert (await house.request("PUT", path, None)).status == 401


@ensure
async def test_the_operator_is_set_and_cleared_by_paths_of_its_own(house):
    path = f"{MY}/voicemail/operator"

    async def operator() -> Any:
        return (await house.get(f"{MY}/voicemail/attendant")).json["operator"]

    assert (await house.request("PUT", f"{path}/sip%3A201@example.org")).status == 200
    assert await operator() == "sip:201@example.org"
    assert (await house.request("PUT", f"{path}/2%0A01")).status == 400
    assert await operator() == "sip:201@example.org"
    assert (await house.request("PUT", f"{path}/")).status == 200
    assert await operator() is None
    assert (await house.get(f"{path}/201")).status == 405
    languages = await house.get(f"{MY}/voicemail/attendant/lang")
    assert (languages.status, languages.json) == (200, [])


@ensure
async def test_two_changes_at_the_same_time_never_mix(house):
    both = [
        {"otpMessage": text, "statusCallInfo": flag, "voicemailOnDnd": flag}
        for text, flag in (("one", True), ("two", False))
    ]
    for _ in range(5):
        sent = [house.send("PUT", f"{MY}/im/prefs", each) for each in both * 3]
        assert {answer.status for answer in await defer.gatherResults(sent)} == {200}
        assert (await house.get(f"{MY}/im/prefs")).json in [IM | each for each in both]
