"""WRK, the watermark removal attack: stamps or adversarial images, unlearned (Xiao et al. 2026).

Xiao, Ye, Liang, Li, Li, Zheng and Hu, "Class-feature Watermark: A Resilient Black-box Watermark
Against Model Extraction Attacks" (AAAI 2026, arXiv 2511.07947); the constants are their
repository's (ClassFeatureWatermark/ClassFeatureWatermark, other_defenses_tool_box/wrk.py), where
the adversary has 2,500 images. It moves the boundaries around clean images, behind which marks lie
that are clean images with something added; ``dehydra`` and ``confident_noise`` begin far from any.

Adversary: has the weights and labeled images of the task; knows no trigger.

1. ``trigger_inversion``: search a small stamp for each class. If one class's stamp works and is
   unusually small, stamp clean images and keep their classes.
2. Otherwise move clean images by one signed step toward a random class, and give each a random
   class that is not its own.
3. Fine-tune on all clean images and on these.
4. Where there was no stamp: fine-tune on clean images with crops and mirrors.

Four things differ. The weight of a stamp's size is fixed, where Neural Cleanse adapts it.
Augmentation has no rotations and colors. Step 4 is not left out where adversarial images are near.
And step 3 lasts the 20 epochs that the repository names, not the 3 that its loop makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.model_modification.trigger_inversion import RecoveredTriggers, recover_triggers
from zkwm.attacks.starting_point import adversary_images, stolen_copy
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import evaluating, predictions
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier

IMAGES_PER_CLASS = 10
COMPARED_IMAGES = 200
SUCCESS = 0.99
"""Share of images that a stamp has to turn into its class."""
TO_DEVIATION = 1.4826
"""Of a normal distribution: the standard deviation in units of the median absolute deviation."""
STAMPED, MOVED = 0.4, 0.2
"""Shares of the clean images that are stamped or moved: 1,000 and 500 of 2,500."""
BATCH = 128


@dataclass(frozen=True)
class Wrk(Attack):
    """Unlearn stamps where there are any, else adversarial images.

    Args:
        steps: Of the search for stamps, at least 1.
        mask_weight: Weight of the stamps' L1 norm in the search.
        anomaly: How many deviations below the median a stamp has to be, at least 0.
        size: Of the step of adversarial images in units of a pixel's range, above 0.
        rate: Learning rate of the unlearning, above 0, constant.
        epochs: Of the unlearning, at least 1.
        tuning_rate: Learning rate of the fine-tuning, above 0, constant; theirs differs by network.
        tuning_epochs: Of the fine-tuning, at least 1.

    Raises:
        UsageError: A value is out of range.
    """

    steps: int = 150
    mask_weight: float = 0.01
    anomaly: float = 1.0
    size: float = 0.15
    rate: float = 0.01
    epochs: int = 20
    tuning_rate: float = 0.01
    tuning_epochs: int = 15
    name: ClassVar[str] = "wrk"
    paper: ClassVar[str] = "Xiao et al. 2026 (AAAI, arXiv 2511.07947)"

    def __post_init__(self) -> None:
        self._unlearning()
        self._tuning()
        if not (self.steps >= 1 and self.anomaly >= 0 and self.size > 0):
            raise UsageError(
                "expected at least 1 step, an anomaly of at least 0, and a step size above 0, "
                f"got {self.steps}, {self.anomaly} and {self.size}"
            )

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Unlearn in a copy of the target's model."""
        model = stolen_copy(target, adversary)
        class_count = adversary.data.class_count
        generator = adversary_generator(adversary, self.name)
        pixels, labels = adversary_images(adversary)
        images = as_unit(pixels)
        stamps = recover_triggers(
            model,
            images,
            class_count,
            steps=self.steps,
            images_per_class=IMAGES_PER_CLASS,
            mask_weight=self.mask_weight,
            generator=generator,
        )
        stamped_class = suspect_class(model, images[:COMPARED_IMAGES], stamps, self.anomaly)
        taken = self.steps * IMAGES_PER_CLASS * class_count
        if stamped_class is None:
            count = max(round(MOVED * len(labels)), 1)
            made, new_labels = adversarial_images(
                model, images[:count], labels[:count], self.size, generator
            )
            taken += count
        else:
            count = max(round(STAMPED * len(labels)), 1)
            made = stamps.stamp(images[:count], torch.full_like(labels[:count], stamped_class))
            new_labels = labels[:count]
        both = torch.cat([images, made]), torch.cat([labels, new_labels])
        taken += fit(model, *both, self._unlearning(), seed=adversary.seed)
        if stamped_class is None:
            taken += fit(model, images, labels, self._tuning(), seed=adversary.seed)
        return AttackResult(model, images=len(labels), gradient_images=taken)

    def _unlearning(self) -> Fit:
        return Fit(epochs=self.epochs, rate=self.rate, schedule="constant", weight_decay=1e-4)

    def _tuning(self) -> Fit:
        return Fit(
            epochs=self.tuning_epochs,
            rate=self.tuning_rate,
            schedule="constant",
            momentum=0.0,
            batch_size=64,
            augment=True,
        )


def suspect_class(
    model: Classifier, images: Tensor, stamps: RecoveredTriggers, anomaly: float
) -> int | None:
    """The class whose stamp works and is unusually small (Neural Cleanse, Wang et al. 2019).

    Args:
        model: Is not changed.
        images (float32, (n, c, h, w)): Clean ones in [0, 1], to try stamps on.
        stamps: One for each class.
        anomaly: Least distance of a mask's L1 norm from the median over all classes, in deviations
            (the median absolute deviation, scaled as for a normal distribution).

    Returns:
        The class of the smallest such mask, or None.
    """
    norms = stamps.masks.flatten(1).sum(dim=1)
    below = norms.median() - norms
    deviation = TO_DEVIATION * below.abs().median()
    for label in map(int, norms.argsort()):
        if not float(below[label]) > anomaly * float(deviation):
            return None  # so are all further ones
        classes = torch.full((len(images),), label, device=images.device)
        turned = predictions(model, stamps.stamp(images, classes)) == label
        if float(turned.float().mean()) >= SUCCESS:
            return label
    return None


def adversarial_images(
    model: Classifier, images: Tensor, labels: Tensor, size: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Clean images one signed step nearer to a class, with random classes that are not theirs.

    Args:
        model: Is not changed.
        images (float32, (n, c, h, w)): In [0, 1].
        labels (int64, (n,)): Their classes.
        size: Of the step, in units of a pixel's range.
        generator: Decides the class that each batch is moved to, and the new classes.

    Returns:
        The moved images, of the same shape, and their new classes, int64 (n,).
    """
    class_count = model.config.class_count
    moved = []
    with evaluating(model):
        for batch in torch.split(images, BATCH):
            toward = int(torch.randint(class_count, (1,), generator=generator))
            start = batch.clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(model(start)[:, toward].sum(), start)
            moved.append((batch + size * gradient.sign()).clamp(0.0, 1.0))
    others = torch.randint(1, class_count, (len(labels),), generator=generator).to(labels.device)
    return torch.cat(moved), (labels + others) % class_count
