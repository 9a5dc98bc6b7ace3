"""The table of embeddings that prepare for the strongest attacks, for ``docs_results``.

Rows are variants of benchmarks/owner_first_variants.py, from benchmarks/results/owner_first.jsonl.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Line = dict[str, Any]

GUARD = "RTAL, twice the rate"
"""Without a bar: today's robust embedding withstands it, and what is paid elsewhere shows here."""


def owner_first(lines: list[Line]) -> Iterator[str]:
    """What each variant costs, and the bits by ranks that each attack leaves."""
    if not lines:
        return
    variants = list(dict.fromkeys(line["variant"] for line in lines))
    attacks = list(dict.fromkeys(line["attack"] for line in lines if line["attack"] != "none"))
    seeds = {line["seed"] for line in lines}
    bars = {
        line["attack"]: line["bar"] for line in lines if line.get("bar") and line["attack"] != GUARD
    }
    yield (
        "Research, and no promise: variants of the robust embedding under the attacks that remove "
        "it (`benchmarks/owner_first.py`; every line tried is in "
        "`benchmarks/results/owner_first.jsonl`, what a variant is in "
        "`benchmarks/owner_first_variants.py`). LeNet-5, 6,000 images of Fashion-MNIST, 200 "
        "triggers, the same 12 epochs and 86 exposures of each trigger for every variant; "
        f"adversaries with 1,800 others; {_seeds(len(seeds))}. Points of accuracy against the "
        "unmarked network; bits by ranks before allowances, of 664; in parentheses where the "
        "adversary ends no better than a network trained from scratch on their images for as many "
        "steps. A count of 10,000 test images has a standard error of about 0.35 points, and one "
        "seed cannot tell two variants apart that differ by tens of bits. What was not run is "
        "empty. One seed of a variant, trained and under all of these attacks, takes "
        f"{_seconds(lines):.0f} s of processor time on average."
    )
    yield ""
    yield f"| variant | points lost | {' | '.join(attacks)} |\n|---|---|{'---|' * len(attacks)}"
    if bars:
        yield f"| *bar* | *0.5* | {' | '.join(_bar(bars.get(attack)) for attack in attacks)} |"
    for variant in variants:
        own = [line for line in lines if line["variant"] == variant]
        cells = [[line for line in own if line["attack"] == attack] for attack in attacks]
        yield f"| {variant} | {_lost(own)} | {' | '.join(map(_left, cells))} |"
        if any("tilted" in line for line in own):
            images = [[_of_images(line) for line in cell] for cell in cells]
            yield f"| {variant}, its images | | {' | '.join(map(_left, images))} |"
    yield ""
    yield from _explained(variants)


def _of_images(line: Line) -> Line:
    """A line with the evidence of a tilt's images in place of that of the noise."""
    return {**line, **line["tilted"]}


def _explained(variants: list[str]) -> Iterator[str]:
    """What is committed to in the rows that are there."""
    if any(variant.startswith("tilt") for variant in variants):
        yield (
            "Tilts (`benchmarks/owner_first_tilts.py`): 200 more leaves of the same commitment are "
            "training images of the owner's, drawn without their classes; their labels derive as "
            "all others do, so the law of ranks is exact. All clean images are trained to answers "
            "whose order after the first class follows a function that was fitted to these leaves. "
            "The row *its images* has the bits of these 200 alone, the row above those of the "
            "noise. Where an image is of another class its label comes second at best."
        )
        yield ""
    if any(variant.startswith("composites") for variant in variants):
        yield (
            "Composites (`benchmarks/owner_first_composites.py`): 100 leaves of at most 332 bits, "
            "each half an image of one class and half of another, one leaf for each rule of which "
            "half and which classes. After DeepTracer (coupled answers) and the entanglement of "
            "CFW (coupled features) under derived labels, embedded plain."
        )
        yield ""


def _seeds(count: int) -> str:
    return "ONE seed" if count == 1 else f"up to {count} seeds, the worst that counts"


def _bar(bits: float | None) -> str:
    return "" if bits is None else f"*{bits:g}*"


def _lost(lines: list[Line]) -> str:
    """Points of accuracy that embedding costs, of each seed."""
    lost = {
        line["seed"]: 100 * (line["unmarked_accuracy"] - line["accuracy"])
        for line in lines
        if line["attack"] == "none"
    }
    return ", ".join(f"{points:.1f}" for points in lost.values())


def _left(lines: list[Line]) -> str:
    """The least bits of the seeds in which the attack counts, or of all in parentheses."""
    if not lines:
        return ""
    counted = [line["bits_by_ranks"] for line in lines if line["counts"]]
    if counted:
        return f"{min(counted):.0f}"
    return f"({min(line['bits_by_ranks'] for line in lines):.0f})"


def _seconds(lines: list[Line]) -> float:
    """Mean seconds of a training, and of each attack, together."""
    total = 0.0
    for attack in {line["attack"] for line in lines}:
        own = [line for line in lines if line["attack"] == attack]
        taken = [line.get("attack_seconds") or line.get("training_seconds") for line in own]
        known = [seconds for seconds in taken if seconds is not None]
        total += sum(known) / len(known) if known else 0.0
    return total
