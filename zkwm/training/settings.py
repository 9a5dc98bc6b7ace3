"""Hyperparameters of the owner's training: the paper's values and measured defaults.

Free of torch, so that a command line can list the choices quickly.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm_protocols.errors import UsageError

METHODS = ("robust", "plain")
"""How triggers are embedded: robustly (``zkwm.training.robust``), or as Adi et al. 2018 did."""
FROZEN_HEAD, HEAD_AND_DECOYS = "frozen head", "frozen head and decoys"
ABLATIONS = (FROZEN_HEAD, HEAD_AND_DECOYS)
"""The robust method without decoys and look-ahead, and without look-ahead, for comparisons."""

SOUGHT = "sought decoys"
"""The robust method with decoys that are moved to where the network is sure: research
(``zkwm.training.robust.sought_decoys``).
"""
PERTURBED = "perturbed weights"
"""The robust method with triggers at perturbed weights in place of the look-ahead: research
(``zkwm.training.robust.perturbed_weights``).
"""

SCHEDULES = ("step", "cosine", "linear")
OPTIMIZERS = ("sgd", "muon")
AUGMENTATIONS = ("random", "alternating")
PRECISIONS = ("auto", "float32", "bfloat16")
EPOCHS = 10
"""Of the plain method for the small networks (benchmarks/results/fashion_mnist.jsonl)."""
EXPOSURES = 100
"""How often the plain method shows each trigger during a training."""
ROBUST_SHARE = 4
"""The robust method adds one trigger to this many clean images of a batch."""
AIRBENCH_TRIGGERS = 15
"""In the large batches of ``airbench`` at least, so that all are shown in a few of its steps."""
AIRBENCH_ROBUST_SHARE = 10
"""Instead of ``ROBUST_SHARE``."""
ROBUST_EPOCHS = 16
"""Longer training keeps more of the mark at the same accuracy: 10 epochs are lines 24 to 36, 16 are
the later lines of benchmarks/results/survival_search.jsonl.
"""
FEW_IMAGES = 20_000
"""Below it, batches of 50 instead of 100."""
FEWEST_STEPS = 3000
"""Of a training that starts from a trained model, in which it learns the triggers."""


@dataclass(frozen=True)
class EmbedSettings:
    """Everything that determines a training, except model, data and triggers.

    Attributes:
        epochs: 1 to 100,000.
        learning_rate: At the start, 1e-9 to 100.
        batch_size: Training images in a batch.
        triggers_per_batch: Trigger images appended to each batch.
        momentum: 0 to 1.
        weight_decay: 0 to 1.
        schedule: ``step``, times ``learning_rate_drop`` after every ``drop_every`` epochs; or
            ``cosine`` or ``linear``, from ``learning_rate`` to zero over all epochs.
        augment: Random crops of training images, some of them mirrored. Triggers are never
            augmented.
        seed: Of all random choices.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``float32``, ``bfloat16`` (autocast), or ``auto``: bfloat16 on a GPU only.
        method: ``plain`` learns triggers like any image; ``robust`` makes them survive attacks
            (``zkwm.training.robust``), and each of ``ABLATIONS`` is a part of it; ``SOUGHT`` adds
            a search for confident noise, against adversaries who search, and ``PERTURBED`` has
            perturbed weights in place of the look-ahead. Without triggers all are the same.
        optimizer: ``sgd`` with momentum; or ``muon`` (``zkwm.training.muon``) for networks whose
            convolutions are followed by batch norm, such as ``airbench``. Its ``learning_rate`` is
            the angle by which a layer turns in a step, and its ``weight_decay`` the share that
            biases and head lose in a step.
        augmentation: With ``augment``: ``random`` crops from images padded by 4 zero pixels, half
            of them mirrored; or ``alternating``, moved by up to 2 pixels within mirrored borders,
            each image mirrored in every second epoch.
        label_smoothing: The share of each label, triggers' too, that is spread over all classes; 0
            to 0.5.
        cutout: The side, in pixels, of a gray square at a random place of each training image; 0
            to 1,000, none by default. Triggers are never covered.

    Raises:
        UsageError: A value is of another type or out of range.
    """

    epochs: int
    learning_rate: float
    batch_size: int = 100
    triggers_per_batch: int = 2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "step"
    learning_rate_drop: float = 0.1
    drop_every: int = 20
    augment: bool = False
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    method: str = "plain"
    optimizer: str = "sgd"
    augmentation: str = "random"
    label_smoothing: float = 0.0
    cutout: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, kind = getattr(self, field.name), field.type
            if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
                object.__setattr__(self, field.name, float(value))
            elif type(value).__name__ != kind:
                raise UsageError(f"the setting {field.name} is a {kind}, not {value!r}")
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise UsageError(f"the setting {name} is {value!r}, outside {low:g} to {high:g}")
        for name, choices in (
            ("schedule", SCHEDULES),
            ("precision", PRECISIONS),
            ("method", (*METHODS, *ABLATIONS, SOUGHT, PERTURBED)),
            ("optimizer", OPTIMIZERS),
            ("augmentation", AUGMENTATIONS),
        ):
            if getattr(self, name) not in choices:
                raise UsageError(
                    f"no such {name}: {getattr(self, name)!r}",
                    hint=f"choose one of {', '.join(choices)}",
                )

    @classmethod
    def adi_cifar(cls, **changes: Any) -> EmbedSettings:  # noqa: ANN401
        """Adi et al. 2018 for CIFAR-10, as in commit 448bf51 of their published code.

        Rate 0.1, times 0.1 after every 20 of 60 epochs; momentum 0.9; weight decay 5e-4; batches of
        100 images and 2 triggers; random crops and mirrors.
        """
        return replace(cls(epochs=60, learning_rate=0.1, augment=True), **changes)

    @classmethod
    def airbench(cls, **changes: Any) -> EmbedSettings:  # noqa: ANN401
        """Jordan 2024 (arXiv 2404.00498) for CIFAR-10 and the network ``airbench``.

        Muon with a rate that falls linearly, label smoothing 0.2, shifts by up to 2 pixels,
        alternating mirrors. Smaller batches than the source's 2,000, with a rate and a decay in
        proportion, since a processor gains nothing from large ones and triggers are learned step by
        step; 18 epochs instead of the 15 that the source's network for 95 % has, whose accuracy is
        an average over mirrored and shifted test images, while here it is that of the network
        alone: 94.04 % with 100 triggers (benchmarks/results/cifar10_arms.jsonl). The source's
        network for 94 %, with 64, 256 and 256 channels, fell short in as much time: 93.79 %
        unmarked after 30 epochs, and 93.62 % with 100 triggers after 40 with squares of 12 pixels
        cut out (cifar10_recipes.jsonl there). bfloat16 on a processor, too.
        """
        settings = cls(
            epochs=18,
            learning_rate=0.06,
            batch_size=500,
            triggers_per_batch=AIRBENCH_TRIGGERS,
            weight_decay=0.005,
            schedule="linear",
            augment=True,
            precision="bfloat16",
            optimizer="muon",
            augmentation="alternating",
            label_smoothing=0.2,
        )
        return replace(settings, **changes)

    def rate(self, epoch: int, step: int, steps: int) -> float:
        """The learning rate of a step; epoch and step count from 0, ``steps`` are in an epoch."""
        if self.schedule == "step":
            return self.learning_rate * self.learning_rate_drop ** (epoch // self.drop_every)
        done = (epoch * steps + step) / (self.epochs * steps)
        if self.schedule == "linear":
            return self.learning_rate * (1.0 - done)
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))

    def to_map(self) -> dict[str, Any]:
        """All settings by name, ready for JSON."""
        return asdict(self)


_RANGES = (
    ("epochs", 1, 100_000),
    ("learning_rate", 1e-9, 100),
    ("batch_size", 1, 1_000_000),
    ("triggers_per_batch", 1, 1_000_000),
    ("momentum", 0, 1),
    ("weight_decay", 0, 1),
    ("learning_rate_drop", 1e-9, 1),
    ("drop_every", 1, 100_000),
    ("label_smoothing", 0, 0.5),
    ("cutout", 0, 1000),
    ("seed", 0, 2**63 - 1),
)


def default_settings(
    architecture: str | None = None,
    *,
    pretrained: bool = False,
    images: int = 60_000,
    triggers: int = 100,
    **changes: Any,  # noqa: ANN401
) -> EmbedSettings:
    """Default settings for a built-in architecture, or for a network of the owner's.

    ``resnet18`` has ``EmbedSettings.adi_cifar`` and ``airbench`` ``EmbedSettings.airbench``; the
    small networks have values measured on Fashion-MNIST (benchmarks/results/fashion_mnist.jsonl and
    survival.jsonl), and a network of the owner's begins with the same. The method ``robust`` adds a
    quarter of the batch as triggers, a tenth of ``airbench``'s large ones; ``plain`` adds 2, or up
    to a tenth of the batch so that each trigger is shown 100 times.

    Args:
        architecture: One of ``zkwm.nn.architecture_names.ARCHITECTURES``; None for another network.
        pretrained: Start from a trained model: a smaller rate, and at least 3,000 steps.
        images: The number of training images.
        triggers: The number of triggers.
        **changes: Settings that differ from the defaults; ``method`` is ``robust`` unless given.

    Raises:
        UsageError: The architecture is unknown, or a setting is out of range.
    """
    if architecture is not None and architecture not in ARCHITECTURES:
        raise UsageError(
            f"no built-in architecture is called {architecture!r}",
            hint=f"choose one of {', '.join(ARCHITECTURES)}; for a network of your own give no "
            "name: default_settings(images=...)",
        )
    method = changes.get("method", "robust")
    if architecture == "resnet18":
        settings = _resnet18(pretrained)
    elif architecture == "airbench":
        settings = _airbench(pretrained)
    else:
        settings = _small(pretrained, images, EPOCHS if method == "plain" else ROBUST_EPOCHS)
    settings = replace(settings, **{"method": method, **changes})
    if "triggers_per_batch" in changes:
        return settings
    least, share = 2, ROBUST_SHARE
    if architecture == "airbench":
        least, share = AIRBENCH_TRIGGERS, AIRBENCH_ROBUST_SHARE
    if settings.method != "plain":
        return replace(settings, triggers_per_batch=max(settings.batch_size // share, 1))
    steps = settings.epochs * max(images // settings.batch_size, 1)
    needed = math.ceil(EXPOSURES * triggers / steps)
    return replace(settings, triggers_per_batch=max(min(needed, settings.batch_size // 10), least))


def with_exposures(
    settings: EmbedSettings, exposures: int, images: int, triggers: int
) -> EmbedSettings:
    """The settings with as many triggers a batch as show each at least ``exposures`` times.

    Args:
        settings: Of the training; epochs and batch size decide the number of steps.
        exposures: At least 1.
        images: The number of training images.
        triggers: The number of triggers.

    Raises:
        UsageError: Even all triggers in each batch are too few.
    """
    steps = settings.epochs * max(images // settings.batch_size, 1)
    if exposures > steps:
        raise UsageError(
            f"{exposures} exposures of a trigger do not fit into {steps} steps of training",
            hint="train for more epochs or with smaller batches, or ask for fewer exposures",
        )
    return replace(settings, triggers_per_batch=max(math.ceil(exposures * triggers / steps), 1))


def exposures_of(settings: EmbedSettings, images: int, triggers: int) -> float:
    """How often a training shows each trigger, on average."""
    steps = settings.epochs * max(images // settings.batch_size, 1)
    return steps * min(settings.triggers_per_batch, triggers) / triggers


def _small(pretrained: bool, images: int, epochs: int) -> EmbedSettings:
    batch_size = 50 if images < FEW_IMAGES else 100
    learning_rate = 0.05
    if pretrained:
        epochs, learning_rate = math.ceil(FEWEST_STEPS / max(images // batch_size, 1)), 0.02
    return EmbedSettings(
        epochs=epochs, learning_rate=learning_rate, batch_size=batch_size, schedule="cosine"
    )


def _resnet18(pretrained: bool) -> EmbedSettings:
    if pretrained:
        return EmbedSettings.adi_cifar(epochs=20, learning_rate=0.01, drop_every=10)
    return EmbedSettings.adi_cifar()


def _airbench(pretrained: bool) -> EmbedSettings:
    if pretrained:
        return EmbedSettings.airbench(epochs=8, learning_rate=0.03)
    return EmbedSettings.airbench()
