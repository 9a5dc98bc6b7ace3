"""Simulated claims by relearning (SPEC.md 8.7), against the exact law of ranks.

Suspects that know nothing: small networks of random, large, huge, constant, dead and zero weights.
For each, fresh labels of 24 triggers are drawn again and again, and every claim has its own
learners, the copies among them with 5 steps a round instead of 100: the law holds for any number.
How many claims reach 1, 3, 5 and 10 bits; one JSON line for each suspect, and one for all together.

    python benchmarks/null_relearning.py --output benchmarks/results/null_relearning.jsonl
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from math import sqrt
from pathlib import Path

import measure
import numpy as np
import torch

from zkwm.nn.architectures import Classifier, build_model
from zkwm.nn.widths import with_widths
from zkwm.suspects.learner import learned_scores
from zkwm.training import relearning
from zkwm_protocols.rank_tails import least_rank_sum, rank_hundredths
from zkwm_protocols.ranks import weighted_sum
from zkwm_protocols.relearning import Form, relearned_ranks, rounds_of

COUNT, CLASSES, SHAPE, STEPS = 24, 4, (1, 4, 4), 5
HIDDEN = (6, 6)
THRESHOLDS = (1, 3, 5, 10)


def _scaled(factor: float) -> Callable[[Classifier], None]:
    def change(model: Classifier) -> None:
        for weights in model.parameters():
            weights.mul_(factor)

    return change


def _constant(model: Classifier) -> None:
    for name in ("weight", "bias"):
        model.get_parameter(f"features.5.{name}").fill_(0.5)


def _dead(model: Classifier) -> None:
    for name in ("weight", "bias"):
        weights = model.get_parameter(f"features.1.{name}")
        weights.copy_(-weights.abs() - 1)


SUSPECTS: dict[str, Callable[[Classifier], None]] = {
    "random weights": _scaled(1.0),
    "large weights": _scaled(30.0),
    "huge weights": _scaled(1e30),
    "constant answers": _constant,
    "dead units": _dead,
    "weights of 0": _scaled(0.0),
}


def main() -> None:
    """Print one JSON line for each suspect, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--claims", type=int, default=400, help="for each suspect")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    vars(relearning)["MOST_STEPS"] = STEPS
    together = np.zeros(len(THRESHOLDS), np.int64)
    for number, name in enumerate(SUSPECTS):
        seen = _claims(number, name, arguments.claims)
        together += seen
        _write(arguments.output, "null relearning", name, seen, arguments.claims)
    claims = arguments.claims * len(SUSPECTS)
    _write(arguments.output, "null relearning together", "all", together, claims)


def _network(seed: int) -> Classifier:
    """A dense network with few neurons, in double precision, with random weights."""
    model = build_model(
        "dense", shape=SHAPE, class_count=CLASSES, mean=[0.5], std=[0.3], seed=seed
    ).double()
    state = dict(model.state_dict())
    for place, size in zip((1, 3), HIDDEN, strict=True):
        for name in ("weight", "bias"):
            state[f"features.{place}.{name}"] = state[f"features.{place}.{name}"][:size]
        reader = f"features.{place + 2}.weight"
        state[reader] = state[reader][:, :size]
    return with_widths(model, {name: tensor.clone() for name, tensor in state.items()})


def _claims(number: int, name: str, claims: int) -> np.ndarray:
    """How many claims reach each threshold."""
    model = _network(number)
    with torch.no_grad():
        SUSPECTS[name](model)
    random = np.random.default_rng([15, number])
    images = torch.from_numpy(random.random((COUNT, *SHAPE)))
    with torch.no_grad():
        plain = model(images).numpy()
    seen = np.zeros(len(THRESHOLDS), np.int64)
    for _ in range(claims):
        labels = random.integers(CLASSES, size=COUNT)
        tables = [
            [
                learned_scores(
                    model, form, images[[*trained, *asked]], torch.from_numpy(labels[trained]),
                    range(CLASSES),
                )[0]
                for trained, asked in rounds_of(COUNT)
            ]
            for form in Form
        ]  # fmt: skip
        value = weighted_sum(relearned_ranks(plain, tables, labels.tolist()), CLASSES)
        found = rank_hundredths(value, COUNT, CLASSES)
        seen += [found >= 100 * bits for bits in THRESHOLDS]
    return seen


def _write(path: Path, benchmark: str, name: str, seen: np.ndarray, claims: int) -> None:
    """One line."""
    reached = []
    for place, bits in enumerate(THRESHOLDS):
        least = least_rank_sum(100 * bits, COUNT, CLASSES)
        chance = 0.0
        if least is not None:  # to a hundredth of a bit: exact enough for an expectation
            chance = 2.0 ** (-rank_hundredths(least, COUNT, CLASSES) / 100)
        expected, error = claims * chance, sqrt(max(claims * chance * (1 - chance), 1e-9))
        reached.append(
            {
                "bits": bits,
                "seen": int(seen[place]),
                "expected": round(expected, 1),
                "at_most": round(claims * 2.0**-bits, 1),
                "deviations": round((int(seen[place]) - expected) / error, 2),
            }
        )
    measure.append(path, measure.report(benchmark, suspect=name, claims=claims, reached=reached))


if __name__ == "__main__":
    main()
