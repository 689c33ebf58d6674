"""The contract is valid, is what is served, and is kept by the live server."""

from __future__ import annotations

from importlib import resources

import pytest
import pytest_twisted
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator
from twisted.internet.threads import deferToThread

ensure = pytest_twisted.ensureDeferred


@pytest.fixture
def contract():
    text = resources.files("sipxd.web.v1").joinpath("openapi.yaml").read_text("utf-8")
    return yaml.safe_load(text)


def test_the_contract_is_valid_openapi_3_1(contract) -> None:
    assert contract["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(contract).validate()


@ensure
async def test_the_contract_is_served_and_names_every_route(door, contract):
    answer = await door.request("GET", "/v1/openapi.yaml", user=None)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/yaml")
    assert yaml.safe_load(answer.body) == contract
    routes = set()
    for rule in door.site.resource._app.url_map.iter_rules():
        path = rule.rule.replace("<text:number>", "{number}").replace("<call_id>", "{id}")
        routes |= {(path, method.lower()) for method in rule.methods - {"HEAD"}}
    written = {
        (path, method)
        for path, operations in contract["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert routes == written


@ensure
async def test_the_live_server_keeps_the_contract(door, contract):
    def play() -> int:
        import schemathesis
        from hypothesis import HealthCheck, Phase, given, settings
        from schemathesis.checks import not_a_server_error
        from schemathesis.specs.openapi.checks import (
            content_type_conformance,
            response_headers_conformance,
            response_schema_conformance,
            status_code_conformance,
            unsupported_method,
        )

        schema = schemathesis.openapi.from_dict(contract)
        checks = [
            not_a_server_error,
            content_type_conformance,
            response_headers_conformance,
            response_schema_conformance,
            status_code_conformance,
            unsupported_method,
        ]
        played = 0
        for result in schema.get_all_operations():
            operation = result.ok()
            strategy = operation.as_strategy()

            @settings(
                max_examples=12,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=strategy)
            def run(case) -> None:
                nonlocal played
                played += 1
                case.call_and_validate(
                    base_url=f"https://127.0.0.1:{door.port}",
                    verify=door.pem,
                    auth=("superadmin", "superadmin" * 2),
                    checks=checks,
                )

            run()
        return played

    assert await deferToThread(play) >= 50
    assert door.calls.records
