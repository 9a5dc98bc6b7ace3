"""The state of an optimizer or schedule as JSON and named tensors, so that nothing is pickled.

States of torch are nested maps, lists and numbers, with tensors among them. A value that JSON has
is itself; every other one is a list of its kind and content.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch import Tensor

from zkwm_protocols.errors import UsageError

_DEPTH = 20


def to_plain(value: Any, name: str, tensors: dict[str, Tensor], depth: int = 0) -> Any:  # noqa: ANN401
    """``value`` ready for JSON; its tensors are added to ``tensors``, under names below ``name``.

    Raises UsageError for an object of any other kind.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if depth > _DEPTH:
        raise UsageError(f"the state {name!r} is nested too deeply to be saved")
    if isinstance(value, Tensor):
        tensors[name] = value
        return ["tensor", name]
    if isinstance(value, dict):  # keys are numbers too, which JSON would turn into text
        items = [
            [key, to_plain(one, f"{name}/{key}", tensors, depth + 1)] for key, one in value.items()
        ]
        if all(type(key) in (int, str) for key in value):
            return ["counter" if isinstance(value, Counter) else "dict", items]
    elif type(value) in (list, tuple):
        inside = [
            to_plain(one, f"{name}/{number}", tensors, depth + 1)
            for number, one in enumerate(value)
        ]
        return [type(value).__name__, inside]
    raise UsageError(
        f"the state {name!r} is a {type(value).__name__}, which a checkpoint cannot hold",
        hint="use an optimizer and schedule whose state_dict holds numbers, texts and tensors, or "
        "train without a checkpoint folder",
    )


def from_plain(plain: Any, tensors: dict[str, Tensor]) -> Any:  # noqa: ANN401
    """The value of what ``to_plain`` made. Raises ValueError, KeyError or TypeError for others."""
    if not isinstance(plain, list):
        if plain is None or type(plain) in (bool, int, float, str):
            return plain
        raise ValueError(plain)
    kind, content = plain
    if kind == "tensor":
        return tensors[content]
    if kind in ("dict", "counter"):
        found = {key: from_plain(one, tensors) for key, one in content}
        return Counter(found) if kind == "counter" else found
    if kind in ("list", "tuple"):
        inside = [from_plain(one, tensors) for one in content]
        return inside if kind == "list" else tuple(inside)
    raise ValueError(kind)
