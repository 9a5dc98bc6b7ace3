"""Bits by matches, ranks, points and relearning on the same attacked marks (SPEC.md 8.2 to 8.7).

LeNet-5 with 6,100 images of the owner's and 1,600 of the adversary's, 200 key-drawn triggers of the
family ``secret`` with derived labels, and attacks of ``survival_trials`` and ``UNSEEN``, which were
never looked at when relearning's constants were chosen; the owners are those of
``three_statistics``. One JSON line for each owner and attack, bits before allowances; attacked
models are kept, and lines that are there are not made again.

    python benchmarks/relearning.py --data fashion-mnist.npz --models /tmp/models \
        --output benchmarks/results/relearning.jsonl
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import marks
import measure
import numpy as np
import torch
from numpy.typing import NDArray
from relearning_disguises import DISGUISES, disguised
from survival_trials import RATE, TRIALS
from three_statistics import ADVERSARY, OWNER, TESTED, TRIGGERS, _bits, _blocks, _part

from zkwm.attacks import make_attack
from zkwm.attacks.attack import Adversary, Target
from zkwm.data import ImageData, load_data
from zkwm.evaluation.plan.experiment import scratch_epochs
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import matches
from zkwm.suspects.learner import learned_scores
from zkwm.training import default_settings, embed
from zkwm.triggers import TriggerSet
from zkwm_protocols.rank_tails import rank_hundredths
from zkwm_protocols.ranks import weighted_sum
from zkwm_protocols.relearning import Form, relearned_ranks, rounds_of

OWNERS = ((31, "robust"), (33, "robust"), (32, "plain"))
ATTACKS = (
    "none",
    "laundering, 10 %",
    "RTAL, AdamW 1e-3",
    "RTAL, twice the rate",
    "fakes of an opened block, uniform",
    "fine-pruning 96 %",
    "fakes that the network is sure of",
    "another owner's network",
)
_LIKE_SCRATCH = {"architecture": "lenet5", "epochs": 0, "batch_size": 100}
UNSEEN = {
    "FST at the rate": ("feature_shift_tuning", {"rate": RATE}),
    "dehydra, uniform": (
        "dehydra", {"labels": "uniform", "images": 50, "steps": 50, "statistics": 0.0}
    ),
    "merging, half": ("merging", {"share": 0.5}),
    "merging, 70 % of the other": ("merging", {"share": 0.7}),
    "FTAL after strong decay": (
        "fine_tuning",
        {"which": "FTAL", "rate": RATE, "schedule": "cosine", "decay_epochs": 5,
         "strong_decay": 0.03},
    ),
    "extraction, soft": ("extraction", {"labels": "soft", **_LIKE_SCRATCH}),
    "extraction, hard": ("extraction", {"labels": "hard", **_LIKE_SCRATCH}),
}  # fmt: skip
"""Attacks by name and parameters, on one robust and one plain mark."""
FRESH = ((41, "robust"), (42, "plain"))
FRESH_ATTACKS = (
    "none", "laundering, 10 %", "RTAL, AdamW 1e-3", "FST at the rate", "dehydra, uniform",
    "another owner's network",
)  # fmt: skip
"""Owners on whose models nothing was chosen, and the attacks on them."""
OTHER = dict.fromkeys((32, 33, 41, 42), (31, "robust")) | {31: (33, "robust")}
"""Another owner for each: of an innocent network, and of the second theft that is merged."""


def main() -> None:
    """Train, attack, ask and count what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="path that zkwm.data can load")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--models", type=Path, required=True, help="folder for attacked models")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.models.mkdir(parents=True, exist_ok=True)
    whole = load_data(arguments.data)
    cells = [
        (seed, kind, name)
        for name in (*ATTACKS, *UNSEEN)
        for seed, kind in (OWNERS if name in ATTACKS else (OWNERS[0], OWNERS[2]))
    ]
    cells += [(seed, kind, name) for name in FRESH_ATTACKS for seed, kind in FRESH]
    cells += [(seed, kind, name) for name in DISGUISES for seed, kind in (OWNERS[0], *FRESH)]
    for seed, kind, name in cells:
        key = {"data": whole.name, "seed": seed, "kind": kind, "attack": name}
        known = measure.lines(arguments.output)
        if any(all(line[field] == key[field] for field in key) for line in known):
            continue
        line = _measured(whole, seed, kind, name, arguments.models)
        measure.append(arguments.output, measure.report("relearning", **key, **line))


def _measured(whole: ImageData, seed: int, kind: str, name: str, folder: Path) -> dict[str, Any]:
    """Accuracy, and bits of one suspect."""
    triggers = marks.committed_triggers(
        "secret", TRIGGERS, whole.shape, whole.class_count, number=seed
    )
    if name == "another owner's network":
        model = _suspect(whole, *OTHER[seed], "none", folder)
    elif name in DISGUISES:
        order = np.random.default_rng(seed).permutation(len(whole.train_labels))
        known = torch.tensor(_part(whole, order[OWNER : OWNER + ADVERSARY]).train_images)
        stolen = _suspect(whole, seed, kind, name.partition(";")[0], folder)
        model = disguised(stolen, name, known, seed)
    else:
        model = _suspect(whole, seed, kind, name, folder)
    if TRIALS[name].parameters.get("kind") == "opened" if name in TRIALS else False:
        triggers = _blocks(triggers, 50, TRIGGERS)  # an opened block is not asked about
    images = torch.tensor(whole.test_images[:TESTED])
    right = matches(model, images, torch.tensor(whole.test_labels[:TESTED]))
    with torch.no_grad():
        scores = model(as_unit(torch.tensor(triggers.images))).double().numpy()
    labels = triggers.labels.tolist()
    start = time.process_time()
    tables, steps = _relearned(model, triggers, scores.shape[1])
    seconds = time.process_time() - start
    ranks = relearned_ranks(scores, tables, labels)
    alone = [relearned_ranks(scores, [one], labels) for one in tables]
    bits = [
        rank_hundredths(weighted_sum(one, whole.class_count), len(labels), whole.class_count) / 100
        for one in (ranks, *alone)
    ]
    return {
        "accuracy": round(right / TESTED, 4),
        "asked": len(labels),
        **_bits(scores, labels),
        "bits_by_relearning": bits[0],
        "bits_by_form": bits[1:],
        "first_of_each_part": [
            sum(ranks[i] == 0 for i in range(part, len(labels), 8)) for part in range(8)
        ],
        "steps": steps,
        "seconds": round(seconds, 2),
    }


def _relearned(
    model: Classifier, triggers: TriggerSet, class_count: int
) -> tuple[list[list[NDArray[np.float64]]], list[list[int]]]:
    """The scores, and the steps of each round, in each form."""
    images, outputs = as_unit(torch.tensor(triggers.images)), range(class_count)
    labels, tables, steps = torch.tensor(triggers.labels), [], []
    for form in Form:
        tables.append([])
        steps.append([])
        for trained, asked in rounds_of(len(labels)):
            both = images[[*trained, *asked]]
            table, taken = learned_scores(model, form, both, labels[trained], outputs)
            tables[-1].append(table)
            steps[-1].append(taken)
    return tables, steps


def _suspect(whole: ImageData, seed: int, kind: str, name: str, folder: Path) -> Classifier:
    """The marked or attacked model, trained unless it is kept."""
    order = np.random.default_rng(seed).permutation(len(whole.train_labels))
    owner = _part(whole, order[:OWNER])
    mean, std = channel_statistics(owner.train_images)
    model = build_model(
        "lenet5", shape=owner.shape, class_count=whole.class_count, mean=mean, std=std, seed=seed
    )
    path = folder / f"{kind}-{seed}-{name.replace(' ', '_').replace(',', '')}.npz"
    if path.exists():
        with np.load(path) as kept:
            model.load_state_dict({key: torch.from_numpy(kept[key]) for key in kept.files})
        return model.eval()
    triggers = marks.committed_triggers(
        "secret", TRIGGERS, whole.shape, whole.class_count, number=seed
    )
    settings = default_settings(
        "lenet5", images=OWNER, triggers=TRIGGERS, seed=seed, device="cpu", method=kind
    )
    if name == "none":
        found = embed(model, owner, triggers, settings=settings).model
    else:
        marked = _suspect(whole, seed, kind, "none", folder)
        if name in UNSEEN:
            attack, parameters = UNSEEN[name]
        else:
            attack, parameters = TRIALS[name].name, TRIALS[name].parameters
        opened = parameters.get("kind") == "opened"
        target = Target(
            marked,
            lambda images: marked(images).softmax(dim=1),
            _blocks(triggers, 0, 50) if opened else None,
        )
        thief = Adversary(
            _part(whole, order[OWNER : OWNER + ADVERSARY]),
            seed=seed,
            scratch_images=scratch_epochs(settings, OWNER, ADVERSARY) * ADVERSARY,
            second_theft=_suspect(whole, *OTHER[seed], "none", folder),
        )
        found = make_attack(attack, **parameters).run(target, thief).model
    np.savez(path, **{key: value.numpy() for key, value in found.state_dict().items()})
    return _suspect(whole, seed, kind, name, folder)


if __name__ == "__main__":
    main()
