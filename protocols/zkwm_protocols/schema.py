"""Type and size checks of decoded fields, which every reader of a zkwm file makes.

Each function returns its argument, typed, or raises Malformed; nothing is converted, except to a
member of an enum.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, TypeVar

from zkwm_protocols.errors import Malformed

Choice = TypeVar("Choice", bound=StrEnum)

_NOT_PRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Controls, separators, invisible characters, changes of writing direction (SPEC.md 3.2)."""


def require_map(value: object, keys: str, what: str) -> dict[str, Any]:
    """A map with exactly the keys that ``keys`` lists, separated by spaces."""
    if not isinstance(value, dict):
        raise Malformed(f"{what}: a map was expected")
    expected = set(keys.split())
    if set(value) != expected:
        wrong = sorted(set(value) ^ expected)
        raise Malformed(f"{what}: missing or unknown field {wrong[0][:40]!r}")
    return value


def require_list(value: object, least: int, most: int) -> list[Any]:
    """A list of ``least`` to ``most`` items."""
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise Malformed(f"a list of {least} to {most} items was expected")
    return value


def require_integer(value: object, most: int, least: int = 0) -> int:
    """An integer from ``least`` to ``most``; a boolean is not one."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Malformed(f"an integer from {least} to {most} was expected")
    return value


def require_constants(fields: dict[str, Any], constants: dict[str, str | int], what: str) -> None:
    """Each field of ``constants`` has exactly the value given there; ``true`` is not 1."""
    for key, value in constants.items():
        if type(fields[key]) is not type(value) or fields[key] != value:
            raise Malformed(f"not {what}: its field {key!r} is another")


def require_choice(value: object, choices: type[Choice], what: str) -> Choice:
    """The member of ``choices`` with this value."""
    for choice in choices:
        if value == choice:
            return choice
    raise Malformed(f"{what}: expected {' or '.join(map(repr, map(str, choices)))}")


def require_boolean(value: object) -> bool:
    """A boolean."""
    if not isinstance(value, bool):
        raise Malformed("true or false was expected")
    return value


def require_bytes(value: object, length: int | None = None) -> bytes:
    """A byte string, of exactly ``length`` bytes where that is given."""
    if not isinstance(value, bytes) or (length is not None and len(value) != length):
        size = "" if length is None else f" of {length} bytes"
        raise Malformed(f"a byte string{size} was expected")
    return value


def require_optional_bytes(value: object, length: int | None = None) -> bytes | None:
    """A byte string as ``require_bytes`` demands, or null."""
    return None if value is None else require_bytes(value, length)


def require_text(value: object, most: int) -> str:
    """Printable text of at most ``most`` code points (SPEC.md 3.2).

    A fixed list says which code points are refused, not a version of Unicode, so that two readers
    never disagree about a file.
    """
    if not isinstance(value, str) or len(value) > most or _NOT_PRINTABLE.search(value):
        raise Malformed(f"printable text of at most {most} characters was expected")
    return value
