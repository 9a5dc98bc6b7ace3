"""Write docs/json-outputs.md from the JSON Schemas: ``python docs/json_outputs.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zkwm.json_schemas import json_schema, schema_names

PAGE = Path(__file__).parent / "json-outputs.md"
FOLDER = "../zkwm/json_schemas"


def page() -> str:
    """The whole page."""
    rows = "\n".join(_row(name) for name in schema_names())
    parts = "\n".join(_section(name) for name in schema_names())
    return f"""# JSON outputs

Every command takes `--json` and then prints one JSON object on stdout, errors included.
Its field `schema` names the JSON Schema (draft 2020-12) that describes it.
This page is written by `docs/json_outputs.py` from the schemas.

| schema | what | file |
|---|---|---|
{rows}

The schemas are part of the package:

<!-- not run: it needs an output -->
```python
import json, subprocess, jsonschema, zkwm

printed = subprocess.run(["zkwm", "inspect", "acme.commitment", "--json"], capture_output=True)
value = json.loads(printed.stdout)
jsonschema.validate(value, zkwm.json_schema(value["schema"]))
```

Every object is closed: it has no other fields than those of its schema.
A version keeps its fields; one that goes or changes its meaning makes a new version.
{parts}
"""


def _row(name: str) -> str:
    """A schema with its file."""
    file = name.removeprefix("zkwm/").replace("/", "-") + ".json"
    return f"| `{name}` | {json_schema(name)['title']} | [{file}]({FOLDER}/{file}) |"


def _section(name: str) -> str:
    """The fields of one schema."""
    schema = json_schema(name)
    rows = [
        f"| `{field}` | {_type(value, schema)} | {_meaning(value, schema)} |"
        for field, value in schema["properties"].items()
        if field != "schema"
    ]
    return "\n".join([f"\n## {name}\n", "| field | type | meaning |", "|---|---|---|", *rows])


def _target(value: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """What a reference refers to."""
    name = value.get("$ref", "").rpartition("/")[2]
    target: dict[str, Any] = schema["$defs"][name] if name else value
    return target


def _type(value: dict[str, Any], schema: dict[str, Any]) -> str:
    """The type of a field in a few words."""
    if "anyOf" in value:
        return " or ".join(_type(one, schema) for one in value["anyOf"])
    if "$ref" in value:
        target = _target(value, schema)
        plain = target.get("type") == "string"
        return value["$ref"].rpartition("/")[2] if plain else _type(target, schema)
    if "enum" in value:
        return ", ".join(f"`{one}`" for one in value["enum"])
    if "const" in value:
        return f"`{value['const']}`".lower()
    types = value["type"] if isinstance(value["type"], list) else [value["type"]]
    if "items" in value:
        types = [f"array of {_type(value['items'], schema)}", *types[1:]]
    if "properties" in value:
        types = [f"object: {', '.join(f'`{name}`' for name in value['properties'])}", *types[1:]]
    return " or ".join(types)


def _meaning(value: dict[str, Any], schema: dict[str, Any]) -> str:
    """The description of a field, or of what it refers to."""
    for one in (value, _target(value, schema), *value.get("anyOf", ())):
        if text := one.get("description") or _target(one, schema).get("description"):
            return str(text)
    return ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
