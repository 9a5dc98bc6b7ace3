"""Names of classes: what a label means, fixed before labels exist (SPEC.md 5.2, 6.1).

A commitment names its classes, the judge takes the names of the suspect's outputs from the suspect
itself, and equal names are the class map. Without names whoever proposes a map chooses one of
K!/(K-C)!, which ``map_bits`` charges.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence

from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import InvalidOpening, Malformed
from zkwm_protocols.evidence import class_map_bits
from zkwm_protocols.schema import require_list, require_text

MOST_NAMES = 65_535
MOST_CHARACTERS = 100
_CHECK = "challenge.class_map"


def folded(name: str) -> str:
    """The form in which names are compared: NFC, trimmed, case-folded, NFC again."""
    composed = unicodedata.normalize("NFC", name).strip()
    return unicodedata.normalize("NFC", composed.casefold())


def require_names(value: object) -> tuple[str, ...]:
    """A list or tuple of 2 to 65,535 different names of 1 to 100 printable characters.

    Raises Malformed; names that differ in case, spaces around them or composition alone are equal.
    """
    listed = require_list(list(value) if isinstance(value, tuple) else value, 2, MOST_NAMES)
    names = tuple(require_text(name, MOST_CHARACTERS) for name in listed)
    seen: dict[str, int] = {}
    for number, name in enumerate(names):
        key = folded(name)
        if not key:
            raise Malformed(f"class {number} has an empty name")
        if key in seen:
            raise Malformed(f"classes {seen[key]} and {number} have the same name: {name!r}")
        seen[key] = number
    return names


def names_digest(names: Sequence[str]) -> bytes:
    """The digest of class names in a header, 32 bytes (SPEC.md 5.2)."""
    return hashlib.sha256(b"zkwm-classes-1" + encode(list(names))).digest()


def map_of_equal_names(names: Sequence[str], suspect_names: Sequence[str]) -> tuple[int, ...]:
    """The suspect's output of the same name for each class.

    Raises InvalidOpening (``challenge.class_map``) where the suspect has no such name.
    """
    places = {folded(name): number for number, name in enumerate(suspect_names)}
    missing = [name for name in names if folded(name) not in places]
    if missing:
        raise InvalidOpening(
            f"the suspect has no output of the name {missing[0]!r}"
            + (f", nor of {len(missing) - 1} more committed classes" if missing[1:] else ""),
            hint="where the suspect names its classes in other words, leave its names out and give "
            "a class map: what a map can be chosen from is charged",
            check=_CHECK,
        )
    return tuple(places[folded(name)] for name in names)


def map_bits(
    class_map: Sequence[int], outputs: int, *, by_names: bool, numbered: bool = True
) -> int:
    """The bits that a class map costs (SPEC.md 8.2).

    Nothing where it follows from names, or is the identity of all outputs; else what choosing it
    freely would gain. The order of a list of names says nothing about labels, so that without
    committed names the identity of outputs that are not ``numbered`` is a choice too.
    """
    if by_names or (numbered and tuple(class_map) == tuple(range(outputs))):
        return 0
    return class_map_bits(outputs, len(class_map))
