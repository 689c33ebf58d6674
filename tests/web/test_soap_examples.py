"""The examples of the documentation are taken by the services, one after the other."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest_twisted
from lxml import etree
from soapkit import ADMIN, ask

from sipxd.web.soap.schema import load

ensure = pytest_twisted.ensureDeferred

EXTENSION = Path(__file__).parents[2] / "docs" / "_ext" / "soap_api.py"
REFUSED = ("resetServices",)
"""Operations that this daemon is not configured for."""


def extension() -> Any:
    """The part of the documentation that writes the page."""
    spec = importlib.util.spec_from_file_location("soap_api", EXTENSION)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@ensure
async def test_every_example_is_taken(house):
    description, examples = load(), extension()
    branch = {"branch": {"name": "Harbour"}}
    assert (await house.send("PUT", "/sipxconfig/rest/branch", branch, ADMIN)).status == 201
    services = sorted(description.ports, key=lambda name: name != "UserService")  # users first
    for service in services:
        for operation in dict.fromkeys(description.ports[service].values()):
            request = examples.example(description, operation.input, request=True)
            answer = await ask(house, service, etree.tostring(request))
            taken = operation.name not in REFUSED
            assert answer.status == (200 if taken else 500), (operation.name, answer.body)
