"""Built-in networks with more or fewer neurons in their hidden layers than the architecture has.

No training of zkwm makes one. Adversaries do: neurons that cancel each other, or several in place
of one, change no answer and move a mark that is read from weights
(``zkwm.extraction.folding`` undoes it).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from zkwm.nn.architectures import Classifier
from zkwm_protocols.errors import Unsupported

MOST_TIMES = 4
"""How many times as wide as the architecture a layer may be."""

_SIZES = {
    nn.Conv2d: ("out_channels", "in_channels"),
    nn.Linear: ("out_features", "in_features"),
    nn.BatchNorm2d: ("num_features",),
}


def with_widths(model: Classifier, state: Mapping[str, Tensor]) -> Classifier:
    """A copy of the network with these tensors, as many neurons as they have, in evaluation mode.

    Tensors that ``state`` lacks stay. The copy is wherever the tensors are.
    """
    network = copy.deepcopy(model).eval()
    for name, tensor in state.items():
        path, _, leaf = name.rpartition(".")
        module = network.get_submodule(path)
        if leaf in dict(module.named_buffers(recurse=False)):
            setattr(module, leaf, tensor)
        else:
            setattr(module, leaf, nn.Parameter(tensor))
        for size, axis in zip(_SIZES.get(type(module), ()), (0, 1), strict=False):
            if leaf == "weight":
                setattr(module, size, tensor.shape[axis])
    return network


def require_widths(model: Classifier, tensors: Mapping[str, Tensor]) -> None:
    """Raise Unsupported unless the tensors are a network's that differs in hidden widths alone.

    Names and dtypes are not compared. Each layer has 1 to ``MOST_TIMES`` times the architecture's
    neurons, and images and classes are the architecture's. Whether layers fit together is not seen
    here (``zkwm.extraction.folding``).
    """
    expected = model.state_dict()
    fitting = all(
        name in tensors and _fits(tensors[name].shape, tensor.shape, tensors, name)
        for name, tensor in expected.items()
    )
    ends = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    names = {id(module): name for name, module in model.named_modules()}
    first, last = (f"{names[id(module)]}.weight" for module in (ends[0], ends[-1]))
    if (
        not fitting
        or tensors[first].shape[1] != expected[first].shape[1]
        or tensors[last].shape[0] != expected[last].shape[0]
    ):
        raise Unsupported(
            f"the network is no {model.config.architecture}, nor one with 1 to {MOST_TIMES} times "
            "as many neurons in its hidden layers",
        )


def _fits(
    shape: torch.Size, expected: torch.Size, tensors: Mapping[str, Tensor], name: str
) -> bool:
    """Whether a tensor may have this shape; one of an axis is as long as its layer's weight."""
    if name.startswith("normalize") or not expected:
        return shape == expected
    if len(shape) != len(expected) or shape[2:] != expected[2:]:
        return False
    if len(shape) == 1:
        own = tensors.get(f"{name.rpartition('.')[0]}.weight")
        if own is None or own.shape[:1] != shape:
            return False
    return all(
        1 <= size <= MOST_TIMES * most for size, most in zip(shape[:2], expected[:2], strict=True)
    )
