"""The groups of a built-in network's neurons that may be permuted, and their tensors.

Permuting the neurons of a group in every tensor alike changes no answer; nor does multiplying one
neuron by a positive number and dividing the weights that read it. Alignment
(``zkwm.extraction.alignment``) and the permutation attack both build on this.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from zkwm.nn.architectures import BasicBlock, Classifier

BATCH_NORM_TENSORS = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class Maker:
    """A convolution or linear layer whose outputs are the neurons, and its batch norm, if any."""

    layer: str
    norm: str | None = None


@dataclass(frozen=True)
class Reader:
    """A layer that reads the neurons, ``copies`` adjacent inputs each (pixels if flattened)."""

    layer: str
    copies: int = 1


@dataclass(frozen=True)
class NeuronGroup:
    """Neurons that are permuted together, with the layers that make and that read them.

    Attributes:
        size: the number of neurons.
        makers: the first reads earlier groups only, or the image. Several makers are those of a
            residual stream, whose channels belong together through all blocks of a stage.
        readers: the layers whose inputs the neurons are.
        joined: whether the first two makers are added before any ReLU.
    """

    size: int
    makers: tuple[Maker, ...]
    readers: tuple[Reader, ...]
    joined: bool = False

    def axes(self, state: dict[str, Tensor]) -> Iterator[tuple[str, int, int]]:
        """Yield (tensor's name, axis, copies) for every axis of neurons in ``state``."""
        for maker in self.makers:
            yield f"{maker.layer}.weight", 0, 1
            if f"{maker.layer}.bias" in state:
                yield f"{maker.layer}.bias", 0, 1
            if maker.norm is not None:
                for name in BATCH_NORM_TENSORS:
                    yield f"{maker.norm}.{name}", 0, 1
        for reader in self.readers:
            yield f"{reader.layer}.weight", 1, reader.copies

    def weight_axes(self) -> Iterator[tuple[str, int, int]]:
        """Yield the same for the weights of layers alone, without biases and batch norms."""
        for maker in self.makers:
            yield f"{maker.layer}.weight", 0, 1
        for reader in self.readers:
            yield f"{reader.layer}.weight", 1, reader.copies


def neuron_groups(model: Classifier) -> tuple[NeuronGroup, ...]:
    """The groups of a built-in network, in an order in which first makers read earlier ones."""
    if any(isinstance(module, BasicBlock) for module in model.modules()):
        return _residual(model)
    return _chain(model)


def weighted_layers(model: nn.Module) -> list[tuple[str, nn.Conv2d | nn.Linear]]:
    """Convolutions and linear layers with their names, in the order of ``named_modules``.

    The index in this list is a layer's number, by which keys name it (SPEC.md 19.1 and 19.5).
    """
    return [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]


def by_neuron(tensor: Tensor, size: int, axis: int, copies: int) -> Tensor:
    """The tensor with an axis of size * copies split in two: (..., size, copies, ...)."""
    shape = tensor.shape
    return tensor.reshape(*shape[:axis], size, copies, *shape[axis + 1 :])


def permute(state: dict[str, Tensor], group: NeuronGroup, order: Tensor) -> None:
    """Move neuron ``order[j]`` to place j in all tensors of ``state``; ``order`` int64 (size,)."""
    for name, axis, copies in group.axes(state):
        grouped = by_neuron(state[name], group.size, axis, copies)
        state[name] = grouped.index_select(axis, order).flatten(axis, axis + 1)


def select(state: dict[str, Tensor], group: NeuronGroup, kept: list[int]) -> NeuronGroup:
    """Leave out all other neurons of a group, in place; the group as it is then."""
    order = torch.tensor(kept, dtype=torch.int64)
    for name, axis, copies in group.axes(state):
        if name in state:
            grouped = by_neuron(state[name], group.size, axis, copies)
            state[name] = grouped.index_select(axis, order).flatten(axis, axis + 1)
    return replace(group, size=len(kept))


def pad(state: dict[str, Tensor], group: NeuronGroup, target: int) -> None:
    """Add neurons that are always 0 and that nothing reads, in place, up to ``target``."""
    if group.size >= target:
        return
    for name, axis, copies in group.axes(state):
        shape = list(state[name].shape)
        shape[axis] = (target - group.size) * copies
        value = 1.0 if name.endswith("running_var") else 0.0
        added = torch.full(shape, value, dtype=state[name].dtype)
        state[name] = torch.cat([state[name], added], dim=axis)


def scale_readers(state: dict[str, Tensor], group: NeuronGroup, factors: Tensor) -> None:
    """Multiply the weights that read neuron j by ``factors[j]``, (size,), in place."""
    for reader in group.readers:
        name = f"{reader.layer}.weight"
        spread = factors.repeat_interleave(reader.copies)
        state[name] = state[name] * spread.view(1, -1, *[1] * (state[name].ndim - 2))


def scale_rows(state: dict[str, Tensor], name: str, factors: Tensor) -> None:
    """Multiply row j of the tensor ``name`` by ``factors[j]``, (size,), in place."""
    state[name] = state[name] * factors.view(-1, *[1] * (state[name].ndim - 1))


def _chain(model: Classifier) -> tuple[NeuronGroup, ...]:
    """The groups of a network of layers in a row: the outputs of each but the last."""
    layers = weighted_layers(model)
    norms = _norms(model)
    groups = []
    for (name, layer), (after, reading) in pairwise(layers):
        size = layer.weight.shape[0]
        inputs = reading.weight.shape[1]
        maker = Maker(name, norms.get(name))
        groups.append(NeuronGroup(size, (maker,), (Reader(after, inputs // size),)))
    return tuple(groups)


def _norms(model: Classifier) -> dict[str, str]:
    """The batch norm that directly follows a layer, by the layer's name."""
    modules = list(model.named_modules())
    return {
        name: after
        for (name, layer), (after, norm) in pairwise(modules)
        if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    }


def _residual(model: Classifier) -> tuple[NeuronGroup, ...]:
    """The groups of a residual network: each stage's stream, then the inside of its blocks."""
    layers = weighted_layers(model)
    stem, head = layers[0], layers[-1]
    blocks = [
        (name, block) for name, block in model.named_modules() if isinstance(block, BasicBlock)
    ]
    # ``makers`` and ``readers`` are those of the current stage's stream; ``inner`` holds the groups
    # within the stage's blocks. A block with a shortcut convolution begins the next stage: it still
    # reads the old stream, and its inner group comes after the new one.
    groups: list[NeuronGroup] = []
    inner: list[NeuronGroup] = []
    size = stem[1].weight.shape[0]
    makers, readers = [Maker(stem[0], "features.1")], []
    for name, block in blocks:
        width = block.conv1.weight.shape[0]
        inner.append(
            NeuronGroup(width, (Maker(f"{name}.conv1", f"{name}.bn1"),), (Reader(f"{name}.conv2"),))
        )
        readers.append(Reader(f"{name}.conv1"))
        second = Maker(f"{name}.conv2", f"{name}.bn2")
        if isinstance(block.shortcut, nn.Identity):
            makers.append(second)
            continue
        readers.append(Reader(f"{name}.shortcut.0"))
        groups += [_stream(size, makers, readers), *inner[:-1]]
        inner = inner[-1:]
        size, readers = block.conv2.weight.shape[0], []
        makers = [Maker(f"{name}.shortcut.0", f"{name}.shortcut.1"), second]
    readers.append(Reader(head[0]))
    return (*groups, _stream(size, makers, readers), *inner)


def _stream(size: int, makers: list[Maker], readers: list[Reader]) -> NeuronGroup:
    """The channels of one stage; every stage but the first begins with a shortcut convolution."""
    return NeuronGroup(size, tuple(makers), tuple(readers), joined="shortcut" in makers[0].layer)
