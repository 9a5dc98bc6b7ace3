"""JSON documents of a case archive: one encoding each, and every other refused (SPEC.md 20.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from zkwm_protocols.errors import Malformed, Unsupported


def encode_document(schema: str, fields: Mapping[str, Any]) -> bytes:
    """The one encoding of these fields: ASCII, indented by two spaces, the schema first."""
    value = {"schema": schema, **fields}
    return (json.dumps(value, indent=2, ensure_ascii=True) + "\n").encode()


def decode_document(data: bytes, schema: str, *, what: str, limit: int) -> dict[str, Any]:
    """Read an object of this schema; that its encoding is the one is for the caller to see.

    Raises Malformed, which calls it ``what``, also for more than ``limit`` bytes; Unsupported for
    another schema.
    """
    broken = Malformed(f"{what} is not of its format")
    if len(data) > limit:
        raise Malformed(f"{what} has more than {limit:,} bytes")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise broken from None
    if not isinstance(value, dict):
        raise broken
    if value.get("schema") != schema:
        raise Unsupported(
            f"{what} is not of the schema {schema}",
            hint="check the archive with the release of zkwm that packed it",
        )
    return value
