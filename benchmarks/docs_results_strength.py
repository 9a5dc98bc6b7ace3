"""What of a grid's attacks differs from their sources, and what a mark was trained against.

A sentence for the page of results, where the grid has such an attack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Line = dict[str, Any]


@dataclass(frozen=True)
class Weaker:
    """An attack whose parameter may be below its source's.

    Attributes:
        attack: Its name in ``zkwm.attacks``.
        parameter: Of the attack; 0 is none at all, and not weaker.
        source: The least value in the sources.
        sentence: For the page; ``{}`` stands for the values that are measured.
    """

    attack: str
    parameter: str
    source: float
    sentence: str

    def told(self, lines: list[Line]) -> str:
        """The sentence; empty where no line is weaker."""
        values = {
            float(line["attack_parameters"].get(self.parameter, 0))
            for line in lines
            if line["attack_name"] == self.attack
        }
        below = sorted(value for value in values if 0 < value < self.source)
        return self.sentence.format(" or ".join(f"{value:,g}" for value in below)) if below else ""


WEAKER = (
    Weaker("fine_tuning", "epochs", 30,
           "fine-tuning lasts {} epochs (Gan et al. 2023: 30, sbaresearch: up to 100)"),
    Weaker("fine_tuning", "label_smoothing", 0.3,
           "labels are smoothed by {} (Lukas et al. 2022: 0.3)"),
    Weaker("fine_tuning", "strong_decay", 0.1, "strong decay is {} (Lukas et al.: 0.1)"),
    Weaker("fine_pruning", "share", 0.8,
           "fine-pruning takes a share of {} of the last convolution's channels (Lukas et al.: "
           "0.96, Gan et al.: 0.8 to 0.95)"),
    Weaker("laundering", "steps", 2000,
           "laundering searches a stamp in {} steps of 10 images (toolbox of Lukas et al.: 25 "
           "epochs of all images)"),
    Weaker("partial_laundering", "images_per_pair", 64,
           "partial laundering searches with {} images a step (toolbox: 64)"),
    Weaker("adversarial_training", "levels", 26,
           "adversarial training moves pixels by {} of 255 levels (Lukas et al.: 3, 26 and 64)"),
    Weaker("dehydra", "images", 250,
           "dehydra inverts {} images of a class (Lu et al. 2024: 250)"),
    Weaker("dehydra", "steps", 400, "dehydra takes {} steps (Lu et al.: 400 for LeNet-5)"),
    Weaker("data_free_extraction", "budget", 2e6,
           "data-free extraction asks {} times (Truong et al. 2021: 2 to 20 million)"),
)  # fmt: skip

OTHERWISE = {
    "laundering": "laundering uses a stamp for each class, where Aiken et al. 2020 have one for "
    "each pair of classes and the toolbox keeps that of the smallest norm; it blends stamps in, "
    "where the toolbox adds them; and it resets neurons in the later half of the layers, by mean "
    "activations (the toolbox: a channel's largest) in units of the layer's mean, those that "
    "become less active too, and at most a fifth of a layer",
    "hypergradient_unlearning": "`hypergradient_unlearning` (I-BAU) keeps the perturbation in an "
    "L2 ball of radius 10, as Zeng et al. 2022 and their notebooks do and their `defense.py` does "
    "not",
}
"""Attacks that are neither weaker nor as their sources have them, compared with their code.

Here, because cells are keyed by the bytes of an attack's module: a word in it measures them again.
"""

SECOND_THEFT = (
    "Two thefts: the second network is another owner's and unmarked; its images may be those of "
    "the first owner or of the adversary."
)
TRAINED_AGAINST = (
    "The robust embedding simulates FTAL and RTAL at up to twice the rate and shows noise of three "
    "kinds as decoys, so fine-tuning and unlearning by noise test what it was trained for; its "
    "constants were chosen on Fashion-MNIST with the network cnn2 (`survival_search.jsonl`)."
)


def strengths(lines: list[Line]) -> Iterator[str]:
    """One paragraph on the attacks that were measured; none where nothing applies."""
    sentences = []
    if weaker := [text for part in WEAKER if (text := part.told(lines))]:
        sentences.append(
            f"Weaker than in their sources, for time or to keep accuracy: {'; '.join(weaker)}."
        )
    attacks = {line["attack_name"] for line in lines}
    if otherwise := [text for name, text in OTHERWISE.items() if name in attacks]:
        sentences.append(f"Otherwise than in their sources: {'; '.join(otherwise)}.")
    if attacks & {"merging", "ensemble"}:
        sentences.append(SECOND_THEFT)
    if any(line["parameters"].get("method") == "robust" for line in lines):
        sentences.append(TRAINED_AGAINST)
    if sentences:
        yield f"{' '.join(sentences)}\n"
