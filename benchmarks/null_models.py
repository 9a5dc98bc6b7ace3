"""Matches of 20 unmarked networks under every scheme, and under false claims.

Ten networks of each of two architectures, each trained on its own random part of the training
images; the owner's model and the accuser's models are others. One JSON line for each scheme (its
committed triggers against all networks, and fresh derived labels, tested against the binomial law)
and for each false claim (with labels that the accuser chose, and with derived ones).

    python benchmarks/null_models.py --data fashion-mnist.npz --models FOLDER --output LINES
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import measure
import torch
from safetensors import torch as safetensors

from zkwm.attacks import make_claim
from zkwm.attacks.attack import Adversary
from zkwm.data import ImageData, load_data
from zkwm.evaluation.null_hypothesis.claims import examine_claims
from zkwm.evaluation.null_hypothesis.matches import TriggerTest, examine_null
from zkwm.evaluation.run.throwaway_vault import experiment_vault
from zkwm.extraction.reader import BLACK_BOX, JudgeView
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.nn.inference import matches
from zkwm.nn.seeds import generator
from zkwm.training import default_settings
from zkwm.training.fit import Fit, fit
from zkwm.watermarks import make_watermark
from zkwm.watermarks.watermark import DERIVED, Owner

ARCHITECTURES = ("lenet5", "dense")
SCHEMES = (
    ("adi", {"triggers": 200, "family": "secret"}),
    ("adi", {"triggers": 200, "family": "abstract"}),
    ("zhang", {"kind": "content"}),
    ("zhang", {"kind": "noise"}),
    ("zhang", {"kind": "unrelated"}),
    ("zhang", {"kind": "content", "labels": "derived"}),
    ("le_merrer", {}),
    ("le_merrer", {"labels": "derived"}),
    ("deepsigns_black_box", {}),
    ("uchida", {}),
    ("deepsigns", {}),
    ("tartaglione", {}),
)
CLAIMS = (
    ("false_claim", {"budget": 16}),
    ("false_claim", {"budget": 32}),
    ("false_claim", {"budget": 64}),
    ("key_grinding", {"tries": 1}),
    ("key_grinding", {"tries": 1024}),
    ("key_grinding", {"tries": 16384}),
)


@dataclass(frozen=True)
class Networks:
    """The data and all networks of a run.

    Args:
        whole: The data set.
        own: The owner's half of it.
        innocent: Unmarked networks by architecture.
        accusers: The accuser's networks.
        start: The owner's unmarked network.
        shared: Figures that every line has.
    """

    whole: ImageData
    own: ImageData
    innocent: dict[str, list[Classifier]]
    accusers: list[Classifier]
    start: Classifier
    shared: dict[str, object]

    @property
    def all_innocent(self) -> list[Classifier]:
        """The unmarked networks of all architectures."""
        return [model for models in self.innocent.values() for model in models]

    def owner(self, folder: Path) -> Owner:
        """An owner with a vault in a folder."""
        settings = default_settings(ARCHITECTURES[0], images=len(self.own.train_labels))
        return Owner(experiment_vault(folder), self.own, ARCHITECTURES[0], settings, self.start)


def prepare(description: str) -> tuple[Networks, Path | None]:
    """Read the arguments and train the missing networks; returns them and the file for lines."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", default="fashion-mnist-small")
    parser.add_argument("--models", type=Path, required=True, help="keeps the networks")
    parser.add_argument("--count", type=int, default=10, help="networks of each architecture")
    parser.add_argument("--images", type=int, default=10_000, help="training images of each")
    parser.add_argument("--output", type=Path, help="also append the lines to this file")
    arguments = parser.parse_args()

    whole = load_data(arguments.data)
    half = len(whole.train_labels) // 2
    public, own = _part(whole, 0, half), _part(whole, half, 2 * half)
    train = partial(_network, arguments.models, arguments.images)
    innocent = {
        architecture: [train(public, architecture, number) for number in range(arguments.count)]
        for architecture in ARCHITECTURES
    }
    accusers = [train(own, name, 1000 + number) for name in ARCHITECTURES for number in range(2)]
    start = train(own, ARCHITECTURES[0], 2000)
    every = [model for models in innocent.values() for model in models]
    shared: dict[str, object] = {
        "data": whole.name,
        "networks": len(every),
        "training_images": min(arguments.images, half),
        "accuracies": [round(_accuracy(model, whole), 4) for model in every],
    }
    return Networks(whole, own, innocent, accusers, start, shared), arguments.output


def main() -> None:
    """Print one JSON line for each scheme and claim."""
    networks, output = prepare(str(__doc__).splitlines()[0])
    innocent, shared = networks.all_innocent, networks.shared
    with tempfile.TemporaryDirectory() as folder:
        owner = networks.owner(Path(folder))
        for name, parameters in SCHEMES:
            scheme = make_watermark(name, **parameters)
            commitment = scheme.commit(owner)
            triggers = scheme.trigger_set(owner, commitment)
            view = JudgeView(networks.start, networks.whole.test_images[:200])
            test = TriggerTest(
                name,
                triggers,
                derived=scheme.labels == DERIVED,
                extract=partial(scheme.reader().extract, leaves=triggers.images, view=view),
            )
            asked = innocent if scheme.access == BLACK_BOX else networks.innocent[ARCHITECTURES[0]]
            (row,) = examine_null(asked, [test])
            figures = shared | {"parameters": parameters, "access": scheme.access} | asdict(row)
            report(output, "null models", figures)
    classes = networks.whole.class_count
    for name, parameters in CLAIMS:
        claim = make_claim(name, **parameters)
        result = examine_claims(
            claim, innocent, networks.accusers, Adversary(networks.own), classes
        )
        figures = shared | {"parameters": parameters, "own_models": len(networks.accusers)}
        figures |= asdict(result)
        report(output, "false claims", figures)


def report(output: Path | None, name: str, figures: dict[str, object]) -> None:
    """Print a line, and append it to the file."""
    line = measure.report(name, **figures)
    if output:
        measure.append(output, line)


def _part(data: ImageData, first: int, last: int) -> ImageData:
    """Training images from ``first`` to ``last``, with all test images."""
    images, labels = data.train_images[first:last], data.train_labels[first:last]
    return ImageData(
        images, labels, data.test_images, data.test_labels, data.class_count, data.name
    )


def _network(
    folder: Path, images: int, data: ImageData, architecture: str, number: int
) -> Classifier:
    """A network trained for five epochs on random images, or loaded from an earlier run.

    Args:
        folder: Keeps networks.
        images: How many to train on.
        data: Where they are drawn from.
        architecture: Of the network.
        number: Decides images and weights.
    """
    mean, std = channel_statistics(data.train_images)
    model = build_model(
        architecture,
        shape=data.shape,
        class_count=data.class_count,
        mean=mean,
        std=std,
        seed=number,
    )
    path = folder / f"{data.name}-{architecture}-{images}-{number}.safetensors"
    if path.exists():
        model.load_state_dict(safetensors.load(path.read_bytes()))
        return model.eval()
    random = generator(number, "null model")
    chosen = torch.randperm(len(data.train_labels), generator=random)[:images]
    plan = Fit(epochs=5, rate=0.05, batch_size=100)
    pictures, labels = torch.tensor(data.train_images), torch.tensor(data.train_labels)
    fit(model, pictures[chosen], labels[chosen], plan, seed=number)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(safetensors.save(model.state_dict()))
    return model


def _accuracy(model: Classifier, data: ImageData) -> float:
    """The share of test images with the right label."""
    images, labels = torch.tensor(data.test_images), torch.tensor(data.test_labels)
    return matches(model, images, labels) / len(labels)


if __name__ == "__main__":
    main()
