"""Marks in answers: bits left in surrogates, for DynaMarks and DAWN, and the cost in answers.

A LeNet-5 trained on 20,000 images of Fashion-MNIST answers queries of 6,000 others (or digits of
MNIST); a surrogate learns the answers, and is fine-tuned on true labels. One JSON line for each
surrogate.

    ZKWM_DATA=../shared/data python benchmarks/answers.py --rows soft,hard,dawn-2-soft \
        --output benchmarks/results/answers.jsonl
"""

from __future__ import annotations

import argparse
import copy
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import measure
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.model_extraction.extraction import Extraction
from zkwm.data import ImageData, load_data
from zkwm.extraction.dynamarks_regression import features
from zkwm.extraction.reader import JudgeView
from zkwm.nn.architectures import Classifier
from zkwm.nn.inference import logits, predictions
from zkwm.owner.vault import Vault
from zkwm.training import default_settings
from zkwm.training.fit import Fit, fit
from zkwm.watermarks.active.dawn import Dawn
from zkwm.watermarks.active.dynamarks import DynaMarks
from zkwm.watermarks.watermark import Api, Marked, Owner, Watermark, evidence, matches
from zkwm_protocols.commitment import Commitment

OWNER_IMAGES, ADVERSARY_IMAGES, PROBES, NOISE = 20_000, 6_000, 5_000, 0.01
SHARPENED, FACTOR = "last layer times 3", 3.0


@dataclass(frozen=True)
class Row:
    """One surrogate.

    Args:
        scheme: Of the service.
        how: Parameters of the extraction.
        alteration: What the adversary does to the answers, or, for ``SHARPENED``, to the surrogate.
        plain: Whether the service answers without a mark.
    """

    scheme: Watermark = field(default_factory=DynaMarks)
    how: dict[str, Any] = field(default_factory=dict)
    alteration: str = ""
    plain: bool = False


ROWS = {
    "soft": Row(),
    "longer": Row(how={"epochs": 60}),
    "dense": Row(how={"architecture": "dense"}),
    "cnn3": Row(how={"architecture": "cnn3"}),
    "knockoff": Row(how={"queries": "mnist"}),
    "hard": Row(how={"labels": "hard"}),
    "rounded": Row(alteration="two decimals"),
    "top-3": Row(alteration="top 3"),
    "temperature": Row(alteration="temperature 2"),
    "uniform": Row(alteration="other classes alike"),
    "subtracted": Row(alteration="subtracted"),
    "sharpened": Row(alteration=SHARPENED),
    "unmarked": Row(plain=True),
    "strong": Row(scheme=DynaMarks(floor=0.02)),
    "dawn-2-soft": Row(scheme=Dawn(rate=0.02)),
    "dawn-2-hard": Row(scheme=Dawn(rate=0.02), how={"labels": "hard"}),
    "dawn-5-soft": Row(scheme=Dawn(rate=0.05)),
    "dawn-5-hard": Row(scheme=Dawn(rate=0.05), how={"labels": "hard"}),
    "dawn-5-knockoff": Row(scheme=Dawn(rate=0.05), how={"queries": "mnist"}),
}


def main() -> None:
    """Print one JSON line for each row that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--victim", type=Path, help="where the victim's weights are, or will be")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    data = load_data(Path(os.environ["ZKWM_DATA"]) / "fashion-mnist.npz")
    owner_data, other = (
        _part(data, 0, OWNER_IMAGES),
        _part(data, OWNER_IMAGES, OWNER_IMAGES + ADVERSARY_IMAGES),
    )
    with TemporaryDirectory() as folder:
        vault = Vault.create(Path(folder) / "owner.vault", "a benchmark's vault")
        owner = Owner(vault, owner_data, "lenet5", default_settings("lenet5"))
        model = _victim(owner, asked.victim)
        owner = Owner(vault, owner_data, "lenet5", owner.settings, model)
        for name in asked.rows.split(","):
            figures = _measured(ROWS[name], owner, Adversary(other, asked.seed), asked.epochs)
            figures = {"row": name, "epochs": asked.epochs, "seed": asked.seed, **figures}
            result = measure.report("answers", **figures)
            if asked.output:
                measure.append(asked.output, result)


def _part(data: ImageData, start: int, stop: int) -> ImageData:
    """Training images from ``start`` to ``stop``, with all test images."""
    return ImageData(
        data.train_images[start:stop],
        data.train_labels[start:stop],
        data.test_images,
        data.test_labels,
        data.class_count,
        data.name,
    )


def _victim(owner: Owner, path: Path | None) -> Classifier:
    """The model behind the service, trained or loaded from ``path``."""
    model = owner.untrained()
    if path and path.exists():
        model.load_state_dict(torch.load(path, weights_only=True))
        return model.eval()
    images = torch.tensor(owner.data.train_images)
    labels = torch.tensor(owner.data.train_labels)
    fit(model, images, labels, Fit(epochs=12, rate=0.05, batch_size=100), seed=100)
    if path:
        torch.save(model.state_dict(), path)
    return model


def _measured(row: Row, owner: Owner, adversary: Adversary, epochs: int) -> dict[str, Any]:
    """The figures of one surrogate, of the same fine-tuned, and of the victim."""
    scheme, model = row.scheme, owner.trained_start()
    commitment = scheme.commit(owner)
    marked = Marked(model, 0.0) if row.plain else scheme.embed(owner, commitment)
    served = _fidelity(scheme, owner, commitment, adversary, model, row.plain)
    started = time.monotonic()
    api = _altered(row.alteration, marked.answers(), adversary)
    plan = {"architecture": "lenet5", "epochs": epochs, "batch_size": 100, **row.how}
    stolen = Extraction(**plan).run(Target(model, api), adversary)
    if row.alteration == SHARPENED:
        _sharpen(stolen.model)
    judged = scheme.logged(marked) or scheme.trigger_set(owner, commitment)
    view = JudgeView(model, adversary.data.test_images[:PROBES])
    tuned = copy.deepcopy(stolen.model)
    images = torch.tensor(adversary.data.train_images)
    labels = torch.tensor(adversary.data.train_labels)
    fit(tuned, images, labels, Fit(epochs=5, rate=0.01, batch_size=100), seed=adversary.seed)
    figures: dict[str, Any] = {
        "scheme": scheme.name,
        "parameters": asdict(scheme),
        "learned": plan,
        "thief": row.alteration,
        "served": served,
        "victim_accuracy": _accuracy(model, adversary.data),
        "trials": len(judged.labels),
        "seconds": round(time.monotonic() - started, 1),
    }
    for name, suspect in (("surrogate", stolen.model), ("fine_tuned", tuned), ("victim", model)):
        count = matches(scheme.reader().extract(suspect, judged.images, view), judged)
        assessed = evidence(count, judged)
        figures[name] = {
            "accuracy": _accuracy(suspect, adversary.data),
            "matches": count,
            "bits" if scheme.labels == "derived" else "nominal_bits": assessed.terms[0].bits,
            "after_allowances": assessed.total_bits,
        }
    return figures


def _accuracy(model: torch.nn.Module, data: ImageData) -> float:
    """The share of test images with the right label."""
    answers = predictions(model, torch.tensor(data.test_images)).numpy()
    return float((answers == data.test_labels).mean())


def _fidelity(
    scheme: Watermark,
    owner: Owner,
    commitment: Commitment,
    adversary: Adversary,
    model: Classifier,
    plain: bool,
) -> dict[str, float]:
    """Differences between served answers and the model's.

    Asks a new service, so that the log of the measured one (DAWN) is not touched.
    """
    if plain:
        return {}
    api = scheme.embed(owner, commitment).answers()
    images = torch.tensor(adversary.data.train_images).float() / 255
    before, after = logits(model, images).softmax(dim=1), api(images)
    noise = NOISE * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    noisy = (images + noise).clamp(0, 1)
    shifted = (api(noisy).log() - after.log()).abs().mean()
    own_shift = (logits(model, noisy).log_softmax(1) - before.log()).abs().mean()
    difference = (after - before).abs()
    return {
        "mean_l1": round(float(difference.sum(dim=1).mean()), 4),
        "largest_change": round(float(difference.max()), 4),
        "first_class_kept": float((before.argmax(1) == after.argmax(1)).float().mean()),
        "same_when_asked_again": float(torch.equal(after, api(images))),
        "log_shift_by_noise": round(float(shifted), 4),
        "log_shift_of_the_model_by_noise": round(float(own_shift), 4),
        "first_class_kept_under_noise": float(
            (api(noisy).argmax(1) == after.argmax(1)).float().mean()
        ),
    }


def _altered(how: str, api: Api, adversary: Adversary) -> Api:
    """The service behind what the adversary does to its answers."""
    if how == "subtracted":
        return _subtracted(api, adversary)
    changes: dict[str, Callable[[Tensor], Tensor]] = {
        "": lambda p: p,
        SHARPENED: lambda p: p,
        "two decimals": lambda p: _scaled((p * 100).round() / 100),
        "top 3": lambda p: _scaled(p * (p >= p.topk(3, dim=1).values[:, -1:])),
        "temperature 2": lambda p: _scaled(p.sqrt()),
        "other classes alike": _alike,
    }
    return lambda images: changes[how](api(images))


def _sharpen(model: nn.Module) -> None:
    """Multiply the last layer: each first class stays, and the others' probabilities fall."""
    last = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.mul_(FACTOR)
        last.bias.mul_(FACTOR)


def _scaled(p: Tensor) -> Tensor:
    """Probabilities that sum to 1 again."""
    return p / p.sum(dim=1, keepdim=True)


def _alike(p: Tensor) -> Tensor:
    """The first class as answered, all others the same."""
    first = _first(p)
    largest = (p * first).sum(dim=1, keepdim=True)
    return first * largest + (1 - first) * (1 - largest) / (p.shape[1] - 1)


def _subtracted(api: Api, adversary: Adversary) -> Api:
    """Answers less the estimated mark, by an adversary who knows the scheme.

    Their own model, trained on first classes, stands in for the reference. They fit the change of
    log-probabilities by least squares on the images' low frequencies, for each class where it is
    not the first, and subtract it.
    """
    images = torch.tensor(adversary.data.train_images).float() / 255
    answers = api(images)
    attack = Extraction(labels="hard", architecture="lenet5", epochs=15, batch_size=100)
    model = attack.run(Target(None, api), adversary).model
    mine = (logits(model, images).softmax(dim=1) + 0.01) / (1 + 0.01 * answers.shape[1])
    others = 1 - _first(answers)
    change = (answers.log() - mine.log()) * others
    change = (change - change.sum(dim=1, keepdim=True) / (answers.shape[1] - 1)) * others
    x = features(images)
    ridge = len(x) / 10_000 * torch.eye(x.shape[1])
    fitted = torch.stack(
        [
            torch.linalg.solve(x[kept].T @ x[kept] + ridge, x[kept].T @ change[kept, number])
            for number, kept in enumerate(others.bool().T)
        ],
        dim=1,
    )

    def cleaned(asked: Tensor) -> Tensor:
        given = api(asked)
        return _scaled(given * (-(features(asked) @ fitted) * (1 - _first(given))).exp())

    return cleaned


def _first(answers: Tensor) -> Tensor:
    """One-hot of each answer's first class, float32 (n, C)."""
    return functional.one_hot(answers.argmax(dim=1), answers.shape[1]).float()


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    torch.set_num_threads(1)
    main()
