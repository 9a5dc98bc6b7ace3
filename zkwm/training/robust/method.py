"""The method ``robust``: a clean head, and in later training fake triggers and an attacked clone.

It joins the three to a training (``zkwm.training.trainer``); each is explained in its own file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zkwm.nn.image_source import Source, as_unit
from zkwm.training.robust.decoys import FakeTriggers
from zkwm.training.robust.frozen_head import clean_head_logits, head_name
from zkwm.training.robust.lookahead import AttackedClone

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings


VERSION = 3
"""Of this method's steps: a checkpoint of another version cannot be gone on with."""


class Robust:
    """What the robust method adds to the training of one model.

    Raises UsageError for a model without a head (``zkwm.training.robust.frozen_head``).
    """

    def __init__(
        self,
        model: nn.Module,
        source: Source,
        triggers: tuple[Tensor, Tensor],
        identity: bytes,
        settings: EmbedSettings,
        steps: int,
        forward: Callable[[nn.Module, Tensor], Tensor],
    ) -> None:
        """``steps`` of the whole training; ``forward`` gives logits in its precision and layout.

        ``identity`` is the digest of the triggers, from which fake triggers are drawn.
        """
        images = as_unit(source.train(torch.tensor([0, source.train_count - 1]))[0])
        self._head = head_name(model, images)
        self._fakes = FakeTriggers(model, self._head, source, identity, settings, steps, forward)
        self._clone = AttackedClone(model, self._head, source, triggers, settings, steps, forward)

    def logits(self, model: nn.Module, images: Tensor, triggers: int) -> Tensor:
        """Logits (n, outputs) of a batch whose last ``triggers`` images are triggers."""
        return clean_head_logits(model, self._head, images, triggers)

    def add_gradients(self, step: int, share: float) -> None:
        """Add to the gradients of the model, before its step, what fakes and clone ask for.

        ``step`` counts from 0 over all epochs; ``share`` is this process's part of the whole.
        """
        self._fakes.add_gradients(step, share)
        self._clone.add_gradients(step, share)

    def tensors(self) -> dict[str, Tensor]:
        """The state by name, to be kept in a checkpoint and restored in place."""
        return self._clone.tensors()
