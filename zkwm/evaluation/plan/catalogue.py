"""All watermarks, attacks and claims that there are, as a list; and whether a grid's can be made.

The classes are loaded from the tables of ``zkwm.watermarks`` and ``zkwm.attacks``, which imports
torch.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from zkwm.attacks import ATTACKS, CLAIMS
from zkwm.evaluation.plan.grid import Entry, Grid
from zkwm.registry import load_class, make, parameters_of
from zkwm.watermarks import WATERMARKS
from zkwm_protocols.errors import UsageError

KINDS: dict[str, tuple[str, Mapping[str, str]]] = {
    "watermarks": ("watermark", WATERMARKS),
    "attacks": ("attack", ATTACKS),
    "claims": ("claim", CLAIMS),
}
"""The lists of a grid, and where each kind is found."""


def described() -> dict[str, list[dict[str, Any]]]:
    """Every watermark, attack and claim: name, paper, access or needs, parameters and defaults."""
    return {
        kind: [_described(word, table, name) for name in table]
        for kind, (word, table) in KINDS.items()
    }


def entry_class(kind: str, entry: Entry) -> type[Any]:
    """The class that an entry of the list ``kind`` names. Raises UsageError."""
    word, table = KINDS[kind]
    found: type[Any] = load_class(table, word, entry.name)
    return found


def entry_object(kind: str, entry: Entry) -> Any:  # noqa: ANN401
    """The scheme, attack or claim of an entry of the list ``kind``. Raises UsageError."""
    word, table = KINDS[kind]
    return make(table, word, entry.name, entry.parameters)


def require_makeable(grid: Grid) -> None:
    """Raise UsageError, with its place, for a name or parameter that does not exist."""
    for kind, entries in grid.lists.items():
        for i, entry in enumerate(entries):
            try:
                entry_object(kind, entry)
            except UsageError as error:
                raise UsageError(f"{kind}[{i}]: {error.message}", hint=error.hint) from None


def _described(word: str, table: Mapping[str, str], name: str) -> dict[str, Any]:
    found = load_class(table, word, name)
    more = {key: getattr(found, key) for key in ("access", "needs") if hasattr(found, key)}
    summary = (sys.modules[found.__module__].__doc__ or "").strip().partition("\n")[0]
    return {
        "name": name,
        "summary": summary,
        "paper": found.paper,
        **more,
        "parameters": parameters_of(found),
    }
