"""A good document for everything that takes one."""

from __future__ import annotations

from hostilekit import Resource

REST = "/sipxconfig/rest"
MY = f"{REST}/my"
API = "/sipxconfig/api"
ADMIN = "superadmin"

RING = {"expiration": 18, "type": "If no response", "enabled": True, "number": "203"}
PERIOD = {"scheduledDay": -1, "start": {"hrs": 18, "min": 0}, "end": {"hrs": 22, "min": 30}}
HOURS = {"name": "Evenings", "description": "d", "periods": [PERIOD]}
ADDRESS = {"street": "Weg 1", "city": "Köln", "country": "DE", "state": "NW", "zip": "50667"}
CONTACT = {"jobTitle": "Chef", "emailAddress": "a@b.org", "homeAddress": ADDRESS, "imId": "x"}
ENTRY = {"first-name": "Ada", "last-name": "Park", "number": "1", "contact-information": CONTACT}
WORKING = {"start": 32_400_000, "stop": 64_800_000, "scheduledDay": "Thursday"}
V1_ENTRY = {
    "first_name": "Ada",
    "last_name": "Park",
    "number": "1",
    "contact": {"job_title": "Chef", "home_address": {"city": "Köln"}},
}
CONFERENCE = {
    "name": "standup", "extension": "5001", "owner": "201", "enabled": True, "description": "d",
    "access_code": "1", "moderator_code": "2", "max_members": 3, "moh": "m", "video": True,
}  # fmt: skip
SETTING = {"enabled": True, "description": "d", "accessCode": "1", "maxMembers": 3, "moh": "m"}
GROUP = {
    "name": "trade", "extension": "500", "did": "501", "description": "d", "enabled": True,
    "members": [{"user": "200", "seconds": 5, "type": "at-the-same-time"}], "fallback": "202",
    "voicemail_fallback": True, "follow": True, "fallback_seconds": 7,
}  # fmt: skip
ORBIT = {"name": "lobby", "enabled": True, "extension": "7001", "music": "a.wav", "server": "b.org"}
API_USER = {
    "userName": "910",
    "lastName": "Lee",
    "firstName": "Ann",
    "aliases": ["911"],
    "sipPassword": "secret12345",
    "pintoken": "longenough1",
    "voicemailPin": "4711",
    "branchName": "",
    "userProfile": {"jobTitle": "Chef", "homeAddress": ADDRESS, "useBranchAddress": True},
    "groups": [{"name": "sales"}],
}
PHONE = {"serialNo": "0004f2000001", "model": "polycom550", "description": "d"}
SETTINGS = {"settings": [{"path": "im/on-the-phone-message", "value": "away"}]}

RESOURCES = [
    Resource(
        "PUT",
        f"{MY}/forward",
        {"call-sequence": {"rings": [RING], "expiration": 20, "withVoicemail": True}},
        ignored=("withVoicemail",),
        xml=b"<call-sequence><rings><ring><expiration>18</expiration><number>203</number></ring>"
        b"</rings><expiration>20</expiration></call-sequence>",
    ),
    Resource(
        "PUT",
        f"{MY}/callfwd",
        {"rings": [RING], "expiration": 20},
    ),
    Resource("POST", f"{MY}/callfwdsched", HOURS),
    Resource("PUT", f"{MY}/callfwdsched/{{schedule}}", HOURS | {"name": "Other"}),
    Resource(
        "POST",
        f"{MY}/phonebook",
        {"phonebook": {"entry": [ENTRY]}},
        xml=b"<phonebook><entry><first-name>A</first-name><last-name>B</last-name>"
        b"<number>1</number></entry></phonebook>",
    ),
    Resource(
        "POST",
        f"{MY}/phonebook/entry/0",
        {"entry": ENTRY | {"number": "2"}},
        xml=b"<entry><first-name>A</first-name><last-name>B</last-name><number>1</number></entry>",
    ),
    Resource(
        "PUT",
        f"{MY}/phonebook/entry/{{entry}}",
        {"entry": ENTRY | {"number": "3"}},
        xml=b"<entry><first-name>A</first-name><last-name>B</last-name><number>1</number></entry>",
    ),
    Resource(
        "PUT",
        f"{MY}/phonebookentry/x-1",
        {
            "pb": {
                "internalId": "x-1",
                "uid": "",
                "userName": "200",
                "vcard": "BEGIN:VCARD\nVERSION:3.0\nN:Park;Ada;;;\nFN:Ada Park\nTEL:1\nEND:VCARD",
            }
        },
        lines=("vcard",),
        ignored=("internalId",),
    ),
    Resource(
        "PUT",
        f"{MY}/contact-information",
        {
            "contact-information": CONTACT
            | {"firstName": "Ann", "lastName": "Lee", "timestamp": 5, "useBranchAddress": False}
            | {"twiterName": "a", "custom1": "c"}
        },
        ignored=("imId",),
        xml=b"<contact-information><firstName>A</firstName></contact-information>",
    ),
    Resource(
        "PUT",
        f"{MY}/conferences/mine",
        {"setting": SETTING},
        xml=b"<setting><enabled>true</enabled></setting>",
    ),
    Resource(
        "PUT",
        f"{MY}/speeddial",
        {"buttons": [{"label": "Ben", "number": "402", "blf": True}], "groupSpeedDial": False},
    ),
    Resource("PUT", f"{MY}/im/prefs", {"statusCallInfo": True, "otpMessage": "m"}),
    Resource("PUT", f"{MY}/imbot/prefs", {"confEnter": True, "vmBegin": False}),
    Resource("PUT", f"{MY}/faxprefs", {"extension": "77", "did": "78"}),
    Resource(
        "PUT",
        f"{MY}/vmprefs",
        {"greeting": "STANDARD", "email": "a@b.org", "altEmail": "c@d.org", "emailFormat": "FULL"},
    ),
    Resource(
        "PUT",
        f"{MY}/voicemail/attendant",
        {"depositVM": True, "operator": "200", "menu": {"1": "201"}, "language": "de"},
    ),
    Resource(
        "PUT",
        "/v1/users/me/forwarding",
        {
            "timer": 20,
            "do_not_disturb": False,
            "time_zone": "Europe/Berlin",
            "rings": [{"number": "203", "seconds": 5, "type": "if-no-response", "enabled": True}],
            "rules": [
                {"when": "busy", "caller": "internal", "action": "forward", "number": "204"}
                | {"seconds": 30, "only_on_holidays": "DE-BY", "enabled": True}
            ],
        },
    ),
    Resource(
        "POST",
        "/v1/users/me/schedules",
        {"name": "Nights", "periods": [{"day": "weekdays", "start": "20:00", "end": "24:00"}]},
        status=201,
    ),
    Resource(
        "PUT",
        "/v1/users/me/schedules/{schedule}",
        {"name": "Days", "periods": [{"day": "weekdays", "start": "20:00", "end": "24:00"}]},
    ),
    Resource(
        "POST",
        "/v1/users/me/forwarding/rehearsal",
        {"from": "+4930123", "at": "2026-12-24T18:00:00+01:00"},
        optional=True,
    ),
    Resource("POST", "/v1/users/me/tokens", {"label": "CRM"}, status=201),
    Resource("POST", "/v1/groups", GROUP, ADMIN, status=201),
    Resource("POST", "/v1/conferences", CONFERENCE, ADMIN, status=201),
    Resource(
        "PUT",
        "/v1/conferences/{conference}",
        CONFERENCE | {"name": "z", "extension": "5002"},
        ADMIN,
    ),
    Resource(
        "POST",
        "/v1/phonebooks",
        {"name": "sales", "description": "d", "members": ["sales"], "consumers": ["sales"]},
        ADMIN,
        status=201,
    ),
    Resource("POST", "/v1/phonebooks/{phonebook}/entries", {"entries": [V1_ENTRY]}, ADMIN),
    Resource("PUT", "/v1/phonebooks/{phonebook}/entries", {"entries": [V1_ENTRY]}, ADMIN),
    Resource(
        "PUT",
        "/v1/user-groups/sales/speed-dial",
        {"buttons": [{"label": "Ben", "number": "402", "blf": True}]},
        ADMIN,
    ),
    Resource(
        "PUT",
        f"{REST}/user",
        {
            "user": {
                "lastName": "Lee",
                "firstName": "Ann",
                "userName": "900",
                "pin": "longenough1",
                "sipPassword": "secret12345",
                "emailAddress": "a@b.org",
                "groups": {"group": [{"id": 1}]},
                "aliases": {"alias": [{"alias": "901"}]},
            }
        },
        ADMIN,
        status=201,
        xml=b"<user><userName>902</userName></user>",
    ),
    Resource(
        "PUT",
        f"{REST}/user/{{user}}",
        {"user": {"lastName": "Lee", "userName": "202", "pin": "longenough1"}},
        ADMIN,
        xml=b"<user><userName>202</userName></user>",
    ),
    Resource(
        "PUT",
        f"{REST}/user-group",
        {"group": {"name": "staff", "description": "d"}},
        ADMIN,
        status=201,
        xml=b"<group><name>staff</name></group>",
    ),
    Resource(
        "PUT",
        f"{REST}/branch",
        {"branch": {"name": "west", "description": "d", "address": ADDRESS, "phoneNumber": "1"}},
        ADMIN,
        status=201,
        xml=b"<branch><name>west</name></branch>",
    ),
    Resource(
        "PUT",
        f"{REST}/permission",
        {"permission": {"label": "Night", "description": "d", "defaultValue": False}},
        ADMIN,
        status=201,
        xml=b"<permission><label>Night</label></permission>",
    ),
    Resource(
        "PUT",
        f"{REST}/user-permission/{{user}}",
        {"user": {"permissions": [{"name": "Mobile", "value": "DISABLE"}]}},
        ADMIN,
    ),
    Resource(
        "PUT",
        f"{REST}/user-group-permission/1",
        {"group": {"permissions": [{"name": "Mobile", "value": "DISABLE"}]}},
        ADMIN,
    ),
    Resource("POST", f"{API}/orbits", ORBIT, ADMIN, xml=b"<Orbit><name>x</name></Orbit>"),
    Resource(
        "PUT",
        f"{API}/orbits/{{orbit}}",
        ORBIT | {"name": "y", "extension": "7002"},
        ADMIN,
        xml=b"<Orbit><name>x</name></Orbit>",
    ),
    Resource(
        "POST",
        f"{API}/schedules",
        {
            "name": "Watch",
            "description": "d",
            "userId": -1,
            "groupId": -1,
            "type": "G",
            "workingTime": {"workingHours": [WORKING | {"enabled": True}]},
        },
        ADMIN,
        ignored=("userId", "groupId"),
    ),
    Resource(
        "PUT",
        f"{API}/schedules/{{general}}",
        {
            "name": "Guard",
            "description": "d",
            "workingTime": {"workingHours": [WORKING | {"enabled": True}]},
        },
        ADMIN,
    ),
    Resource(
        "POST", f"{API}/schedules/{{general}}/period", WORKING | {"scheduledDay": "Sunday"}, ADMIN
    ),
    Resource("POST", f"{API}/orbits/servers/1", ORBIT | {"name": "w", "extension": "7003"}, ADMIN),
    Resource("POST", f"{API}/userGroups", {"name": "crew", "description": "d"}, ADMIN),
    Resource("PUT", f"{API}/userGroups/crew", {"name": "crew", "description": "e"}, ADMIN),
    Resource("POST", f"{API}/users", API_USER, ADMIN, ignored=("enabled",)),
    Resource("PUT", f"{API}/users/910", API_USER, ADMIN),
    Resource("PUT", f"{API}/users/202/settings", SETTINGS, ADMIN),
    Resource("PUT", f"{API}/userGroups/crew/settings", SETTINGS, ADMIN),
    Resource(
        "PUT",
        f"{REST}/user-group/{{group}}",
        {"group": {"name": "office", "description": "d"}},
        ADMIN,
        xml=b"<group><name>office</name></group>",
    ),
    Resource(
        "PUT",
        f"{REST}/branch/{{branch}}",
        {"branch": {"name": "south", "description": "d", "address": ADDRESS}},
        ADMIN,
        xml=b"<branch><name>south</name></branch>",
    ),
    Resource(
        "PUT",
        f"{REST}/permission/perm_1",
        {"permission": {"label": "Day", "description": "d", "defaultValue": True}},
        ADMIN,
        xml=b"<permission><label>Day</label></permission>",
    ),
    Resource(
        "PUT", "/v1/groups/{hunt}", GROUP | {"name": "h", "extension": "599", "did": "597"}, ADMIN
    ),
    Resource(
        "PUT",
        "/v1/phonebooks/{phonebook}",
        {"name": "clients", "description": "d", "members": ["sales"], "consumers": ["sales"]},
        ADMIN,
    ),
    Resource("POST", f"{API}/phones", PHONE, ADMIN),
    Resource("PUT", f"{API}/phones/{{phone}}", PHONE | {"serialNo": "0004f2000003"}, ADMIN),
    Resource("POST", f"{API}/phones/{{phone}}/lines", {"extension": "200"}, ADMIN),
    Resource(
        "POST",
        f"{REST}/phone",
        {
            "phones": {
                "phone": [
                    {"serialNumber": "0004f2000009", "model": "polycom550", "description": "d"}
                ]
            }
        },
        ADMIN,
    ),
    Resource("POST", "/v1/calls", {"number": "110", "flow": "offer"}, status=403),
]
