"""Structural obfuscation: neurons that change no answer (Yan et al., USENIX Security 2023).

Adversary: has the weights; needs no images and no training. Every layer gets more neurons:

1. *zero*: neurons with random inputs that nothing reads;
2. *clique*: neurons with equal random inputs, whose outputs cancel;
3. *split*: several neurons in place of one, whose outputs add up to its.

4. Order and scale of all neurons are drawn again (``permutation``), so that neither places nor
   equal rows give the new ones away.

Trigger sets do not notice it. Marks in weights are read at other places, or in vectors of another
length; the paper reports that none of nine schemes could be verified any more. The readers of
``zkwm.extraction`` fold the network back first (SPEC.md 19.4). DeepEclipse (Pegoraro et al., arXiv
2403.03590) also puts several layers in place of one; no built-in architecture has those, so that
such a network is read by its answers alone.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.model_modification.permutation import shuffle
from zkwm.extraction.neuron_groups import NeuronGroup, by_neuron, neuron_groups
from zkwm.extraction.unit_form import tensors
from zkwm.nn.widths import with_widths
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier

ZERO, CLIQUE, SPLIT, MIXED = "zero", "clique", "split", "mixed"
KINDS = (ZERO, CLIQUE, SPLIT, MIXED)
MOST_MEMBERS = 8
LARGEST_SHARE = 2.0
"""Neurons of a layer are at most tripled, within ``zkwm.nn.widths.MOST_TIMES``."""


@dataclass(frozen=True)
class StructuralObfuscation(Attack):
    """Add neurons to every layer but the last, without changing any answer.

    Args:
        kind: ``zero``, ``clique``, ``split`` or ``mixed``, a third of each.
        share: How many neurons are added, above 0 and at most 2, in parts of the layer's.
        members: How many neurons a clique has, and how many stand in place of one; 2 to 8.
        noise: Standard deviation of noise on all weights of new neurons, in parts of their root
            mean square; above 0 it disguises what belongs together and changes answers a little.

    Raises:
        UsageError: A value is out of range.
    """

    kind: str = MIXED
    share: float = 0.5
    members: int = 2
    noise: float = 0.0

    name: ClassVar[str] = "structural_obfuscation"
    paper: ClassVar[str] = "Yan et al. 2023 (USENIX Security), arXiv 2303.09732"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"expected a kind of {', '.join(KINDS)}, got {self.kind!r}")
        if not 0.0 < self.share <= LARGEST_SHARE or not (
            2 <= self.members <= MOST_MEMBERS and self.noise >= 0.0
        ):
            raise UsageError(
                f"expected a share above 0 and at most {LARGEST_SHARE:g}, 2 to {MOST_MEMBERS} "
                "members, and noise of 0 or more, "
                f"got {self.share}, {self.members} and {self.noise}"
            )

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """A wider copy of the stolen weights, on the CPU."""
        return AttackResult(self.obfuscated(target.model, adversary.seed))

    def obfuscated(self, model: Classifier, seed: int) -> Classifier:
        """A network with the answers of ``model``, which stays as it is, and more neurons."""
        generator = torch.Generator().manual_seed(seed)
        state = {name: tensor.clone() for name, tensor in tensors(model).items()}
        kinds = [ZERO, CLIQUE, SPLIT] if self.kind == MIXED else [self.kind]
        for group in neuron_groups(model):
            added = max(round(self.share * group.size), self.members)
            parts = [added // len(kinds) + (n < added % len(kinds)) for n in range(len(kinds))]
            grown = group
            for kind, count in zip(kinds, parts, strict=True):
                before = grown.size
                grown = _Growth(state, grown, generator, self.members).grow(kind, count)
                _add_noise(state, grown, before, self.noise, generator)
        grown_tensors = {name: tensor.float() for name, tensor in state.items()}
        return shuffle(with_widths(copy.deepcopy(model).cpu(), grown_tensors), seed)


@dataclass(frozen=True)
class _Growth:
    """Adds neurons to one group of a state, in place."""

    state: dict[str, Tensor]
    group: NeuronGroup
    generator: torch.Generator
    members: int

    def grow(self, kind: str, count: int) -> NeuronGroup:
        """Add up to ``count`` neurons of a kind; the group as it is then."""
        if kind == ZERO:
            return self._append(self._drawn(count), torch.zeros(count, dtype=torch.float64))
        if kind == CLIQUE:
            number = max(count // self.members, 1)
            inputs = self._drawn(number).repeat_interleave(self.members)
            outputs = self._normal(number, self.members)
            outputs = outputs - outputs.mean(dim=1, keepdim=True)
            return self._append(inputs, outputs.flatten())
        number = min(max(count // (self.members - 1), 1), self.group.size)
        split = torch.randperm(self.group.size, generator=self.generator)[:number]
        shares = self._normal(number, self.members)
        shares = shares + (1 - shares.sum(dim=1, keepdim=True)) / self.members
        grown = self._append(
            split.repeat_interleave(self.members - 1), shares[:, 1:].flatten(), mixed=False
        )
        for reader in grown.readers:
            columns = by_neuron(self.state[f"{reader.layer}.weight"], grown.size, 1, reader.copies)
            first = shares[:, 0].view(1, -1, *[1] * (columns.ndim - 2))
            columns[:, split] *= first
        return grown

    def _append(self, inputs: Tensor, outputs: Tensor, *, mixed: bool = True) -> NeuronGroup:
        """Append neurons like ``inputs``, (n,), read as those are, times ``outputs``, (n,).

        With ``mixed``, the weights of every neuron ``inputs`` are in another order, the same for
        all that are like it, so that it computes something new.
        """
        group = self.group
        for name, axis, copies in group.axes(self.state):
            grouped = by_neuron(self.state[name], group.size, axis, copies)
            added = grouped.index_select(axis, inputs).clone()
            if axis == 1:
                added *= outputs.view(1, -1, *[1] * (added.ndim - 2))
            elif mixed and added.ndim > 2:
                added = self._reordered(added, inputs)
            self.state[name] = torch.cat([grouped, added], dim=axis).flatten(axis, axis + 1)
        return replace(group, size=group.size + len(inputs))

    def _reordered(self, added: Tensor, inputs: Tensor) -> Tensor:
        """Rows (n, ...) with the weights of each in an order of its input's."""
        flat = added.flatten(1)
        orders = {
            number: torch.randperm(flat.shape[1], generator=self.generator)
            for number in sorted(set(inputs.tolist()))
        }
        order = torch.stack([orders[number] for number in inputs.tolist()])
        return flat.gather(1, order).view_as(added)

    def _drawn(self, count: int) -> Tensor:
        """Random neurons of the group, int64 (count,)."""
        return torch.randint(self.group.size, (count,), generator=self.generator)

    def _normal(self, *shape: int) -> Tensor:
        """Standard normal, float64."""
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64)


def _add_noise(
    state: dict[str, Tensor],
    group: NeuronGroup,
    before: int,
    noise: float,
    generator: torch.Generator,
) -> None:
    """Add noise to the weights of all neurons from number ``before`` on, in place."""
    if noise == 0.0:
        return
    for name, axis, copies in group.weight_axes():
        grouped = by_neuron(state[name], group.size, axis, copies)
        old = grouped.narrow(axis, 0, before)
        new = grouped.narrow(axis, before, group.size - before)
        drawn = torch.randn(new.shape, generator=generator, dtype=torch.float64)
        noisy = new + noise * old.square().mean().sqrt() * drawn
        state[name] = torch.cat([old, noisy], dim=axis).flatten(axis, axis + 1)
