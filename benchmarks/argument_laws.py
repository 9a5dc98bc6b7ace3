"""Growth of the argument's costs with triggers, activations and weights.

Appends JSON lines to results/argument_laws.jsonl, skips measurements already there, and draws
results/argument_laws.svg. Expected: the prover's time and memory are linear in triggers and
activations and hardly depend on weights (the network has to be run); the verifier's time grows with
the work of one image and with the square root of the witness.

    python benchmarks/argument_laws.py [--series triggers activations weights resnet18] [--runs 3]
"""

from __future__ import annotations

import argparse
from pathlib import Path

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


def main() -> None:
    """Measure what is missing, one JSON line each, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", nargs="+", choices=tuple(SERIES), default=list(SERIES))
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    for series in chosen.series:
        for network, triggers in SERIES[series]:
            if not _is_done(series, network, triggers):
                figures = measured(network, triggers, chosen.runs)
                measure.append(LINES, measure.report("argument laws", series=series, **figures))
    FIGURE.write_text(laws_figure.figure(measure.lines(LINES)))


def _is_done(series: str, network: str, triggers: int) -> bool:
    """Whether the results have this measurement."""
    key = (series, network, triggers)
    return any(
        (line["series"], line["network"], line["triggers"]) == key for line in measure.lines(LINES)
    )


if __name__ == "__main__":
    main()
