"""Check what a command prints with ``--json`` against its published schema."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from zkwm.json_schemas import json_schema, schema_names


@cache
def validator(name: str) -> Draft202012Validator:
    """The validator of one schema, which is itself valid."""
    schema = json_schema(name)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def require_schema(value: Any) -> None:
    """Fail unless the object, and each object in it that names a schema of its own, is valid."""
    assert value["schema"] in schema_names(), f"no schema {value['schema']}: see CONTRIBUTING.md"
    _check(value)


def _check(value: Any) -> None:
    if isinstance(value, dict):
        if value.get("schema") in schema_names():
            problems = [
                f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
                for error in validator(value["schema"]).iter_errors(value)
            ]
            assert not problems, f"not of schema {value['schema']}: {problems}"
        for part in value.values():
            _check(part)
    elif isinstance(value, list):
        for part in value:
            _check(part)
