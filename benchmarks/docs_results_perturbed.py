"""The table of triggers at perturbed weights, for ``docs_results``.

Rows are variants of benchmarks/perturbed_weights.py, from its results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
        "`benchmarks/perturbed_weights.py`; one machine, with other work beside it): by the share "
        "of the training after which they begin, how far each weight tensor is moved in units of "
        "its norm, and their weight in the loss. LeNet-5, 20,000 images of Fashion-MNIST, 200 "
        "triggers with 400 "
        f"exposures each in 16 epochs; adversaries with 6,000 others; {count} "
        f"seed{'s' * (count > 1)}, so that variants that differ by tens of bits cannot be told "
        "apart. Bits by ranks before allowances, of 664" + (": mean; worst." if count > 1 else ".")
    )
    yield ""
    head = "| begins | moved by | weight | points lost | processor s |"
    yield f"{head} {' | '.join(attacks)} |"
    yield f"|---|---|---|---|---|{'---|' * len(attacks)}"
    for variant in variants:
        own = [line for line in lines if line["variant"] == variant]
        before = [line for line in own if line["trial"] == "none"]
        lost = _mean_and_worst([line["lost"] for line in before], 2, max)
        seconds = mean(line["processor_seconds"] for line in before)
        left = [[line["bits_by_ranks"] for line in own if line["trial"] == a] for a in attacks]
        shown = " | ".join(_mean_and_worst(bits, 0, min) for bits in left)
        yield f"| {_named(variant)} | {lost} | {seconds:.0f} | {shown} |"
    yield ""


def _mean_and_worst(values: list[float], digits: int, worst: Callable[[list[float]], float]) -> str:
    """Both, or the only value."""
    if len(values) < 2:
        return "".join(f"{value:.{digits}f}" for value in values)
    return f"{mean(values):.{digits}f}; {worst(values):.{digits}f}"


def _named(variant: str) -> str:
    """The first three cells of a row."""
    if variant == "robust":
        return "look-ahead, as in `robust` | – | –"
    start, epsilon, weight = variant.split(":")
    return f"{start} | {epsilon} | {weight}"
