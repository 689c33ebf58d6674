"""The contract is valid, is what is served, and is kept by the live server."""

from __future__ import annotations

import re
from collections import Counter
from importlib import resources

import pytest
import pytest_twisted
import yaml
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from twisted.internet.threads import deferToThread

from sipxd.xml import parse_xml

ensure = pytest_twisted.ensureDeferred


@pytest.fixture
def contract():
    text = resources.files("sipxd.web.v1").joinpath("openapi.yaml").read_text("utf-8")
    return yaml.safe_load(text)


def test_the_contract_is_valid_openapi_3_1(contract) -> None:
    assert contract["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(contract).validate()


def test_the_contract_needs_no_more_than_plain_yaml() -> None:
    """Merged keys are of YAML 1.1, and half of the tools know them no more."""
    assert "<<" not in resources.files("sipxd.web.v1").joinpath("openapi.yaml").read_text("utf-8")


def test_every_example_is_what_its_schema_says(contract) -> None:
    seen = 0
    for content in contents(contract):
        for name, media in content.items():
            schema = {**media.get("schema", {}), "components": contract["components"]}
            for example in media.get("examples", {}).values():
                value = resolve(contract, example)["value"]
                if name == "text/xml":
                    parse_xml(value.encode())
                else:
                    OAS31Validator(schema).validate(value)
                seen += 1
    assert seen >= 15


def contents(node):
    """Every content below ``node``."""
    if isinstance(node, dict):
        if isinstance(node.get("content"), dict):
            yield node["content"]
        for inner in node.values():
            yield from contents(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from contents(inner)


def resolve(contract, node):
    """What a reference leads to, else ``node`` itself."""
    for step in node.get("$ref", "").split("/")[1:]:
        contract = contract[step]
    return contract if "$ref" in node else node


@ensure
async def test_the_contract_is_served_and_names_every_route(door, contract):
    answer = await door.request("GET", "/v1/openapi.yaml", user=None)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/yaml")
    assert yaml.safe_load(answer.body) == contract
    routes = set()
    for rule in door.site.resource._app.url_map.iter_rules():
        path = re.sub(r"<(?:text:)?(?:[a-z]+_)?([a-z]+)>", r"{\1}", rule.rule)
        routes |= {(path, method.lower()) for method in rule.methods - {"HEAD"}}
    written = {
        (path, method)
        for path, operations in contract["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert written <= routes
    # What sipXcom has is described where sipXcom is; of that, what is in more than one form here.
    missing = {(path, method) for path, method in routes - written if "/sipxconfig/" not in path}
    assert not missing
    tried = {path for path, _ in routes if path.startswith("/sipxconfig/rest/my/")}
    assert not {path for path in tried - set(contract["paths"]) if "/call" in path[20:25]}


CALLS = {"click-to-call", "calls", "tokens", "service"}
"""What is tried before calls in memory; the rest before the whole daemon."""


@ensure
async def test_the_live_server_keeps_the_contract_of_calls(door, contract):
    tried = await deferToThread(play, door, contract, lambda tags: tags <= CALLS)
    assert sum(tried.values()) >= 50
    assert door.calls.records


@ensure
async def test_the_live_server_keeps_the_contract_of_forwarding(house, contract):
    tried = await deferToThread(play, house, contract, lambda tags: not tags <= CALLS)
    # Each operation did what it is for, besides refusing what is wrong.
    assert {status for _, status in tried} >= {200, 201, 204, 400, 403, 404}
    done = {operation for operation, status in tried if status < 300}
    assert done >= {
        "get_forwarding",
        "put_forwarding",
        "post_rehearsal",
        "get_schedules",
        "get_groups",
        "post_group",
        "get_sipxcom_forward",
        "put_sipxcom_forward",
        "get_sipxcom_callfwd",
        "put_sipxcom_callfwd",
        "get_sipxcom_schedules",
    }


def play(client, contract, wanted) -> Counter[tuple[str, int]]:
    """How often each wanted operation was answered with which status."""
    import schemathesis

    tried: Counter[tuple[str, int]] = Counter()
    for result in schemathesis.openapi.from_dict(contract).get_all_operations():
        operation = result.ok()
        if wanted(set(operation.tags)):
            for status in statuses(client, operation):
                tried[operation.definition.raw["operationId"], status] += 1
    return tried


def statuses(client, operation) -> list[int]:
    """What the requests that an operation describes are answered with."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
        unsupported_method,
    )

    found = []

    @settings(
        max_examples=12,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(*operation.get_strategies_from_examples(), operation.as_strategy()))
    def run(case) -> None:
        answer = case.call_and_validate(
            base_url=f"https://127.0.0.1:{client.port}",
            verify=client.pem,
            auth=("superadmin", "superadmin" * 2),
            checks=[
                not_a_server_error,
                content_type_conformance,
                response_headers_conformance,
                response_schema_conformance,
                status_code_conformance,
                unsupported_method,
            ],
        )
        found.append(answer.status_code)

    run()
    return found
