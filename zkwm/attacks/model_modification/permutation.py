"""Permute and rescale neurons without changing any answer (Hecht-Nielsen 1990).

Adversary: has the weights; needs no images and no training.

1. Permute the neurons of every layer, and the inputs of the next layer with them.
2. Rescale neurons and undo it in the next layer, where ReLU and batch norm allow it (Neyshabur et
   al. 2015).

Trigger sets do not notice it. Marks read from weights by position do: that a permutation voids
Uchida's mark is a standing objection (Lukas et al. 2022). The readers of ``zkwm.extraction`` align
the suspect with the unmarked model first (SPEC.md 19), after which every mark keeps all its bits
(benchmarks/results/grid.jsonl, attack "permutation and rescaling").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.extraction.neuron_groups import NeuronGroup, neuron_groups, permute, weighted_layers
from zkwm.extraction.unit_form import NormScales, Scales, restore, tensors, with_tensors

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier

LARGEST_FACTOR = 4.0


@dataclass(frozen=True)
class Permutation(Attack):
    """Permute the neurons of every group at random.

    Args:
        rescale: Whether neurons also get other scales, as ``shuffle`` says.
    """

    rescale: bool = True

    name: ClassVar[str] = "permutation"
    paper: ClassVar[str] = "Hecht-Nielsen 1990; Neyshabur et al. 2015"

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """A disguised copy of the stolen weights."""
        return AttackResult(shuffle(target.model, adversary.seed, rescale=self.rescale))


def shuffle(model: Classifier, seed: int, *, rescale: bool = True) -> Classifier:
    """A network with the answers of ``model`` and other weights.

    Args:
        model: Is not changed.
        seed: Decides the order and all factors.
        rescale: Multiply neurons by factors from 1/4 to 4 (log-uniform), with random signs before a
            batch norm, and draw everything else that ``Scales`` lists, except the factor of the
            logits.

    Returns:
        A new network, on the CPU and in evaluation mode.
    """
    generator = torch.Generator().manual_seed(seed)
    state = tensors(model)
    groups = neuron_groups(model)
    for group in groups:
        permute(state, group, torch.randperm(group.size, generator=generator))
    if rescale:
        restore(model, state, _draw_scales(model, groups, generator))
    return with_tensors(model, state)


def _draw_scales(
    model: Classifier, groups: tuple[NeuronGroup, ...], generator: torch.Generator
) -> Scales:
    """Random scales of everything that can be rescaled without changing answers."""
    norms = {
        maker.layer: NormScales(
            rows=_factors(group.size, generator) * _signs(group.size, generator),
            spans=_factors(group.size, generator),
            means=_normal(group.size, generator),
        )
        for group in groups
        for maker in group.makers
        if maker.norm is not None
    }
    inputs = weighted_layers(model)[-1][1].weight.shape[1]
    return Scales(
        spread=_factors(len(model.config.std), generator),
        norms=norms,
        groups=tuple(_factors(group.size, generator) for group in groups),
        shares=tuple(_normal(group.size, generator) if group.joined else None for group in groups),
        head=torch.ones(1, dtype=torch.float64),
        logits=0.1 * _normal(inputs + 1, generator),
    )


def _signs(count: int, generator: torch.Generator) -> Tensor:
    """Signs -1 or 1, float64 (count,)."""
    return 1.0 - 2.0 * torch.randint(2, (count,), generator=generator).double()


def _normal(count: int, generator: torch.Generator) -> Tensor:
    """Standard normal, float64 (count,)."""
    return torch.randn(count, generator=generator, dtype=torch.float64)


def _factors(count: int, generator: torch.Generator) -> Tensor:
    """Log-uniform between 1/4 and 4, float64 (count,)."""
    exponents = 2 * torch.rand(count, generator=generator, dtype=torch.float64) - 1
    return LARGEST_FACTOR**exponents
