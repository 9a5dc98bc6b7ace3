"""How a model is trained with its triggers: settings, the authors' values, measured defaults.

Not the training itself, and free of torch, so that a command line can name the choices cheaply.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm_protocols.errors import UsageError

METHODS = ("robust", "plain")
"""How triggers are trained in: so that they survive attacks, or as Adi et al. 2018 did."""

SCHEDULES = ("step", "cosine")
PRECISIONS = ("auto", "float32", "bfloat16")
EPOCHS = 10
EXPOSURES = 100
ROBUST_SHARE = 4
ROBUST_EPOCHS = 16
FEW_IMAGES = 20_000
FEWEST_STEPS = 3000


@dataclass(frozen=True)
class EmbedSettings:
    """Everything that decides the course of a training, apart from model, data and triggers.

    Plain SGD with momentum. ``schedule`` is ``step`` (times ``learning_rate_drop`` after every
    ``drop_every`` epochs) or ``cosine`` (from ``learning_rate`` to zero over all epochs; the two
    drop fields then have no effect). ``triggers_per_batch`` trigger images are appended to each
    batch of ``batch_size`` training images. ``augment`` cuts a random window out of the training
    images padded by 4 pixels and mirrors half of them; triggers are never augmented.
    ``device`` is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. ``precision`` ``auto`` means bfloat16
    autocast on a GPU and float32 on a CPU. ``method`` ``plain`` learns triggers like any image;
    ``robust`` also prepares them for attacks (``zkwm.training.robust.frozen_head``,
    ``zkwm.training.robust.decoys``, ``zkwm.training.robust.lookahead``); without triggers both are
    the same. Raises UsageError for values out of range.
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
            ("method", METHODS),
        ):
            if getattr(self, name) not in choices:
                raise UsageError(
                    f"no such {name}: {getattr(self, name)!r}",
                    hint=f"choose one of {', '.join(choices)}",
                )

    @classmethod
    def adi_cifar(cls, **changes: Any) -> EmbedSettings:  # noqa: ANN401
        """Adi et al. 2018 for CIFAR: their published code, commit 448bf51 (research note 1.4).

        SGD 0.1, momentum 0.9, weight decay 5e-4, times 0.1 every 20 of 60 epochs, batches of 100
        and 2 triggers, random crop and mirror.
        """
        return replace(cls(epochs=60, learning_rate=0.1, augment=True), **changes)

    def rate(self, epoch: int, step: int, steps: int) -> float:
        """The learning rate for a step: both counted from 0, ``steps`` being those of an epoch."""
        if self.schedule == "step":
            return self.learning_rate * self.learning_rate_drop ** (epoch // self.drop_every)
        done = (epoch * steps + step) / (self.epochs * steps)
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))

    def to_map(self) -> dict[str, Any]:
        """All settings by name, as JSON can hold them."""
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
    ("seed", 0, 2**63 - 1),
)


def default_settings(
    architecture: str,
    *,
    pretrained: bool = False,
    images: int = 60_000,
    triggers: int = 100,
    **changes: Any,  # noqa: ANN401
) -> EmbedSettings:
    """Settings to start from for a built-in architecture. Raises UsageError for an unknown one.

    ``method`` is ``robust`` unless ``changes`` say ``plain``. ``resnet18``:
    ``EmbedSettings.adi_cifar``; the small networks: values measured on Fashion-MNIST
    (benchmarks/fashion_mnist.py, benchmarks/survival.py). ``pretrained``: the training goes on from
    a trained model, so it starts at a smaller rate and has 3,000 steps, as such a model takes to
    learn the triggers. ``triggers_per_batch`` is a quarter of the batch by the method ``robust``;
    by ``plain`` it is 2, or, up to a tenth of the batch, so many that each of ``triggers`` is seen
    100 times while training on ``images`` images. The small networks take batches of 50 where there
    are fewer than 20,000 images, and by ``robust`` 16 epochs instead of 10, since with longer
    training more survives for the same loss of accuracy.
    """
    if architecture not in ARCHITECTURES:
        raise UsageError(
            f"no such architecture: {architecture!r}",
            hint=f"choose one of {', '.join(ARCHITECTURES)}",
        )
    method = changes.get("method", "robust")
    if architecture == "resnet18":
        settings = _resnet18(pretrained)
    else:
        settings = _small(pretrained, images, ROBUST_EPOCHS if method == "robust" else EPOCHS)
    settings = replace(settings, **{"method": method, **changes})
    if "triggers_per_batch" in changes:
        return settings
    if settings.method == "robust":
        return replace(settings, triggers_per_batch=max(settings.batch_size // ROBUST_SHARE, 1))
    steps = settings.epochs * max(images // settings.batch_size, 1)
    wanted = math.ceil(EXPOSURES * triggers / steps)
    return replace(settings, triggers_per_batch=max(min(wanted, settings.batch_size // 10), 2))


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
