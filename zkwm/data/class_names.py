"""Read names of classes: from a file of names, or as a model's own files tell them.

They give labels and outputs a meaning (SPEC.md 5.2, 6.1). Formats: one name a line, a JSON list, a
JSON object of numbers and names in either direction, Hugging Face's ``config.json`` (its
``id2label``), and TorchServe's ``index_to_name.json``. An ONNX file tells them in
``metadata_props``, as Ultralytics and others write them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from zkwm.data.onnx_metadata import metadata
from zkwm.files import read_limited
from zkwm_protocols.class_names import MOST_NAMES, require_names
from zkwm_protocols.errors import CouldNotCheck, Malformed

FILE_LIMIT = 32 * 2**20
_ENTRY = re.compile(r"""\s*(\d{1,6})\s*:\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*(?:,|$)""")
_KEYS = ("names", "classes", "class_names", "labels", "id2label")


def read_class_names(path: str | Path) -> tuple[str, ...]:
    """The names in a file, in order of their numbers. Raises Malformed or CouldNotCheck."""
    data = read_limited(path, FILE_LIMIT)
    try:
        return parse_class_names(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, Malformed) as error:
        why = error.message if isinstance(error, Malformed) else "not UTF-8"
        raise Malformed(
            f"{path} has no names of classes: {why}",
            hint="write one name a line, a JSON list of names, or a config.json with id2label",
        ) from None


def parse_class_names(text: str) -> tuple[str, ...]:
    """Names in one of the formats above. Raises Malformed."""
    if not text.lstrip().startswith(("[", "{")):
        lines = text.splitlines()
        while lines and not lines[-1].strip():
            lines.pop()
        return require_names([line.strip() for line in lines])
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed("neither lines nor JSON") from None
    return _names_of(value)


def names_beside(model: str | Path) -> tuple[str, ...] | None:
    """The names that a model's own file, or the ``config.json`` beside it, tells; else None.

    Names that are none (empty, or equal) tell nothing.
    """
    path = Path(model)
    if not path.exists():  # an endpoint
        return None
    if path.suffix == ".onnx" and (names := _onnx_names(path)) is not None:
        return names
    config = (path if path.is_dir() else path.parent) / "config.json"
    if not config.is_file():
        return None
    try:
        value = json.loads(read_limited(config, FILE_LIMIT))
        return _names_of(value) if isinstance(value, dict) and "id2label" in value else None
    except (ValueError, RecursionError, Malformed, CouldNotCheck):
        return None


def _names_of(value: object) -> tuple[str, ...]:
    """Names of a JSON value. Raises Malformed."""
    if isinstance(value, dict) and isinstance(value.get("id2label"), dict):
        value = value["id2label"]
    if isinstance(value, list):
        return require_names(value)
    if not isinstance(value, dict) or not 2 <= len(value) <= MOST_NAMES:
        raise Malformed("neither a list nor an object of names")
    if all(type(number) is int for number in value.values()):
        pairs = {number: name for name, number in value.items()}
    else:
        pairs = {int(key): _last(name) for key, name in value.items() if _is_number(key)}
    if sorted(pairs) != list(range(len(value))):
        raise Malformed("its numbers are not 0, 1, 2, ..., each once")
    return require_names([pairs[number] for number in range(len(value))])


def _last(name: object) -> object:
    """The name in an entry of TorchServe's ``index_to_name.json``: text, or the last in a list."""
    return name[-1] if isinstance(name, list) and name else name


def _is_number(key: object) -> bool:
    """Whether a key is a small whole number, as text."""
    return isinstance(key, str) and key.isascii() and key.isdigit() and len(key) <= 6


def _onnx_names(path: Path) -> tuple[str, ...] | None:
    """The names in an ONNX file's ``metadata_props``, or None."""
    found = metadata(path)
    for key in _KEYS:
        text = found.get(key, "").strip()
        try:
            return _names_of(_value_of(text))
        except Malformed:
            continue
    return None


def _value_of(text: str) -> object:
    """The value of a text in ``metadata_props``: JSON, Python's {0: 'cat'}, or names with commas.

    Ultralytics writes a Python dictionary; it is matched entry by entry, never evaluated.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if not text.startswith("{"):
        return [part.strip() for part in text.split(",")]
    inner = text[1:-1].strip() if text.endswith("}") else ""
    entries, place = {}, 0
    while place < len(inner):
        match = _ENTRY.match(inner, place)
        if match is None:
            raise Malformed("not names of classes")
        entries[match[1]] = match[2] if match[2] is not None else match[3]
        place = match.end()
    return entries
