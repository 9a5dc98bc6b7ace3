"""Fine-pruning: prune channels dormant on clean images, then fine-tune (Liu et al., RAID 2018).

Adversary: has the weights and labeled images of the task.

1. Measure the mean activation of each channel of the last convolution on clean images.
2. Prune the least active channels.
3. Fine-tune; pruned channels stay without effect.

``pruning`` removes single weights by magnitude instead. At the share of 96 % it is no
attack: none of ten runs ends a point of accuracy above a network trained from scratch
(benchmarks/results/survival.jsonl, trial "fine-pruning 96 %"). At 90 % it leaves 9 of 332 bits of
Adi and 3 of 664 of the robust embedding (benchmarks/results/grid_shares.jsonl).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.model_modification.pruning import apply_masks, fine_tune_masked
from zkwm.attacks.starting_point import adversary_images, stolen_copy
from zkwm.nn.image_source import as_unit, evaluation_batches
from zkwm.training.fit import Fit
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class FinePruning(Attack):
    """Prune channels of the last convolution, and fine-tune.

    Activations are taken where they enter the layer after the convolution, so after rectification
    and pooling.

    Args:
        share: Of the channels that are pruned, between 0 and 1; at least one channel is left. 0.96
            and 10 epochs are those of Lukas et al. 2022.
        epochs: Of the fine-tuning, at least 1.
        rate: Its learning rate, above 0; falls to zero (cosine).
        batch_size: At least 1.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "fine_pruning"
    paper: ClassVar[str] = "Liu et al. 2018"

    share: float = 0.96
    epochs: int = 10
    rate: float = 0.01
    batch_size: int = 64

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise UsageError(f"expected a share of the channels between 0 and 1, got {self.share}")
        self._plan()

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Prune and fine-tune a copy.

        Raises UsageError for a network without a fully connected layer after a convolution.
        """
        model = stolen_copy(target, adversary)
        reader, channels = reader_of_last_convolution(model)
        images, _ = adversary_images(adversary)
        activity = channel_activity(model, reader, channels, images)
        pruned = activity.argsort(stable=True)[: min(int(self.share * channels), channels - 1)]
        mask = torch.ones(channels, device=adversary.device)
        mask[pruned] = 0
        # the reader's inputs are the channels one after the other, each with all its pixels
        weights: list[Tensor] = [reader.weight]
        masks = [mask.repeat_interleave(reader.in_features // channels).expand_as(reader.weight)]
        apply_masks(weights, masks)
        return fine_tune_masked(model, weights, masks, adversary, self._plan())

    def _plan(self) -> Fit:
        return Fit(epochs=self.epochs, rate=self.rate, batch_size=self.batch_size)


def reader_of_last_convolution(model: nn.Module) -> tuple[nn.Linear, int]:
    """The fully connected layer that reads the last convolution's channels, and their number.

    Its inputs are those channels one after the other, as ``nn.Flatten`` lays them out. Raises
    UsageError where there is no such pair of layers.
    """
    convolution: nn.Conv2d | None = None
    reader: nn.Linear | None = None
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            convolution, reader = module, None
        elif isinstance(module, nn.Linear) and convolution is not None and reader is None:
            reader = module
    if convolution is None or reader is None or reader.in_features % convolution.out_channels:
        raise UsageError("fine-pruning needs a convolution that a fully connected layer reads")
    return reader, convolution.out_channels


@torch.no_grad()
def channel_activity(model: nn.Module, reader: nn.Linear, channels: int, images: Tensor) -> Tensor:
    """The mean of each channel as it enters a fully connected layer.

    Args:
        model: The whole network; it is put in evaluation mode.
        reader: The layer that reads the channels.
        channels: How many there are.
        images (uint8, (n, c, h, w)): What the mean is over.

    Returns:
        Float64 (channels,).
    """
    total = torch.zeros(channels, dtype=torch.float64, device=images.device)

    def add(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].reshape(len(inputs[0]), channels, -1)
        total.add_(values.double().mean(dim=2).sum(dim=0))

    handle = reader.register_forward_pre_hook(add)
    try:
        for numbers in evaluation_batches(len(images)):
            model.eval()(as_unit(images[numbers]))
    finally:
        handle.remove()
    return total / len(images)
