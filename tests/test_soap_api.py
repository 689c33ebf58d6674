"""The examples of the documentation are what the WSDL says, and the services take them."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from sipxd.web.soap.envelope import read_message
from sipxd.web.soap.schema import Operation, load
from sipxd.web.soap.values import read

EXTENSION = Path(__file__).resolve().parent.parent / "docs" / "_ext" / "soap_api.py"
DESCRIPTION = load()
OPERATIONS = {
    operation.name: operation for port in DESCRIPTION.ports.values() for operation in port.values()
}


@pytest.fixture(scope="module")
def extension() -> Any:
    """The part of the documentation that writes the page."""
    spec = importlib.util.spec_from_file_location("soap_api", EXTENSION)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_examples_are_what_the_wsdl_says(extension, operation: Operation) -> None:
    request = extension.example(DESCRIPTION, operation.input, request=True)
    message = asyncio.run(read_message(etree.tostring(request), lambda: asyncio.sleep(0)))
    if operation.input is None:
        assert message.element is None
    else:
        assert message.element is not None
        assert read(DESCRIPTION, operation.input, message.element)
    answer = extension.example(DESCRIPTION, operation.output, request=False)
    for element in answer[0]:
        DESCRIPTION.strict.assertValid(element)
    assert len(answer[0]) == (operation.output is not None)


def test_the_page_has_every_service_operation_and_type(extension) -> None:
    page = extension.page()
    for name in (*DESCRIPTION.ports, *OPERATIONS):
        assert f"\n{name}\n" in page
    for name in ("User", "UserRing", "Property", "ArrayOfPhones"):
        assert f"\n{name}\n{'~' * len(name)}\n" in page
