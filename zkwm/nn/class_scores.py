"""The logits in what a network returns: a tensor, or an object that has them as ``logits``.

Networks of Hugging Face return such objects (``ModelOutput``), others a tensor.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def class_scores(output: Any) -> Tensor:  # noqa: ANN401
    """The logits (n, outputs) of a network's answer. Raises TypeError where there are none."""
    scores = output if isinstance(output, Tensor) else getattr(output, "logits", None)
    if not isinstance(scores, Tensor):
        raise TypeError(f"a {type(output).__name__} instead of logits")
    return scores


class ClassScores(nn.Module):
    """A network whose answers are its logits alone, for an export."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """The logits (n, outputs) of images float32 (n, c, h, w)."""
        return class_scores(self.network(images))
