"""100,000 simulated claims on nasty scores, by points (SPEC.md 8.6), against the exact law.

Ten kinds of scores, each with 2, 3 or 10 classes and 50 or 100 triggers: 20 tables of each kind,
500 fresh label sets for each. How many reach 1, 3, 5 and 10 bits; one JSON line for each
kind, and one for all together; one more where five triggers of each table got no answer.

    python benchmarks/null_scores.py --output benchmarks/results/null_scores.jsonl
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict
from math import sqrt
from pathlib import Path

import measure
import numpy as np
from numpy.typing import NDArray

from zkwm.evaluation.null_hypothesis.points import THRESHOLDS, PointClaims, examine_points

TABLES, DRAWS = 20, 500
Scores = NDArray[np.float64]


def _normal(random: np.random.Generator, shape: tuple[int, int]) -> Scores:
    return random.normal(size=shape)


def _habits(random: np.random.Generator, shape: tuple[int, int]) -> Scores:
    return random.normal(size=shape) + 8 * random.normal(size=(1, shape[1]))


def _scaled(random: np.random.Generator, shape: tuple[int, int]) -> Scores:
    return random.normal(size=shape) * np.exp(3 * random.normal(size=(shape[0], 1)))


def _wild(random: np.random.Generator, shape: tuple[int, int]) -> Scores:
    scores = random.standard_cauchy(size=shape)
    scores[: shape[0] // 10] *= 1e300
    return scores


def _ties(random: np.random.Generator, shape: tuple[int, int]) -> Scores:
    return random.integers(0, 3, size=shape).astype(np.float64)


def _constant(random: np.random.Generator, shape: tuple[int, int]) -> Scores:
    scores = random.normal(size=shape)
    scores[::2] = scores[::2, :1]
    return scores


def _repeated(random: np.random.Generator, shape: tuple[int, int]) -> Scores:
    return np.repeat(random.normal(size=(1, shape[1])), shape[0], axis=0)


def _labels_alone(random: np.random.Generator, shape: tuple[int, int]) -> Scores:
    answers = np.minimum(random.geometric(0.4, size=shape[0]) - 1, shape[1] - 1)
    return np.eye(shape[1])[answers]


def _probabilities(random: np.random.Generator, shape: tuple[int, int]) -> Scores:
    return random.dirichlet(np.full(shape[1], 0.05), size=shape[0])


def _permuted(random: np.random.Generator, shape: tuple[int, int]) -> Scores:
    row = np.sort(random.standard_exponential(shape[1]))
    return np.stack([random.permutation(row) for _ in range(shape[0])])


KINDS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Scores]] = {
    "normal": _normal,
    "strong habits": _habits,
    "each row times exp(3z)": _scaled,
    "Cauchy, a tenth of the rows times 1e300": _wild,
    "three values": _ties,
    "every other row constant": _constant,
    "one row for all images": _repeated,
    "labels alone": _labels_alone,
    "peaked probabilities": _probabilities,
    "one row, permuted for each image": _permuted,
}


def main() -> None:
    """Print one JSON line for each kind, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, appended to")
    output = parser.parse_args().output
    found = []
    for number, (kind, make) in enumerate(KINDS.items()):
        claims = examine_points(kind, _tables(number, make), draws=DRAWS)
        found.append(claims)
        measure.append(output, measure.report("null scores", **asdict(claims)))
    measure.append(output, measure.report("null scores together", **_together(found)))
    silent = examine_points("five without an answer", _tables(0, _normal), draws=50, unanswered=5)
    measure.append(output, measure.report("null scores, unanswered", **asdict(silent)))


def _tables(
    number: int, make: Callable[[np.random.Generator, tuple[int, int]], Scores]
) -> Iterator[Scores]:
    """The tables of a kind."""
    for table in range(TABLES):
        random = np.random.default_rng([15, number, table])
        yield make(random, ((50, 100)[table % 2], (2, 3, 10)[table % 3]))


def _together(found: list[PointClaims]) -> dict[str, object]:
    """The counts of all kinds."""
    reached = []
    for place, bits in enumerate(THRESHOLDS):
        parts = [claims.reached[place] for claims in found]
        expected = sum(part.expected for part in parts)
        reached.append(
            {
                "bits": bits,
                "seen": sum(part.seen for part in parts),
                "expected": round(expected, 1),
                "at_most": round(sum(part.at_most for part in parts), 1),
                "deviations": round(
                    (sum(part.seen for part in parts) - expected) / sqrt(max(expected, 1)), 2
                ),
            }
        )
    return {"kinds": len(found), "sets": sum(c.sets for c in found), "reached": reached}


if __name__ == "__main__":
    main()
