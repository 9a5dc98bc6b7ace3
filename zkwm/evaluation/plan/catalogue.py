"""The catalogue of watermarks, attacks and claims; and whether a grid's entries exist.

The classes are loaded from the tables of ``zkwm.watermarks`` and ``zkwm.attacks``, which imports
torch.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from zkwm.attacks import ATTACKS, CLAIMS
from zkwm.evaluation.plan.grid import Entry, Grid
from zkwm.named_classes import load_class, make, parameters_of
from zkwm.watermarks import WATERMARKS
from zkwm_protocols.errors import UsageError

KINDS: dict[str, tuple[str, Mapping[str, str]]] = {
    "watermarks": ("watermark", WATERMARKS),
    "attacks": ("attack", ATTACKS),
    "claims": ("claim", CLAIMS),
}
"""For each list of a grid: the word for one of its entries, and the table of classes."""


def described() -> dict[str, list[dict[str, Any]]]:
    """Every watermark, attack and claim, as ``zkwm evaluate --list`` prints them.

    Each has name, summary, paper, access or needs, and parameters with their defaults.
    """
    return {
        kind: [_describe(word, table, name) for name in table]
        for kind, (word, table) in KINDS.items()
    }


def entry_class(kind: str, entry: Entry) -> type[Any]:
    """The class that an entry of the list ``kind`` names. Raises UsageError for an unknown one."""
    word, table = KINDS[kind]
    scheme: type[Any] = load_class(table, word, entry.name)
    return scheme


def entry_object(kind: str, entry: Entry) -> Any:  # noqa: ANN401
    """The watermark, attack or claim of an entry of the list ``kind``.

    Raises UsageError for an unknown name or parameter, or a value out of range.
    """
    word, table = KINDS[kind]
    return make(table, word, entry.name, entry.parameters)


def require_entries(grid: Grid) -> None:
    """Raise UsageError, with its place in the grid, for an entry that cannot be made."""
    for kind, entries in grid.lists.items():
        for i, entry in enumerate(entries):
            try:
                entry_object(kind, entry)
            except UsageError as error:
                raise UsageError(f"{kind}[{i}]: {error.message}", hint=error.hint) from None


def _describe(word: str, table: Mapping[str, str], name: str) -> dict[str, Any]:
    """One entry of ``described``."""
    scheme = load_class(table, word, name)
    reach = {key: getattr(scheme, key) for key in ("access", "needs") if hasattr(scheme, key)}
    summary = (sys.modules[scheme.__module__].__doc__ or "").strip().partition("\n")[0]
    return {
        "name": name,
        "summary": summary,
        "paper": scheme.paper,
        **reach,
        "parameters": parameters_of(scheme),
    }
