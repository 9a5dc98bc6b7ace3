"""What each label means: its committed name, and the suspect's output that stands for it.

A label is a number, and so is an output; which of them belong together decides what matches
(SPEC.md 6.1). Both forms of the report list every pair that is not two equal numbers without names.
"""

from __future__ import annotations

from collections.abc import Iterator

from zkwm.judge.verdict import Verdict
from zkwm.report.visible import visible_name
from zkwm_protocols.challenge import Challenge


def class_map_in_words(verdict: Verdict, challenge: Challenge) -> str:
    """Where the class map comes from."""
    identity = challenge.class_map == tuple(range(len(challenge.class_map)))
    below = "; listed below" if has_list(verdict) else ""
    if verdict.class_names is not None and challenge.suspect_classes is not None:
        return f"each label stands for the output of the same name{below}"
    if identity:
        return f"each label stands for the output of the same number{below}"
    return f"given to the judge, not by names of both sides{below}"


def has_list(verdict: Verdict) -> bool:
    """Whether labels and outputs are listed: any is named, or some numbers differ."""
    return any(
        (one["name"], one["output_name"], one["output"]) != (None, None, one["label"])
        for one in verdict.classes or ()
    )


def class_lines(verdict: Verdict, limit: int) -> Iterator[str]:
    """Label and output of the first ``limit`` classes, one a line, and how many are left out."""
    if not has_list(verdict):
        return
    classes = verdict.classes or []
    for one in classes[:limit]:
        yield (
            f"label {one['label']}{_quoted(one['name'])} → "
            f"output {one['output']}{_quoted(one['output_name'])}"
        )
    if len(classes) > limit:
        yield f"… ({len(classes):,} in all, every one in the JSON verdict)"


def _quoted(name: str | None) -> str:
    """A name with nothing hidden in it, between quotation marks; empty where there is none.

    Marks inside are escaped, so that no name looks like the end of its line and another one.
    """
    if name is None:
        return ""
    shown = visible_name(name).replace("\\", "\\\\").replace('"', '\\"')
    return f' "{shown}"'
