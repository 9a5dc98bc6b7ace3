"""Tables from grids: every watermark under a dozen attacks, and triggers in a ResNet-8.

The grids themselves are made by ``zkwm evaluate``; called by ``docs_results``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Line = dict[str, Any]

SHOWN = (
    "no attack",
    "RTAL at 1e-2",
    "FTAL at twice the rate",
    "RTAL with AdamW 1e-3",
    "pruning 90 %",
    "4 bits",
    "weight shifting",
    "permutation and rescaling",
    "extraction, soft",
    "overwriting",
    "outlier detector",
    "laundering 10 %",
    "unlearning, noise",
    "seeking",
)
"""The attacks that docs/results.md shows; grid.md has all of them."""


def grid(lines: list[Line]) -> Iterator[str]:
    """Every watermark under a dozen attacks, from the cells of ``zkwm evaluate``."""
    if not lines:
        return
    cells = {(line["watermark"], line["attack"]): line for line in lines}
    schemes = list(dict.fromkeys(line["watermark"] for line in lines))
    attacks = [attack for attack in SHOWN if any((s, attack) in cells for s in schemes)]
    yield (
        f"All schemes under all {len({line['attack'] for line in lines})} attacks, LeNet-5 on "
        "Fashion-MNIST, one seed, short attacks (`zkwm evaluate examples/grids/readme.yaml`; the "
        "full table is [grid.md](../benchmarks/results/grid.md)). Bits before allowances, by ranks "
        "where there are classes to rank, otherwise by matches; robust is the embedding before "
        "version 4, an earlier one, in these three tables. Italics: matches of declared "
        "labels, for which there is no exact test. –: void or not applicable. Small print: the "
        "attacked model is too inaccurate for the attack to count."
    )
    yield f"\n| | {' | '.join(attacks)} |\n|---|{'---|' * len(attacks)}"
    for scheme in schemes:
        found = [_cell(cells.get((scheme, attack))) for attack in attacks]
        yield f"| {scheme} | {' | '.join(found)} |"
    never = ", ".join(_counted_for_none(lines))
    yield f"\nFor no mark do these attacks count, so that what they leave says nothing: {never}."
    yield (
        "\nMarks differ in budget here: Adi has 100 triggers, shown 122 times each, Adi 500 and "
        "Adi 1000 24 and 12 times, robust 200 triggers shown 146 times, APP 781 times; surrogates "
        "of extraction learn for 300 steps, the network from scratch for 2,440. "
        "`examples/grids/fair.yaml` makes budgets equal."
    )
    yield (
        "\nNo mark survives all of them. DynaMarks and DAWN mark answers, not the model, so only "
        "a model trained on those answers can carry them.\n"
    )


def _counted_for_none(lines: list[Line]) -> list[str]:
    """The attacks that were measured on some mark and end too low on each."""
    measured = [line for line in lines if line["status"] == "measured"]
    counted = {line["attack"] for line in measured if line["counts"] is not False}
    return [a for a in dict.fromkeys(line["attack"] for line in measured) if a not in counted]


def residual(lines: list[Line]) -> Iterator[str]:
    """Triggers in a network with batch normalization, under each attack of its grid."""
    if not lines:
        return
    cells = {(line["watermark"], line["attack"]): line for line in lines}
    schemes = list(dict.fromkeys(line["watermark"] for line in lines))
    untouched = [cells[scheme, "no attack"] for scheme in schemes]
    lost = [100 * (line["unmarked_accuracy"] - line["accuracy_before"]) for line in untouched]
    costs = ", ".join(f"{s} {points:.1f}" for s, points in zip(schemes, lost, strict=True))
    yield (
        "The same for a ResNet-8, which has batch normalization, with 6,100 images and one seed "
        "(`zkwm evaluate examples/grids/laptop_resnet8.yaml`). Points of accuracy that embedding "
        f"costs (1,000 test images, so a point is noise): {costs}. The way the robust "
        "embedding mixes auxiliary images into batches was tuned for batch normalization on this "
        "network and on attacks at twice the rate (`zkwm/training/robust/mixed_batch.py`; "
        "`benchmarks/results/batch_norm_search.jsonl`). "
        "APP does not learn one label per image here. Adi has 100 triggers, the others 200."
    )
    yield from _by_attack(lines)


def shares(lines: list[Line]) -> Iterator[str]:
    """The rates, shares and bits that the first table leaves out."""
    if not lines:
        return
    yield (
        "Rates, shares and bit widths that the first of these tables leaves out, for two of its "
        "marks, trained again (`zkwm evaluate examples/grids/shares.yaml`)."
    )
    yield from _by_attack(lines)


def _by_attack(lines: list[Line]) -> Iterator[str]:
    """One row per attack, one column per mark."""
    cells = {(line["watermark"], line["attack"]): line for line in lines}
    schemes = list(dict.fromkeys(line["watermark"] for line in lines))
    yield f"\n| attack | {' | '.join(schemes)} |\n|---|{'---|' * len(schemes)}"
    for attack in dict.fromkeys(line["attack"] for line in lines):
        found = [_cell(cells.get((scheme, attack))) for scheme in schemes]
        yield f"| {attack} | {' | '.join(found)} |"
    yield ""


def _cell(line: Line | None) -> str:
    if line is None or line["status"] != "measured":
        return "–"
    if line["labels"] == "declared":
        text = f"*{line['matches']} of {line['trials']}*"
    else:
        bits = line["bits"] if line["rank_bits"] is None else line["rank_bits"]
        text = f"{bits:.0f}"
    return text if line["counts"] is not False else f"<sub>{text}</sub>"
