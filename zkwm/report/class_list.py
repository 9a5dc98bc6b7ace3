"""What each label means: its committed name, and the suspect's output that stands for it.

A label is a number, and so is an output; which of them belong together decides what matches
(SPEC.md 6.1). Both forms of the report list every pair that is not two equal numbers without names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zkwm.report.visible import quoted
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.class_map import mapped_classes


def class_map_in_words(challenge: Challenge, names: tuple[str, ...] | None) -> str:
    """Where the class map comes from; ``names`` are those that the commitment has."""
    identity = challenge.class_map == tuple(range(len(challenge.class_map)))
    below = "; listed below" if _has_list(listed_classes(challenge, names)) else ""
    if names is not None and challenge.suspect_classes is not None:
        return f"each label stands for the output of the same name{below}"
    if identity:
        return f"each label stands for the output of the same number{below}"
    return f"given to the judge, not by names of both sides{below}"


def listed_classes(challenge: Challenge, names: tuple[str, ...] | None) -> list[dict[str, Any]]:
    """``mapped_classes`` of a challenge."""
    return mapped_classes(challenge.class_map, challenge.suspect_classes, names)


def _has_list(classes: list[dict[str, Any]]) -> bool:
    """Whether labels and outputs are listed: any is named, or some numbers differ."""
    return any(
        (one["name"], one["output_name"], one["output"]) != (None, None, one["label"])
        for one in classes
    )


def class_lines(classes: list[dict[str, Any]], limit: int, whole: str) -> Iterator[str]:
    """Label and output of the first ``limit`` classes, one a line, and how many are left out.

    ``whole`` says where all of them are.
    """
    if not _has_list(classes):
        return
    for one in classes[:limit]:
        yield (
            f"label {one['label']}{_quoted(one['name'])} → "
            f"output {one['output']}{_quoted(one['output_name'])}"
        )
    if len(classes) > limit:
        yield f"… ({len(classes):,} in all, every one in {whole})"


def _quoted(name: str | None) -> str:
    """A blank and the name between quotation marks; empty where there is none."""
    return "" if name is None else f" {quoted(name)}"
