"""The OpenAPI description: what the routes say of themselves, and every error as it really is."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from zkwm.transparency_log.http_server import PROBLEM_TYPE
from zkwm.transparency_log.problem_details import SCHEMA

_WRITES = ("400", "408", "413")
_KEYS = ("401", "403", "429")
_READS = ("422", "503")
_OFTEN = "429"
"""Of whatever is read: ``zkwm.transparency_log.readers``."""
_NEVER_NEEDED = ("HTTPValidationError", "ValidationError")
_REFERENCE = {"$ref": "#/components/schemas/Problem"}


def describe(app: FastAPI) -> None:
    """Make the app's description complete."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        known = app.openapi_schema is not None
        found = made()
        if not known:
            _complete(found)
        return found

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(description: dict[str, Any]) -> None:
    """Add every error to every operation."""
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    for name in _NEVER_NEEDED:
        schemas.pop(name, None)
    schemas["Problem"] = SCHEMA
    for method, operation in _operations(description):
        responses = operation["responses"]
        wanted = {*_READS, *(_WRITES if "requestBody" in operation else ())}
        if "security" in operation:
            wanted |= set(_KEYS)
        if method == "get":
            wanted.add(_OFTEN)
        for status in {*wanted, *(one for one in responses if one >= "400")}:
            _tell(responses, status)
        operation["responses"] = dict(sorted(responses.items()))


def _tell(responses: dict[str, Any], status: str) -> None:
    """An error of an operation: its content, and headers that come with it."""
    told = responses.setdefault(status, {})
    if told.get("description", "Validation Error") in ("Validation Error", "Additional Response"):
        told["description"] = HTTPStatus(int(status)).phrase
    told.setdefault("description", HTTPStatus(int(status)).phrase)
    told["content"] = {PROBLEM_TYPE: {"schema": _REFERENCE}}
    header = {"401": "WWW-Authenticate", "429": "Retry-After"}.get(status)
    if header is not None:
        told["headers"] = {header: {"schema": {"type": "string"}, "required": True}}


def _operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All operations, each with its method."""
    for path in description["paths"].values():
        yield from path.items()
