"""Draw the search for a mark that survives: evidence against accuracy, as SVG.

A dot for each training of the search (results/survival_search.jsonl), four attacks, a color and a
shape for each kind of training. docs/results.md was measured on the same seeds and test images.

    python benchmarks/survival_figure.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from zkwm.evaluation.results.figures import STYLE

RESULTS = Path(__file__).parent / "results"
ATTACKS = (
    "RTAL, twice the rate",
    "RTAL, AdamW 1e-3",
    "laundering, 10 %",
    "fakes of an opened block, random",
)
EARLIER = {"laundering-like, 10 %": "laundering, 10 %"}
"""A first version of an attack, and the attack with which it is shown."""
KINDS = (
    ("clean head and clones", "#c2501f", "^"),
    ("fakes, clones of one weight", "#1f5a94", "s"),
    ("fakes, clones whose weight falls (the default)", "#2f7d4f", "D"),
    ("fakes of which some are sought", "#7b4ea3", "v"),
)
NETWORK = "16C5s2-MP2-64C3-128-10 (cnn2)"

Line = dict[str, Any]


def main() -> None:
    """Write survival_search.svg beside the lines."""
    text = (RESULTS / "survival_search.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    marked = [line for line in lines if line["mark"] and _shown(line)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 6.4), layout="constrained")
        for axes, attack in zip(figure.subplots(2, 2).flat, ATTACKS, strict=True):
            for name, color, shape in KINDS:
                found = [_point(line, attack) for line in marked if _kind(line) == name]
                points = [point for point in found if point is not None]
                axes.scatter(
                    [accuracy for accuracy, _ in points], [bits for _, bits in points],
                    color=color, marker=shape, s=26, label=name, alpha=0.85, linewidths=0,
                )  # fmt: skip
            axes.set_title(attack, loc="left", fontsize=10)
            axes.set_xlabel("accuracy of the marked network, %")
            axes.set_ylabel("bits left, by ranks")
            axes.set_ylim(bottom=0)
        handles, names = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(RESULTS / "survival_search.svg", metadata={"Date": None})


def _shown(line: Line) -> bool:
    """Whether a training is of the network and the number of triggers of the figure."""
    return line["network"] == NETWORK and line["settings"]["triggers"] == 200


def _kind(line: Line) -> str:
    """The kind of a training, one of ``KINDS``."""
    settings = line["settings"]
    if not settings.get("fakes"):
        return "clean head and clones"
    if settings.get("sought_steps") or settings.get("clone_sought_steps"):
        return "fakes of which some are sought"
    if settings.get("falling_weight"):
        return "fakes, clones whose weight falls (the default)"
    return "fakes, clones of one weight"


def _point(line: Line, attack: str) -> tuple[float, float] | None:
    """Accuracy in percent and bits by ranks of a training under an attack."""
    for name, found in line["attacks"].items():
        if EARLIER.get(name, name) == attack:
            return 100 * line["accuracy"], found["bits_by_ranks"]
    return None


if __name__ == "__main__":
    main()
