"""Every resource of sipXcom's interface is in the routes, or the list says why it is not."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

EXTENSION = Path(__file__).resolve().parent.parent / "docs" / "_ext" / "sipxcom_api.py"


@pytest.fixture(scope="module")
def extension() -> Any:
    """The part of the documentation that looks the list up in the routes."""
    spec = importlib.util.spec_from_file_location("sipxcom_api", EXTENSION)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sipxcom_api"] = module  # attrs looks for it there
    spec.loader.exec_module(module)
    return module


def test_what_is_in_no_route_says_why(extension) -> None:
    silent = [
        (state.resource.whole, state.missing)
        for state in extension.states()
        if state.missing and not state.resource.absent
    ]
    assert not silent


def test_what_is_in_a_route_is_not_said_to_be_absent(extension) -> None:
    """Whoever adds it takes ``absent`` out of docs/sipxcom.toml."""
    wrong = [
        state.resource.whole
        for state in extension.states()
        if state.resource.absent and not state.missing
    ]
    assert not wrong


def test_no_resource_is_listed_twice_and_none_of_a_user_is_forgotten(extension) -> None:
    listed = [extension.plain(each.whole) for each in extension.resources()]
    assert len(listed) == len(set(listed))
    begin = "/sipxconfig/rest/my/"
    unlisted = {path for _, path in extension.routes() if path.startswith(begin)} - set(listed)
    # Those without what has to follow, which are told so, or mean it to be empty.
    assert unlisted <= {
        "/sipxconfig/rest/my/conference/{}",
        "/sipxconfig/rest/my/voicemail/operator",
    }


def test_the_page_names_every_resource_with_its_state(extension) -> None:
    states = extension.states()
    page = extension.page(states)
    for state in states:
        assert f"\n   * - ``{state.resource.whole}``\n" in page
    assert {state.told for state in states} >= {"There", "501, with a sentence"}
    refused = {state.resource.path for state in states if state.refused}
    assert "rest/my/feed/voicemail/{folder}" in refused
    assert "rest/my/forward" not in refused
