"""The registry does what its OpenAPI description says, with and without a key (schemathesis)."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.registry_server import Served

EXAMPLES = 5


@schemathesis.serializer("application/cose", "application/octet-stream")
def file(_: Any, value: Any) -> bytes:
    """Whatever schemathesis makes up for a body of bytes."""
    return value.data if hasattr(value, "data") else str(value).encode("utf-8", "replace")


@pytest.mark.slow
@pytest.mark.parametrize("authenticated", [False, True])
def test_the_api_does_what_its_description_says(plain: Served, authenticated: bool) -> None:
    schema = schemathesis.openapi.from_url(f"{plain.url}/openapi.json")
    headers = {}
    if authenticated:
        headers["Authorization"] = f"Bearer {plain.caller('market.example').key}"
    count = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        count += 1

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def check(case: Any) -> None:
            # no schema says which bytes are a signed file, nor which digests are known
            left_out = [positive_data_acceptance]
            case.call_and_validate(timeout=20, excluded_checks=left_out, headers=headers)

        check()
    assert count >= 20


def test_every_operation_tells_its_errors(plain: Served) -> None:
    description = plain.caller().get("/openapi.json").json
    for path, operations in description["paths"].items():
        for operation in operations.values():
            told = {status for status in operation["responses"] if status >= "400"}
            assert {"422", "503"} <= told, path
            if "security" in operation:
                assert {"401", "403", "429"} <= told, path
            if "requestBody" in operation:
                assert {"400", "408", "413"} <= told, path
            for status in told:
                assert list(operation["responses"][status]["content"]) == [
                    "application/problem+json"
                ]
    assert "HTTPValidationError" not in description["components"]["schemas"]
