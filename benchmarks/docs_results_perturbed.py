"""The table of triggers at perturbed weights, for ``docs_results``.

Rows are variants of benchmarks/perturbed_weights.py, from its results.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean
from typing import Any

Line = dict[str, Any]


def perturbed(lines: list[Line]) -> Iterator[str]:
    """What each variant costs, and the bits by ranks that each attack leaves."""
    if not lines:
        return
    variants = list(dict.fromkeys(line["variant"] for line in lines))
    attacks = list(dict.fromkeys(line["trial"] for line in lines if line["trial"] != "none"))
    count = len({line["seed"] for line in lines})
    yield (
        "Triggers at perturbed weights in place of the look-ahead (`method: perturbed weights`; "
        "`benchmarks/perturbed_weights.py`, all on one machine): by the share of the training "
        "after which they begin, how far each weight tensor is moved in units of its norm, and "
        "their weight in the loss. LeNet-5, 20,000 images of Fashion-MNIST, 200 triggers with 400 "
        f"exposures each in 16 epochs; adversaries with 6,000 others; {count} "
        f"seed{'s' * (count > 1)}, so that variants that differ by tens of bits cannot be told "
        "apart. Bits by ranks before allowances, of 664: mean; worst."
    )
    yield ""
    head = "| begins | moved by | weight | points lost | processor s |"
    yield f"{head} {' | '.join(attacks)} |"
    yield f"|---|---|---|---|---|{'---|' * len(attacks)}"
    for variant in variants:
        own = [line for line in lines if line["variant"] == variant]
        before = [line for line in own if line["trial"] == "none"]
        lost = [line["lost"] for line in before]
        seconds = mean(line["processor_seconds"] for line in before)
        left = [[line["bits_by_ranks"] for line in own if line["trial"] == a] for a in attacks]
        shown = " | ".join(f"{mean(bits):.0f}; {min(bits):.0f}" if bits else "" for bits in left)
        yield f"| {_named(variant)} | {mean(lost):.2f}; {max(lost):.2f} | {seconds:.0f} | {shown} |"
    yield ""


def _named(variant: str) -> str:
    """The first three cells of a row."""
    if variant == "robust":
        return "look-ahead, as in `robust` | – | –"
    start, epsilon, weight = variant.split(":")
    return f"{start} | {epsilon} | {weight}"
