"""Tartaglione et al. 2020: secret parameters hold the mark, and steep walls stand around them.

Parameters, position and bit are defined where they are read: ``zkwm.extraction.tartaglione``
(SPEC.md 19.5).

Two keys of one commitment that meet at a position would be of use to nobody, since their labels are
independent, but would cost the owner one of them; so the owner draws keys until all positions
differ.

Ours: the paper writes the pixels of a picture as values, here it is a sign with a magnitude that
the owner chooses at embedding and that extraction ignores. The paper's loss at the marked values
less lambda (1e-6) times the loss at replicas has no lower bound; here the height of the wall, the
loss at replicas less the loss at the marked values, is rewarded up to a bound. Replicas come in
pairs of opposite noise, so that the slope, which is no wall, cancels. Signs of this magnitude
survived all fine-tuning that we tried without walls too; steep walls cost accuracy (LeNet-5 on
Fashion-MNIST: four points at weight 100, none at the default). By itself nothing here resists
a permutation of neurons: extraction aligns first.
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
from zkwm.watermarks.parameter_encoding.key_commitment import commit_keys, draw_keys, owner_digest
from zkwm.watermarks.parameter_encoding.penalty_training import train_mark, unmarked
from zkwm.watermarks.watermark import Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm_protocols.commitment import Commitment

LEAST_WEIGHTS = 16


@dataclass(frozen=True)
class Tartaglione(Watermark):
    """Tartaglione, Grangetto, Cavagnino, Botta, ICPR 2020, section on watermark-aware training.

    ``bits`` keys in blocks of ``block_size``. A marked parameter is plus or minus ``magnitude``
    standard deviations of its layer's weights before marking, and stays there. Each step makes
    ``replicas`` networks (an even number; 0 for no walls) whose marked parameters have Gaussian
    noise of standard deviation ``noise`` (paper: 4 and 0.01), and rewards the mean height of the
    wall, up to ``height`` (in units of the loss), with weight ``wall``. A model that is trained
    already is marked in ``epochs`` epochs. Raises UsageError for numbers that make no sense.
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
        return commit_keys(
            owner.vault,
            self._different_keys(owner, total),
            block_size=self.block_size,
            owner_model=owner_digest(owner),
        )

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Set and lock the parameters, and train all others, from the owner's start if any."""
        triggers = self.trigger_set(owner, commitment)
        model = unmarked(owner)
        positions = key_positions(triggers.images, weight_count(model))
        lock = _Lock(model, positions, triggers.labels, self.magnitude)
        lock.restore()
        source = generator(owner.settings.seed, "tartaglione")

        def penalty(images: Tensor, labels: Tensor) -> Tensor:
            def loss(noise: Sequence[Tensor] | None) -> Tensor:
                return functional.cross_entropy(lock.replica(images, noise), labels)

            around = []
            for _ in range(self.replicas // 2):
                noise = lock.noise(self.noise, source)
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
        found: dict[int, NDArray[np.uint8]] = {}
        while len(found) < self.bits:
            keys = draw_keys(owner.vault, self, self.bits - len(found), (0,))
            for position, key in zip(key_positions(keys, total).tolist(), keys, strict=True):
                found.setdefault(position, key)
        return np.stack(list(found.values()))


class _Lock:
    """The marked parameters of one model: their values, and networks in which they are noisy."""

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
        """Set the marked parameters to their values."""
        for _, weight, places, values in self._parts:
            weight.view(-1)[places] = values

    def noise(self, spread: float, source: torch.Generator) -> list[Tensor]:
        """Gaussian noise for the marked parameters of each weight."""
        return [
            spread * torch.randn(len(places), generator=source).to(values)
            for _, _, places, values in self._parts
        ]

    def replica(self, images: Tensor, noise: Sequence[Tensor] | None) -> Tensor:
        """Logits (n, C) with noise on the marked parameters; batch norm's statistics stay."""
        state = {name: buffer.clone() for name, buffer in self._model.named_buffers()}
        for (name, weight, places, _), added in zip(self._parts, noise or (), strict=False):
            state[name] = weight.flatten().index_add(0, places, added).view(weight.shape)
        logits: Tensor = functional_call(self._model, state, (images,))
        return logits
