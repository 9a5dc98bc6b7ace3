"""Bits by matches, ranks and points on the same answers of attacked marks (SPEC.md 8.2, 8.4, 8.6).

LeNet-5 with 6,100 images of the owner's and 1,600 of the adversary's, 200 key-drawn triggers of the
family ``secret`` with derived labels, robust and plain embedding, three seeds each, and attacks of
``survival_trials``. Each suspect is asked once; then its scores are counted as they are, and as a
thief would hand them out who keeps every answer: each row times a factor, rows rewritten in their
order, or below the first class at random. One JSON line for each seed, attack and way, bits before
allowances; raw scores are kept and lines that are there are not made again.

    python benchmarks/three_statistics.py --data fashion-mnist.npz --scores /tmp/scores \
        --output benchmarks/results/three_statistics.jsonl
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import marks
import measure
import numpy as np
import torch
from numpy.typing import NDArray
from survival_trials import TRIALS
from torch import nn

from zkwm.attacks import make_attack
from zkwm.attacks.attack import Adversary, Target
from zkwm.data import ImageData, load_data
from zkwm.nn.architectures import build_model, channel_statistics
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import matches
from zkwm.training import default_settings, embed
from zkwm.triggers import TriggerSet
from zkwm_protocols.evidence import assess
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import ranks, weighted_sum
from zkwm_protocols.score_points import points
from zkwm_protocols.score_tails import ScoreLaw, score_sum

OWNER, ADVERSARY, TRIGGERS, TESTED = 6_100, 1_600, 200, 3_000
KINDS = (
    (31, "robust"),
    (32, "plain"),
    (33, "robust"),
    (34, "plain"),
    (35, "robust"),
    (36, "plain"),
)
ATTACKS = (
    "RTAL, twice the rate",
    "RTAL, AdamW 1e-3",
    "laundering, 10 %",
    "fakes of an opened block, uniform",
    "FTAL, twice the rate",
    "fine-pruning 96 %",
    "fakes of blocks, random",
    "fakes that the network is sure of",
)
Scores = NDArray[np.float64]


def main() -> None:
    """Train, attack, ask and count what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="path that zkwm.data can load")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--scores", type=Path, required=True, help="folder for raw scores")
    parser.add_argument("--seeds", type=int, nargs="+", default=[seed for seed, _ in KINDS])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.scores.mkdir(parents=True, exist_ok=True)
    whole = load_data(arguments.data)
    for seed, kind in KINDS:
        if seed in arguments.seeds:
            _ask(whole, seed, kind, arguments.scores)
            _count(whole.name, seed, kind, arguments)


def _ask(whole: ImageData, seed: int, kind: str, folder: Path) -> None:
    """Keep the scores of the marked model and of each attacked one that are not there yet."""
    missing = [name for name in ATTACKS if not _file(folder, kind, seed, name).exists()]
    if not missing:
        return
    order = np.random.default_rng(seed).permutation(len(whole.train_labels))
    owner, thief = (
        _part(whole, order[:OWNER]),
        _part(whole, order[OWNER : OWNER + ADVERSARY]),
    )
    triggers = marks.committed_triggers(
        "secret", TRIGGERS, whole.shape, whole.class_count, number=seed
    )
    mean, std = channel_statistics(owner.train_images)
    start = build_model(
        "lenet5", shape=owner.shape, class_count=whole.class_count, mean=mean, std=std, seed=seed
    )
    settings = default_settings(
        "lenet5", images=OWNER, triggers=TRIGGERS, seed=seed, device="cpu", method=kind
    )
    marked = embed(start, owner, triggers, settings=settings).model
    _keep(_file(folder, kind, seed, "none"), marked, triggers, whole)
    for name in missing:
        trial = TRIALS[name]
        opened, asked = None, triggers  # an opened block is not asked about
        if trial.parameters.get("kind") == "opened":
            opened, asked = _blocks(triggers, 0, 50), _blocks(triggers, 50, TRIGGERS)
        result = make_attack(trial.name, **trial.parameters).run(
            Target(marked, lambda images: marked(images).softmax(dim=1), opened),
            Adversary(thief, seed=seed),
        )
        _keep(_file(folder, kind, seed, name), result.model, asked, whole)


@torch.no_grad()
def _keep(path: Path, model: nn.Module, triggers: TriggerSet, whole: ImageData) -> None:
    """Store scores float32 (n, C), labels, and the accuracy on the first test images."""
    model.eval()
    scores = model(as_unit(torch.tensor(triggers.images))).numpy()
    images = torch.tensor(whole.test_images[:TESTED])
    right = matches(model, images, torch.tensor(whole.test_labels[:TESTED]))
    np.savez(path, scores=scores, labels=triggers.labels, accuracy=round(right / TESTED, 4))


def _count(data: str, seed: int, kind: str, arguments: argparse.Namespace) -> None:
    """The lines of one owner that are not there yet."""
    for name in ("none", *ATTACKS):
        with np.load(_file(arguments.scores, kind, seed, name)) as kept:
            scores, labels = kept["scores"].astype(np.float64), kept["labels"].tolist()
            accuracy = float(kept["accuracy"])
        for way, handed in _ways(scores, seed):
            key = {"data": data, "seed": seed, "kind": kind, "attack": name, "way": way}
            known = measure.lines(arguments.output)
            if any(all(line[field] == key[field] for field in key) for line in known):
                continue
            line = measure.report(
                "three statistics",
                **key,
                accuracy=accuracy,
                asked=len(labels),
                **_bits(handed, labels),
            )
            measure.append(arguments.output, line)


def _bits(scores: Scores, labels: list[int]) -> dict[str, Any]:
    """Matches, and bits before allowances by each statistic."""
    count, classes = scores.shape
    matched = int((scores.argmax(axis=1) == labels).sum())
    rows = [row.tobytes() for row in points(scores)]
    ways: dict[str, dict[str, Any]] = {
        "matches": {},
        "ranks": {"rank_sum": weighted_sum(ranks(scores, labels), classes)},
        "scores": {"score_sum": (score_sum(rows, labels), ScoreLaw.of(rows, classes))},
    }
    bits = {
        f"bits_by_{name}": assess(
            matched, blocks_used=1, block_count=1, block_size=count, class_count=classes,
            policy=Policy(), **sums,
        ).terms[0].bits
        for name, sums in ways.items()
    }  # fmt: skip
    return {"matches": matched, **bits}


def _ways(scores: Scores, seed: int) -> Iterator[tuple[str, Scores]]:
    """The scores as they are, and as a thief hands them out who keeps every answer."""
    random = np.random.default_rng(seed)
    count, classes = scores.shape
    yield "as they are", scores
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    yield "probabilities", shares
    yield "probabilities, one row times 0.9", np.concatenate([0.9 * shares[:1], shares[1:]])
    yield "each row times exp(3z)", scores * np.exp(3 * random.normal(size=(count, 1)))
    yield "three rows times 1,000", np.concatenate([1000 * scores[:3], scores[3:]])
    place = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
    yield "four nearly tied at the top", np.where(place < 4, 1 - 1e-6 * place, -1.0 * place)
    yield "all but four nearly tied", np.where(place < 4, 20.0 - place, -1e-9 * place)
    yield "places alone", -1.0 * place
    noise = random.normal(size=(count, classes))
    first = noise.max(axis=1, keepdims=True) + random.random((count, 1))
    yield "first class alone, others random", np.where(place == 0, first, noise)
    yield "first class alone, others equal", np.where(place == 0, 1.0, 0.0)


def _part(data: ImageData, numbers: NDArray[np.int64]) -> ImageData:
    """The training images with these numbers, int64 (n,), and all test images."""
    return replace(
        data,
        train_images=data.train_images[numbers],
        train_labels=data.train_labels[numbers],
    )


def _blocks(triggers: TriggerSet, first: int, last: int) -> TriggerSet:
    """The triggers from ``first`` to before ``last``, whole blocks."""
    part = slice(first, last)
    return replace(triggers, images=triggers.images[part], labels=triggers.labels[part])


def _file(folder: Path, kind: str, seed: int, attack: str) -> Path:
    """The raw scores of a model."""
    return folder / f"{kind}-{seed}-{attack.replace(' ', '_').replace(',', '')}.npz"


if __name__ == "__main__":
    main()
