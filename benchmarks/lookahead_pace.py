"""What the robust embedding keeps when its look-ahead shows fewer triggers.

In batches of 50, the default for fewer than 20,000 images, a step of the look-ahead costs as much
as in batches of 100 if it asks about as many triggers. For each number of triggers a network is
marked, and attacked by adversaries with several seeds; evidence in bits before allowances (SPEC.md
8.2, 8.4). The owner has 8,000 images of Fashion-MNIST, the adversary 3,000 others, and all 10,000
test images are asked. One JSON line for each attack.
Lines without ``triggers_per_gradient`` asked about 64 (those of ResNet-8 about a mixed batch);
lines with 32 triggers and a weight of 0.15 show what is lost without the weight that fewer triggers
have now. A step of the copy took ``clean_images``, in lines without it a whole batch of 50, as now.

    python benchmarks/lookahead_pace.py --data fashion-mnist.npz \
        --output benchmarks/results/lookahead_pace.jsonl
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import marks
import measure
import numpy as np
import torch
from survival import evidence, part, test_accuracy
from survival_trials import TRIALS

from zkwm.attacks import make_attack
from zkwm.attacks.attack import Adversary, Target
from zkwm.data import ImageData, load_data
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.training import default_settings, embed
from zkwm.training.robust import lookahead
from zkwm.triggers import TriggerSet

OWNER, ADVERSARY = 8_000, 3_000
"""Images."""
ATTACKS = (
    "FTAL, twice the rate",
    "RTAL, the rate",
    "RTAL, twice the rate",
    "RTAL, AdamW 1e-3",
    "laundering, 10 %",
)


def main() -> None:
    """Mark and attack, one line for each attack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="path that zkwm.data can load")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--architecture", default="lenet5")
    parser.add_argument("--triggers", type=int, default=200)
    parser.add_argument("--asked", type=int, nargs="+", default=[32], help="in one step")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--adversaries", type=int, default=2, help="seeds of each attack")
    parser.add_argument("--trials", nargs="+", choices=TRIALS, default=ATTACKS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    whole = load_data(arguments.data)
    for seed in arguments.seeds:
        owner = _owner_of(whole, arguments, seed)
        for asked in arguments.asked:
            for figures in _measured(owner, asked, arguments.trials, arguments.adversaries):
                line = measure.report(
                    "lookahead_pace",
                    architecture=arguments.architecture,
                    owner_images=OWNER,
                    adversary_images=ADVERSARY,
                    triggers=arguments.triggers,
                    steps_per_gradient=lookahead.EVERY,
                    triggers_per_gradient=asked,
                    gradient_weight=round(lookahead.weight(asked), 3),
                    one_pass=True,
                    seed=seed,
                    **figures,
                )
                measure.append(arguments.output, line)


@dataclass(frozen=True)
class _Owner:
    """Who marks a network, and the images of who attacks it."""

    seed: int
    architecture: str
    data: ImageData
    others: ImageData
    triggers: TriggerSet


def _owner_of(whole: ImageData, arguments: argparse.Namespace, seed: int) -> _Owner:
    """Owner and adversary with disjoint images, by a seed."""
    order = np.random.default_rng(seed).permutation(len(whole.train_labels))
    return _Owner(
        seed,
        arguments.architecture,
        part(whole, order[:OWNER]),
        part(whole, order[OWNER : OWNER + ADVERSARY]),
        marks.committed_triggers(
            "secret", arguments.triggers, whole.shape, whole.class_count, number=seed
        ),
    )


def _measured(
    owner: _Owner, asked: int, trials: list[str], adversaries: int
) -> Iterator[dict[str, Any]]:
    """The figures of the marked network, and of each attack by each adversary.

    ``asked`` is the number of triggers in a step of the look-ahead.
    """
    began = time.process_time()
    model = _marked(owner, asked)
    yield _figures("none", owner.seed, model, owner, began)
    for trial in trials:
        chosen = TRIALS[trial]
        for number in range(100 * owner.seed, 100 * owner.seed + adversaries):
            began = time.process_time()
            attack = make_attack(chosen.name, **chosen.parameters)
            target = Target(model, lambda images: model(images).softmax(dim=1))
            stolen = attack.run(target, Adversary(owner.others, seed=number)).model
            yield _figures(trial, number, stolen, owner, began)


def _marked(owner: _Owner, asked: int) -> Classifier:
    """A network of the default robust training, whose look-ahead shows so many triggers."""
    settings = default_settings(
        owner.architecture,
        images=OWNER,
        triggers=len(owner.triggers.labels),
        seed=owner.seed,
        device="cpu",
    )
    lookahead.TRIGGER_SHARE = asked / settings.batch_size
    mean, std = channel_statistics(owner.data.train_images)
    start = build_model(
        owner.architecture,
        shape=owner.data.shape,
        class_count=owner.data.class_count,
        mean=mean,
        std=std,
        seed=owner.seed,
    )
    return embed(start, owner.data, owner.triggers, settings=settings).model


def _figures(
    trial: str, adversary: int, model: Classifier, owner: _Owner, began: float
) -> dict[str, Any]:
    """Accuracy and evidence of one network."""
    return {
        "adversary_seed": adversary,
        "trial": trial,
        "accuracy": test_accuracy(model, owner.data),
        **evidence(model, owner.triggers),
        "processor_seconds": round(time.process_time() - began, 1),
    }


if __name__ == "__main__":
    main()
