"""Function-preserving permutation and rescaling of neurons: free, and it moves every weight.

Not a change of what the network answers, so trigger sets do not notice it; marks that are read from
weights do.
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
    """Permute the neurons of every group at random and, with ``rescale``, give them other scales.

    The symmetries are those of Hecht-Nielsen 1990 and Neyshabur et al. 2015; that a permutation
    voids Uchida's mark is a standing objection to marks in weights (Lukas et al., S&P 2022).
    """

    rescale: bool = True

    name: ClassVar[str] = "permutation"
    paper: ClassVar[str] = "Hecht-Nielsen 1990; Neyshabur et al. 2015"

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """A disguised copy of the stolen weights; needs no data and no training."""
        return AttackResult(shuffle(target.model, adversary.seed, rescale=self.rescale))


def shuffle(model: Classifier, seed: int, *, rescale: bool = True) -> Classifier:
    """A network with the answers of ``model`` and its neurons in an order that ``seed`` decides.

    With ``rescale`` neurons are also multiplied by factors from 1/4 to 4 (log-uniform), those
    before a batch norm get random signs too, and all else that ``Scales`` lists is drawn anew, but
    for a factor on the logits. New, on the CPU, in evaluation mode.
    """
    source = torch.Generator().manual_seed(seed)
    state = tensors(model)
    groups = neuron_groups(model)
    for group in groups:
        permute(state, group, torch.randperm(group.size, generator=source))
    if rescale:
        restore(model, state, _drawn(model, groups, source))
    return with_tensors(model, state)


def _drawn(model: Classifier, groups: tuple[NeuronGroup, ...], source: torch.Generator) -> Scales:
    norms = {
        maker.layer: NormScales(
            rows=_factors(group.size, source) * _signs(group.size, source),
            spans=_factors(group.size, source),
            means=_normal(group.size, source),
        )
        for group in groups
        for maker in group.makers
        if maker.norm is not None
    }
    inputs = weighted_layers(model)[-1][1].weight.shape[1]
    return Scales(
        spread=_factors(len(model.config.std), source),
        norms=norms,
        groups=tuple(_factors(group.size, source) for group in groups),
        shares=tuple(_normal(group.size, source) if group.joined else None for group in groups),
        head=torch.ones(1, dtype=torch.float64),
        logits=0.1 * _normal(inputs + 1, source),
    )


def _signs(count: int, source: torch.Generator) -> Tensor:
    return 1.0 - 2.0 * torch.randint(2, (count,), generator=source).double()


def _normal(count: int, source: torch.Generator) -> Tensor:
    return torch.randn(count, generator=source, dtype=torch.float64)


def _factors(count: int, source: torch.Generator) -> Tensor:
    """Log-uniform between 1/4 and 4, float64 (count,)."""
    drawn = 2 * torch.rand(count, generator=source, dtype=torch.float64) - 1
    return LARGEST_FACTOR**drawn
