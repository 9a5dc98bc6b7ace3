"""Logits of images that a network meets among clean ones, as it meets triggers in training.

Where a network has batch normalisation, a batch's statistics are those of clean images and of the
triggers among them. What the robust method shows besides has to be shown in the same company: alone
and under the statistics that the network keeps it works against what the batches teach, and cost a
ResNet-8 two points of accuracy and most of what fine-tuning leaves of the mark; under the
statistics of clean images (Gan et al. 2023) triggers with a label each were hardly learned there
(benchmarks/results/batch_norm_search.jsonl). Without batch normalisation, company does not matter.
Not the training's own batches (``zkwm.training.batches``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from zkwm.nn.image_source import Source, as_unit
from zkwm.nn.inference import evaluating
from zkwm.nn.seeds import generator
from zkwm.training.settings import EmbedSettings


class BesideClean:
    """How the networks of one training see images that are not of its batches.

    Which clean images are beside them depends on the seed, the purpose and the step alone.
    """

    def __init__(
        self,
        model: nn.Module,
        source: Source,
        settings: EmbedSettings,
        forward: Callable[[nn.Module, Tensor], Tensor],
        purpose: str,
    ) -> None:
        """``model`` or a copy of it is asked later; ``forward(model, images)`` gives its logits in
        the precision and memory layout of the training.
        """
        self.matters = any(isinstance(module, _BatchNorm) for module in model.modules())
        """Whether the network has batch normalisation."""
        self._source, self._seed = source, settings.seed
        self._forward, self._purpose = forward, purpose
        self._clean = min(settings.batch_size, source.train_count)

    def logits(self, model: nn.Module, images: Tensor, step: int) -> Tensor:
        """Logits (n, outputs) of images uint8 (n, c, h, w); statistics that are kept stay so."""
        if not self.matters:
            with evaluating(model):
                return self._forward(model, as_unit(images))
        source = generator(self._seed, self._purpose, step)
        chosen = torch.randint(self._source.train_count, (self._clean,), generator=source)
        clean, _ = self._source.train(chosen)
        with _batch_statistics(model):
            both = self._forward(model, torch.cat([as_unit(clean), as_unit(images)]))
        return both[self._clean :]


@contextmanager
def _batch_statistics(model: nn.Module) -> Iterator[None]:
    """Training mode, in which batch norm takes each batch's statistics and keeps none of them."""
    was = model.training
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    model.train()
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True
        model.train(was)
