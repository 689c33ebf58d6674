"""What is known of phones by the name that they give themselves (User-Agent, Server).

Plain data.  What a phone shows only by refusing it is not here: that is learned while it happens
(`sipxd.service.phones`).
"""

from __future__ import annotations

import attrs

from sipxd.sip.message import Header


@attrs.frozen
class Profile:
    """One kind of phone. ``{domain}`` in a header value stands for ours."""

    name: str
    """What the User-Agent contains, in lower case."""
    auto_answer: tuple[Header, ...] = ()
    """Headers of an INVITE that ask the phone to answer by itself."""
    replaces_keys: bool = True
    """Whether it takes a new SDES key of the far side within a dialog."""
    md5_only: bool = False
    """Whether it gives up where it is challenged for another algorithm beside MD5."""


# RFC 3261 sections 20.4 and 20.9 want a URI in angle brackets in both; phones look at the parameter
# behind it only.  The old spellings without a URI ("Ring Answer") are no valid headers.
_CALL_INFO: Header = ("Call-Info", "<sip:{domain}>;answer-after=0")
_ALERT_INFO: Header = ("Alert-Info", "<http://{domain}>;info=alert-autoanswer")
_ANSWER_MODE: Header = ("Answer-Mode", "Auto")  # RFC 5373 section 4.1

UNKNOWN = Profile("", auto_answer=(_CALL_INFO,))
"""Any phone without a profile. Without Alert-Info: some would fetch a ringing tone from its URI."""

PROFILES = (
    Profile("aastra", (_CALL_INFO, _ALERT_INFO)),
    Profile("audiocodes", (_CALL_INFO, _ALERT_INFO)),
    Profile("baresip", (_CALL_INFO, _ALERT_INFO, _ANSWER_MODE), replaces_keys=False, md5_only=True),
    Profile("cisco", (_CALL_INFO,)),
    Profile("fanvil", (_CALL_INFO, _ALERT_INFO)),
    Profile("gigaset", (_CALL_INFO, _ALERT_INFO)),
    Profile("grandstream", (_CALL_INFO, _ALERT_INFO)),
    Profile("linksys", (_CALL_INFO,)),
    Profile("linphone", (_CALL_INFO, _ANSWER_MODE)),
    Profile("mitel", (_CALL_INFO, _ALERT_INFO)),
    Profile("openstage", (_ALERT_INFO,)),
    Profile("polycom", (_ALERT_INFO,)),
    Profile("polyedge", (_ALERT_INFO,)),
    Profile("snom", (_CALL_INFO, _ALERT_INFO)),
    Profile("yealink", (_CALL_INFO, _ALERT_INFO)),
)


def profile_of(user_agent: str) -> Profile:
    """The profile of phones that call themselves ``user_agent``."""
    lower = user_agent.lower()
    return next((profile for profile in PROFILES if profile.name in lower), UNKNOWN)


def auto_answer(user_agent: str, domain: str) -> tuple[Header, ...]:
    """The headers that ask such a phone to answer by itself; for a call that its user wants."""
    return tuple(
        (name, value.replace("{domain}", domain))
        for name, value in profile_of(user_agent).auto_answer
    )
