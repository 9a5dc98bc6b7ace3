"""What a mark costs on CIFAR-10: the table of ``cifar10_arms``, and short runs of ResNet-18.

Called by ``docs_results``.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean
from typing import Any

Line = dict[str, Any]

NAMES = {
    "unmarked": "unmarked",
    "plain": "from scratch",
    "pretrained": "pre-trained",
    "robust": "robust",
    "plain-derived": "from scratch, derived labels",
    "pretrained-derived": "pre-trained, derived labels",
    "robust-derived": "robust, derived labels",
}
AUTHORS = {"unmarked": "93.42 %", "plain": "93.81 %", "pretrained": "93.65 %"}
"""Adi et al. 2018 for their ResNet-18; all their marked networks know 100 of 100 triggers."""


def arms(lines: list[Line]) -> Iterator[str]:
    """The table of all arms that were trained on all images."""
    lines = [line for line in lines if line["data"] == "cifar10"]
    if not lines:
        return
    by_arm = {arm: [line for line in lines if line["arm"] == arm] for arm in NAMES}
    unmarked = {line["seed"]: line["test_accuracy"] for line in by_arm["unmarked"]}
    threads = sorted({line["machine"]["threads"] for line in lines})
    yield (
        "CIFAR-10, the network `airbench` (Jordan 2024, with ReLU) by its recipe, accuracy of the "
        "network alone on all test images, 100 triggers: those of Adi et al. with their labels, or "
        f"of the family `secret` with derived ones (`benchmarks/cifar10_arms.py`, "
        f"{' or '.join(map(str, threads))} threads). Points lost are against the unmarked network "
        "of the same seed."
    )
    yield "\n| | seeds | accuracy | Adi et al. | points lost | matches | unmarked | minutes |"
    yield "|---|---|---|---|---|---|---|---|"
    for arm, found in by_arm.items():
        if found:
            yield _row(arm, sorted(found, key=lambda line: int(line["seed"])), unmarked)
    yield (
        "\nMinutes are processor minutes over the number of threads, with what was lost when "
        "trainings were stopped; a pre-trained row is without the unmarked training.\n"
    )


def _row(arm: str, lines: list[Line], unmarked: dict[int, float]) -> str:
    """One arm, over its seeds."""
    accuracy = [100 * line["test_accuracy"] for line in lines]
    lost = [
        100 * (unmarked[line["seed"]] - line["test_accuracy"])
        for line in lines
        if arm != "unmarked" and line["seed"] in unmarked
    ]
    others = [line["unmarked_matches"] for line in lines if line["unmarked_matches"] is not None]
    minutes = [line["cpu_seconds"] / line["machine"]["threads"] / 60 for line in lines]
    matched = [f"{line['matches']} of {line['triggers']}" for line in lines if line["triggers"]]
    cells = (
        NAMES[arm],
        str(len(lines)),
        _spread(accuracy, " %"),
        AUTHORS.get(arm, "–"),
        _spread(lost, "") if lost else "–",
        ", ".join(matched) or "–",
        ", ".join(map(str, others)) or "–",
        f"{mean(minutes):.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _spread(values: list[float], unit: str) -> str:
    """The mean, and from where to where single values go."""
    if len(values) == 1:
        return f"{values[0]:.2f}{unit}"
    return f"{mean(values):.2f}{unit} ({min(values):.2f} to {max(values):.2f})"


def short_runs(lines: list[Line]) -> Iterator[str]:
    """What runs of ResNet-18 reached that were too short to compare with the authors'."""
    for line in lines:
        settings = line["settings"]
        yield (
            f"CIFAR-10, ResNet-18 of the authors, {line['triggers']} triggers: a short run of "
            f"{settings['epochs']} epochs on {line['data']} ({line['device']}, "
            f"{line['precision']}) reached {100 * line['test_accuracy']:.1f} % and "
            f"{line['matches']} of {line['triggers']} triggers in {line['seconds'] / 60:.0f} "
            "minutes. A run this short says little. The authors' 60 epochs on all images (their "
            "93.8 % and 100 of 100) need a GPU and have not been run."
        )
