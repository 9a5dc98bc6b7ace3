"""Fine-pruning (Liu, Dolan-Gavitt and Garg 2018): prune channels dormant on clean data, fine-tune.

Not magnitude pruning (``pruning``): a channel goes because clean images do not excite it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.model_modification.pruning import apply_masks, fine_tuned
from zkwm.attacks.starting_point import adversary_images, stolen_copy
from zkwm.nn.image_source import as_unit, evaluation_batches
from zkwm.training.fit import Fit
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class FinePruning(Attack):
    """``share`` of the channels of the last convolution go, those with the least mean activation.

    Activations are taken on the images where they enter the layer after the convolution,
    so after rectification and pooling. Then ``epochs`` of fine-tuning at a learning rate that falls
    from ``rate`` to zero; pruned channels stay without effect. 0.96 and 10 epochs are those of
    Lukas et al. 2022. At least one channel is left. Raises UsageError for values out of range.
    """

    name: ClassVar[str] = "fine_pruning"
    paper: ClassVar[str] = "Liu et al. 2018"

    share: float = 0.96
    epochs: int = 10
    rate: float = 0.01
    batch_size: int = 64

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise UsageError(f"a share of the channels is between 0 and 1, not {self.share!r}")
        self._plan()

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Prune and fine-tune a copy.

        Raises UsageError for a network without a fully connected layer after a convolution.
        """
        model = stolen_copy(target, adversary)
        reader, channels = reader_of_last_convolution(model)
        images, _ = adversary_images(adversary)
        activity = mean_activations(model, reader, channels, images)
        pruned = activity.argsort(stable=True)[: min(int(self.share * channels), channels - 1)]
        mask = torch.ones(channels, device=adversary.device)
        mask[pruned] = 0
        weights: list[Tensor] = [reader.weight]
        masks = [mask.repeat_interleave(reader.in_features // channels).expand_as(reader.weight)]
        apply_masks(weights, masks)
        return fine_tuned(model, weights, masks, adversary, self._plan())

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
def mean_activations(model: nn.Module, reader: nn.Linear, channels: int, images: Tensor) -> Tensor:
    """The mean of each channel, float64 (channels,), as it enters ``reader``, over the images."""
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
