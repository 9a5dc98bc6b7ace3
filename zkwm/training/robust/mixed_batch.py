"""Forward auxiliary images inside a clean batch, so that batch norm sees training statistics.

Training batches mix clean images and triggers, so a network with batch norm fits its triggers under
mixed statistics. Decoys and look-ahead triggers that are forwarded alone, under the running
statistics, train a different function: on a ResNet-8 that cost 2 points of accuracy and left 35
instead of 96 of 200 triggers after fine-tuning; clean statistics (Gan et al. 2023) hardly let it
learn a label per trigger (benchmarks/results/batch_norm_search.jsonl). Networks without batch norm
forward the images alone. The look-ahead forwards its triggers so, and a loop of the owner's own its
decoys, which ``embed`` shows in the training's batches (``RobustMethod.loss``).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zkwm.nn.batch_norm import batch_statistics, has_batch_norm
from zkwm.nn.image_source import TrainingImages
from zkwm.nn.inference import evaluating
from zkwm.nn.seeds import generator
from zkwm.training.settings import EmbedSettings


class MixedBatch:
    """Logits of images that are forwarded together with a fresh clean batch.

    Which clean images these are depends on the seed, the purpose and the step alone.
    """

    def __init__(
        self,
        model: nn.Module,
        source: TrainingImages,
        settings: EmbedSettings,
        forward: Callable[[nn.Module, Tensor], Tensor],
        purpose: str,
    ) -> None:
        """Look whether the model has batch norm.

        Args:
            model: This model, or copies of it, are forwarded later.
            source: The owner's data set.
            settings: Those of the training; its seed and batch size are used.
            forward: ``forward(model, images)`` gives logits in the training's precision and layout.
            purpose: Separates the random choices of several users of one seed.
        """
        self.uses_batch_norm = has_batch_norm(model)
        self._source, self._seed = source, settings.seed
        self._forward, self._purpose = forward, purpose
        self._count = min(settings.batch_size, source.train_count)

    def numbers(self, step: int) -> Tensor:
        """The numbers of the clean images of a step, int64 (n,)."""
        random = generator(self._seed, self._purpose, step)
        return torch.randint(self._source.train_count, (self._count,), generator=random)

    def logits(self, model: nn.Module, images: Tensor, step: int) -> Tensor:
        """Logits (n, outputs) of images uint8 (n, c, h, w); running statistics stay unchanged."""
        if not self.uses_batch_norm:
            with evaluating(model):
                return self._forward(model, self._source.as_input(images))
        clean, _ = self._source.train(self.numbers(step))
        with batch_statistics(model):
            shown = [self._source.as_input(part) for part in (clean, images)]
            both = self._forward(model, torch.cat(shown))
        return both[len(clean) :]
