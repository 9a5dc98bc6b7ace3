"""The log's API does what its own OpenAPI description says, whatever is asked (schemathesis)."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.log_server import served
from tests.support.logs import entries, memory_folder

EXAMPLES = 40


@schemathesis.serializer("application/cose")
def cose(_: Any, value: Any) -> bytes:
    """Whatever schemathesis makes up for a body of bytes."""
    return value.data if hasattr(value, "data") else str(value).encode("utf-8", "replace")


def test_the_api_does_what_its_description_says() -> None:
    with memory_folder() as folder, served(folder / "log") as log:
        log.log.append(entries(0, 3))
        schema = schemathesis.openapi.from_url(f"{log.url}/openapi.json")
        paths = []
        for found in schema.get_all_operations():
            operation = found.ok()
            paths.append(operation.path)

            @given(case=operation.as_strategy())
            @settings(
                max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            def check(case: Any) -> None:
                # no schema says which bytes are a statement
                left_out = [positive_data_acceptance] if case.method == "POST" else []
                case.call_and_validate(timeout=20, excluded_checks=left_out)

            check()
        listed = ["/v1/entries", "/v1/entries", "/v1/log"]
        assert sorted(paths) == [*listed, "/v1/proof/{digest}", "/v1/statement/{statement}"]
        assert log.log.row.size == 3
