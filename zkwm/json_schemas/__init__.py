"""JSON Schemas (draft 2020-12) of everything that the command line prints with ``--json``.

One file for each schema, ``zkwm/verdict/v1`` in ``verdict-v1.json``. Every object is closed, so a
new field needs its line here; a field that goes or changes needs a new version.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from zkwm_protocols.errors import UsageError


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of this id, which is the field ``schema`` of what it describes.

    ::

        jsonschema.validate(value, zkwm.json_schema(value["schema"]))

    Args:
        name: such as ``zkwm/verdict/v1``; ``schema_names`` has all.

    Raises:
        UsageError: there is no such schema.
    """
    if name not in schema_names():
        raise UsageError(
            f"there is no schema {name!r}", hint=f"the schemas are {', '.join(schema_names())}"
        )
    _, kind, version = name.split("/")
    path = files(__name__) / f"{kind}-{version}.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def schema_names() -> tuple[str, ...]:
    """The ids of all schemas, in alphabetical order."""
    stems = [path.name.removesuffix(".json") for path in files(__name__).iterdir()]
    kinds = sorted(stem.rpartition("-") for stem in stems if stem.rpartition("-")[2][:1] == "v")
    return tuple(f"zkwm/{kind}/{version}" for kind, _, version in kinds)
