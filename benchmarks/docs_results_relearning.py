"""The section of docs/results.md on relearning: what it leaves beside ranks, and its null."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Line = dict[str, Any]
CHOSEN_ON = frozenset({31, 32, 33, 42})
"""Owners on whose attacked models rules and constants were chosen."""
_BITS = ("bits_by_matches", "bits_by_ranks", "bits_by_scores", "bits_by_relearning")


def relearning(lines: list[Line], nulls: list[Line]) -> Iterator[str]:
    """Bits by each statistic for each owner and attack; false claims by relearning."""
    owners = {(line["data"], line["kind"], line["seed"]) for line in lines}
    seconds = sorted(line["seconds"] for line in lines)
    fresh = sorted({line["seed"] for line in lines} - CHOSEN_ON)
    yield (
        f"LeNet-5, 200 triggers of the family `secret`, {len(owners)} owners with 6,100 images, "
        "the adversary with 1,600 others (`benchmarks/relearning.py`). Bits before the judge's "
        "allowances, of at most 664 (498 of the 150 triggers that are left beside an opened block)."
        " Relearning counts, part by part, the learner that did best before, or the suspect as it "
        "is; beside it what each learner alone gives: the regression on activations, trained "
        "copies of the suspect as it is, and of its even form. Rules and constants were chosen on "
        "attacked models of the "
        f"owners {', '.join(map(str, sorted(CHOSEN_ON)))}, networks that were sought and other "
        "owners' included"
        + (f"; on none of {', '.join(map(str, fresh))}" if fresh else "")
        + ". Other data and networks are still to be measured. "
        f"Relearning took {seconds[0]:.0f} to {seconds[-1]:.0f} processor seconds a suspect."
    )
    yield ""
    yield (
        "| mark, owner | attack | accuracy | matches | ranks | scores | relearning | regression | "
        "as it is | even | first of 25 in each part |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for line in lines:
        bits = " | ".join(f"{line[name]:.0f}" for name in _BITS[:-1])
        whole = f"**{line['bits_by_relearning']:.0f}**"
        alone = " | ".join(f"{one:.0f}" for one in line["bits_by_form"])
        firsts = ", ".join(map(str, line["first_of_each_part"]))
        yield (
            f"| {line['kind']}, {line['seed']} | {line['attack']} | {100 * line['accuracy']:.1f} % "
            f"| {bits} | {whole} | {alone} | {firsts} |"
        )
    yield ""
    yield (
        "Where a memory is gone, as in one of the networks that were sought, in surrogates by "
        "extraction and where most of the weights are another owner's, nothing comes back: "
        "learners tell the labels of earlier parts, and the others by chance. Relearning may "
        "leave less than ranks. Whether an attack ends above a network from scratch was not "
        "asked here."
    )
    yield from _false_claims(nulls)


def _false_claims(nulls: list[Line]) -> Iterator[str]:
    """Simulated claims by relearning."""
    if not nulls:
        return
    yield ""
    yield (
        f"{sum(line['claims'] for line in nulls):,} simulated claims on networks that know "
        "nothing, each with fresh labels and learners of its own "
        "(`benchmarks/null_relearning.py`):"
    )
    yield ""
    names = [f"{one['bits']} bits" for one in nulls[0]["reached"]]
    yield f"| suspect | claims | {' | '.join(names)} |"
    yield f"|---|---|{'---|' * len(names)}"
    for line in nulls:
        seen = (f"{one['seen']} (law: {one['expected']:.0f})" for one in line["reached"])
        yield f"| {line['suspect']} | {line['claims']:,} | {' | '.join(seen)} |"
