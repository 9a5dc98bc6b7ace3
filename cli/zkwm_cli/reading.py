"""What a reader found in a file, without a secret: fields, checks, and how the rest is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reading:
    """A file as far as it can be read.

    Args:
        fields: its content as JSON values.
        tests: check id to the check, None for one that needs more than is at hand.
        advice: how the rest is checked.
        lines: what people see instead of a field, by its name.
    """

    fields: dict[str, Any]
    tests: Mapping[str, Callable[[], object] | None]
    advice: str
    lines: Mapping[str, Sequence[str]] = field(default_factory=dict)
