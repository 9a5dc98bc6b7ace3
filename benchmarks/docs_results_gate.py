"""Tables on files and their integer networks: honest suspects, and twins made to differ.

Lines of Markdown from benchmarks/results/gate.jsonl, for ``docs_results``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Line = dict[str, Any]

MEASURED = "same label | order | error (95 %) | translation | outcome"

AT_CHANCE = 0.12
"""Less is no accuracy of ten classes."""


def gate(lines: list[Line]) -> Iterator[str]:
    """What a judge measures before an argument, worst of a suspect's five sets of images."""
    honest = [line for line in lines if line["honest"]]
    twins = [line for line in lines if not line["honest"]]
    int8 = [line for line in honest if line["suspect"].startswith("int8-")]
    floats = [line for line in honest if line not in int8]
    chance = [line for line in floats if line.get("accuracy", 1.0) < AT_CHANCE]
    yield (
        "What a judge measures before an argument (SPEC.md 18.1; `benchmarks/gate.py`, "
        "`benchmarks/gate_suspects.py`): the worst of five sets of 200 images that a nonce draws. "
        "Demanded are, among others, the same label on 170, an order of 85 % and an error of at "
        f"most 0.5. {_passing(floats)} honest suspects of floats pass, and {_passing(int8)} of "
        "the built-in networks as int8 graphs. Trainings were short; accuracy is that of the file "
        f"on 300 test images, and {len(chance)} of the first are at chance, where agreement says "
        "little. Of an int8 graph one value that single precision rounds the other "
        "way, on one of 1,000 images, is enough for a refusal, so that another nonce may give "
        "another outcome. Measured at "
        f"{', '.join(sorted({line['commit'] for line in lines}))}."
    )
    yield ""
    yield f"| honest suspect | accuracy | {MEASURED} |"
    yield "|---|---|---|---|---|---|---|"
    for line in honest:
        accuracy = f"{line['accuracy']:.1%}" if "accuracy" in line else ""
        yield f"| {line['suspect']} | {accuracy} | {_worst(line)} | {_outcome(line)} |"
    yield ""
    yield (
        "Twins are files whose integer network once carried a mark that they do not (P), or the "
        "reverse (E), also with outputs of huge range (`tests/support/twins.py`, "
        "`tests/support/inflated_twins.py`). Today's networks are those of the files; a mistaken "
        "twin gets the network that it had, to try the judge's comparison."
    )
    yield ""
    yield f"| twin | triggers of 100: file / network | {MEASURED} |"
    yield "|---|---|---|---|---|---|---|"
    for line in twins:
        matches = f"{line.get('file_matches', '')} / {line.get('network_matches', '')}"
        yield f"| {line['suspect']} | {matches} | {_worst(line)} | {_outcome(line)} |"
    yield ""


def _passing(lines: list[Line]) -> str:
    """How many of how many are not refused."""
    return f"{sum(line['refused'] is None for line in lines)} of {len(lines)}"


def _worst(line: Line) -> str:
    """Four cells: the worst set's."""
    sets = line.get("agreement")
    if sets is None:
        return " | ".join([""] * 4)
    orders = [one["same_order"] for one in sets if one["same_order"] is not None]
    cells = [str(min(one["agreeing"] for one in sets)), f"{min(orders):.0%}" if orders else ""]
    for name, shown in (("high_error", "{:.3f}"), ("translation_error", "{:.0e}")):
        values = [one[name] for one in sets]
        cells.append("without bound" if None in values else shown.format(max(values)))
    return " | ".join(cells)


def _outcome(line: Line) -> str:
    """Passes, or the check that fails."""
    return "passes" if line["refused"] is None else f"refused: `{line['refused']}`"
