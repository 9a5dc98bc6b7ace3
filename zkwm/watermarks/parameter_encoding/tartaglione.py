"""Tartaglione (Tartaglione, Grangetto, Cavagnino, Botta, ICPR 2020): fixed secret weights.

- Embedded: one bit for each committed key, as the sign of one weight at a keyed position, which is
  fixed during training.
- Loss (section on watermark-aware training): task loss minus ``wall`` times the height of the wall,
  that is the mean loss of replicas with noisy marked weights minus the loss without noise, up to
  ``height``. Replicas come in pairs of opposite noise, so that the slope cancels.
- Read: the sign of the weight at the position (``zkwm.extraction.tartaglione``, SPEC.md 19.5).
- Ours: the paper writes pixels of a picture as values; here it is a sign with a magnitude that the
  reader ignores. The paper's reward, 1e-6 times the loss of the replicas, has no upper bound.

Two keys of one commitment at the same position would cost the owner one of them, since their bits
are independent; keys are drawn until all positions differ. Nothing here resists a permutation of
neurons: the reader aligns first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from zkwm.extraction.reader import WHITE_BOX, MarkReader
from zkwm.extraction.tartaglione import (
    TartaglioneReader,
    key_positions,
    marked_weights,
    weight_count,
)
from zkwm.nn.seeds import generator
from zkwm.watermarks.parameter_encoding.key_commitment import commit_keys_of, draw_keys
from zkwm.watermarks.parameter_encoding.penalty_training import train_mark, unmarked
from zkwm.watermarks.watermark import Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm_protocols.commitment import Commitment

LEAST_WEIGHTS = 16
"""Weights of a network for each bit."""


@dataclass(frozen=True)
class Tartaglione(Watermark):
    """Tartaglione et al. 2020, section on watermark-aware training.

    Attributes:
        bits: The number of keys, whole blocks; a network needs 16 weights for each.
        block_size: Keys that are opened together.
        magnitude: Of a marked weight, in standard deviations of its layer before marking; above 0.
        replicas: Networks with noisy marked weights in each step: an even number, 0 for no walls
            (paper: 4).
        noise: Standard deviation of the noise, above 0 (paper: 0.01).
        wall: Weight of the reward; 0 or more.
        height: The largest height that is rewarded, in units of the loss; above 0.
        epochs: Of marking a trained model.

    Raises:
        UsageError: A value is out of range.
    """

    bits: int = 256
    block_size: int = 64
    magnitude: float = 2.0
    replicas: int = 4
    noise: float = 0.01
    wall: float = 10.0
    height: float = 0.0005
    epochs: int = 5

    name: ClassVar[str] = "tartaglione"
    access: ClassVar[str] = WHITE_BOX
    paper: ClassVar[str] = "Tartaglione et al. 2020"

    def __post_init__(self) -> None:
        if self.replicas < 0 or self.replicas % 2:
            raise UsageError("replicas come in pairs: choose an even number, or 0")
        if not (self.magnitude > 0 and self.noise > 0 and self.wall >= 0 and self.height > 0):
            raise UsageError("magnitude, noise and height are above 0, and the wall is not below")

    def commit(self, owner: Owner) -> Commitment:
        """Draw keys with different positions and commit to them.

        Raises UsageError for a network with fewer than 16 weights a bit.
        """
        total = weight_count(unmarked(owner))
        if LEAST_WEIGHTS * self.bits > total:
            raise UsageError(f"a network of {total} weights is too small for {self.bits} bits")
        return commit_keys_of(owner, self._different_keys(owner, total), block_size=self.block_size)

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Fix the marked weights and train all others, from the owner's start if any."""
        triggers = self.trigger_set(owner, commitment)
        model = unmarked(owner)
        positions = key_positions(triggers.images, weight_count(model))
        lock = _Lock(model, positions, triggers.labels, self.magnitude)
        lock.restore()
        random = generator(owner.settings.seed, "tartaglione")

        def penalty(images: Tensor, labels: Tensor) -> Tensor:
            def loss(noise: Sequence[Tensor] | None) -> Tensor:
                return functional.cross_entropy(lock.replica(images, noise), labels)

            around = []
            for _ in range(self.replicas // 2):
                noise = lock.noise(self.noise, random)
                around += [loss(noise), loss([-one for one in noise])]
            return -self.wall * (torch.stack(around).mean() - loss(None)).clamp(max=self.height)

        return train_mark(
            owner,
            model,
            epochs=self.epochs,
            batch_penalty=penalty if self.replicas else None,
            after_step=lock.restore,
        )

    def reader(self) -> MarkReader:
        """The reader of this mark, which is all that a judge needs."""
        return TartaglioneReader()

    def _different_keys(self, owner: Owner, total: int) -> NDArray[np.uint8]:
        """Keys uint8 (bits, 1, 1, 32) with different positions among ``total`` weights."""
        by_position: dict[int, NDArray[np.uint8]] = {}
        while len(by_position) < self.bits:
            keys = draw_keys(owner.vault, self, self.bits - len(by_position), (0,))
            for position, key in zip(key_positions(keys, total).tolist(), keys, strict=True):
                by_position.setdefault(position, key)
        return np.stack(list(by_position.values()))


class _Lock:
    """The marked weights of one model: their fixed values, and noisy replicas."""

    def __init__(
        self,
        model: nn.Module,
        positions: NDArray[np.int64],
        bits: NDArray[np.int64],
        magnitude: float,
    ) -> None:
        self._model = model
        self._parts: list[tuple[str, Tensor, Tensor, Tensor]] = []
        start = 0
        for name, weight in marked_weights(model):
            inside = (positions >= start) & (positions < start + weight.numel())
            places = torch.from_numpy(positions[inside] - start).to(weight.device)
            signs = torch.from_numpy(2 * bits[inside] - 1).to(weight)
            self._parts.append((name, weight, places, signs * magnitude * weight.detach().std()))
            start += weight.numel()

    @torch.no_grad()
    def restore(self) -> None:
        """Set the marked weights to their values."""
        for _, weight, places, values in self._parts:
            weight.view(-1)[places] = values

    def noise(self, spread: float, generator: torch.Generator) -> list[Tensor]:
        """Gaussian noise for the marked weights of each tensor."""
        return [
            spread * torch.randn(len(places), generator=generator).to(values)
            for _, _, places, values in self._parts
        ]

    def replica(self, images: Tensor, noise: Sequence[Tensor] | None) -> Tensor:
        """Logits (n, C) with noise on the marked weights; running statistics stay unchanged."""
        state = {name: buffer.clone() for name, buffer in self._model.named_buffers()}
        for (name, weight, places, _), added in zip(self._parts, noise or (), strict=False):
            state[name] = weight.flatten().index_add(0, places, added).view(weight.shape)
        logits: Tensor = functional_call(self._model, state, (images,))
        return logits
