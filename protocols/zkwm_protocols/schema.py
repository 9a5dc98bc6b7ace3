"""Type and size checks of decoded fields, which every reader of a zkwm file makes.

Each function returns its argument, typed, or raises Malformed; nothing is converted, except to a
member of an enum.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, TypeVar

from zkwm_protocols.errors import Malformed, Unsupported

Choice = TypeVar("Choice", bound=StrEnum)

NOT_PRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Controls, separators, invisible characters, changes of writing direction (SPEC.md 3.2)."""


def require_map(value: object, keys: str, what: str) -> dict[str, Any]:
    """A map with exactly the keys that ``keys`` lists, separated by spaces."""
    if not isinstance(value, dict):
        raise Malformed(f"{what}: expected a map, got {_name(value)}")
    expected = set(keys.split())
    if set(value) != expected:
        wrong = sorted(set(value) ^ expected)
        raise Malformed(f"{what}: missing or unknown field {wrong[0][:40]!r}")
    return value


def require_list(value: object, least: int, most: int) -> list[Any]:
    """A list of ``least`` to ``most`` items."""
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise Malformed(f"expected a list of {least} to {most} items, got {_name(value)}")
    return value


def require_integer(value: object, most: int, least: int = 0) -> int:
    """An integer from ``least`` to ``most``; a boolean is not one."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Malformed(f"expected an integer from {least} to {most}, got {_name(value)}")
    return value


def require_constants(fields: dict[str, Any], constants: dict[str, str | int], what: str) -> None:
    """Each field of ``constants`` has exactly the value given there; ``true`` is not 1."""
    for key, value in constants.items():
        if type(fields[key]) is not type(value) or fields[key] != value:
            raise Malformed(f"not {what}: its field {key!r} has another value")


def refuse_earlier(value: object, kind: str, version: int, what: str) -> None:
    """Raise Unsupported for a map of type ``kind`` and a version before ``version``."""
    if not isinstance(value, dict) or value.get("type") != kind:
        return
    found = value.get("version")
    if type(found) is int and 1 <= found < version:
        raise Unsupported(
            f"{what} of version {found}, made by an earlier release of zkwm; this one reads "
            f"version {version}",
            hint="have it made anew with this release, or use the earlier one that wrote it",
        )


def require_choice(value: object, choices: type[Choice], what: str) -> Choice:
    """The member of ``choices`` with this value."""
    for choice in choices:
        if value == choice:
            return choice
    raise Malformed(f"{what}: expected {' or '.join(map(repr, map(str, choices)))}")


def require_boolean(value: object) -> bool:
    """A boolean."""
    if not isinstance(value, bool):
        raise Malformed(f"expected true or false, got {_name(value)}")
    return value


def require_bytes(value: object, length: int | None = None) -> bytes:
    """A byte string, of exactly ``length`` bytes where that is given."""
    if not isinstance(value, bytes) or (length is not None and len(value) != length):
        size = "" if length is None else f" of {length} bytes"
        raise Malformed(f"expected a byte string{size}, got {_name(value)}")
    return value


def require_optional_bytes(value: object, length: int | None = None) -> bytes | None:
    """A byte string as ``require_bytes`` demands, or null."""
    return None if value is None else require_bytes(value, length)


def require_text(value: object, most: int) -> str:
    """Printable text of at most ``most`` code points (SPEC.md 3.2).

    A fixed list says which code points are refused, not a version of Unicode, so that two readers
    never disagree about a file.
    """
    if not isinstance(value, str) or len(value) > most or NOT_PRINTABLE.search(value):
        raise Malformed(f"expected printable text of at most {most} characters, got {_name(value)}")
    return value


def _name(value: object) -> str:
    """The type and size of a value, for messages; never its content."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return f"the integer {value}" if abs(value) < 2**64 else "a larger integer"
    for kind, name in ((bytes, "bytes"), (str, "characters"), (list, "items"), (dict, "fields")):
        if isinstance(value, kind):
            return f"{len(value)} {name}"
    return f"a value of type {type(value).__name__}"
