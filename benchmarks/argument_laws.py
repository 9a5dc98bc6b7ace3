"""Growth of the argument's costs with triggers, activations and weights.

Appends JSON lines to results/argument_laws.jsonl, skips measurements already there of the present
proof format (--again: the latest counts), and draws results/argument_laws.svg. Expected: the
prover's time and memory are linear in triggers and activations and hardly depend on weights (the
network has to be run); the proof grows with the logarithm of the witness; the verifier's time grows
with the work of one image. All series: some five processor minutes, 5 GiB for ResNet-18 x 200.

    python benchmarks/argument_laws.py [--series triggers activations weights resnet18] [--runs 3]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import laws_figure
import measure
from argument import measured

RESULTS = Path(__file__).parent / "results"
LINES, FIGURE = RESULTS / "argument_laws.jsonl", RESULTS / "argument_laws.svg"

SERIES: dict[str, tuple[tuple[str, int], ...]] = {
    "triggers": tuple(("lenet5", count) for count in (50, 100, 200, 400, 700, 1000)),
    "activations": tuple((f"wide:{channels}", 100) for channels in (4, 8, 16, 32, 48, 64)),
    "weights": tuple((f"heavy:{side}", 100) for side in (1, 5, 9, 13, 17, 21)),
    "resnet18": tuple(("resnet18", count) for count in (1, 10, 25, 50, 100, 200)),
}
"""Networks (by their names in ``integer_networks``) and numbers of triggers."""
PROOF = "zkwm-argument-2"
"""The proofs that are measured (SPEC.md 17.8); lines of earlier ones do not count."""


def main() -> None:
    """Measure what is missing, one JSON line each, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", nargs="+", choices=tuple(SERIES), default=list(SERIES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--at-most", type=int, default=1000, help="triggers")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    chosen = parser.parse_args()
    done = latest(measure.lines(LINES))
    for series in chosen.series:
        for network, triggers in SERIES[series]:
            there = (series, network, triggers) in done and not chosen.again
            if triggers <= chosen.at_most and not there:
                figures = measured(network, triggers, chosen.runs)
                line = measure.report("argument laws", series=series, proof=PROOF, **figures)
                measure.append(LINES, line)
    FIGURE.write_text(laws_figure.figure(list(latest(measure.lines(LINES)).values())))


def latest(lines: list[dict[str, Any]]) -> dict[tuple[str, str, int], dict[str, Any]]:
    """The last line of each measurement of the present proofs."""
    return {
        (line["series"], line["network"], line["triggers"]): line
        for line in lines
        if line.get("proof") == PROOF
    }


if __name__ == "__main__":
    main()
