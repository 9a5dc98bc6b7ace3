"""The tiny networks of `extraction.json` in torch: a chain and a residual one, weights given.

They stand under the name of a built-in architecture, whose layers they do not have: what is read
from a network looks at its layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zkwm.nn.architectures import BasicBlock, Classifier, build_model

NAMES = {"chain": "cnn2", "residual": "resnet8"}
SHAPE = (3, 6, 6)
CLASSES = 3


def tensor(stored: list[Any]) -> Tensor:
    """A tensor of the vectors: [dtype, sizes, hexadecimal data]."""
    dtype, sizes, data = stored
    flat = np.frombuffer(bytes.fromhex(data), np.dtype(dtype).newbyteorder("<"))
    return torch.from_numpy(flat.astype(dtype).reshape(sizes))


def tiny_network(name: str, tensors: dict[str, list[Any]]) -> Classifier:
    """The network ``chain`` or ``residual`` with tensors of the vectors, in evaluation mode."""
    state = {key: tensor(value) for key, value in tensors.items()}
    mean, std = (state[f"normalize.{kind}"].flatten().tolist() for kind in ("mean", "std"))
    model = build_model(NAMES[name], shape=SHAPE, class_count=CLASSES, mean=mean, std=std)
    model.features = _chain() if name == "chain" else _residual()
    model.load_state_dict(state)
    return model.eval()


def _chain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 3, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(3, 4, 2), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16, 5), nn.ReLU(),
        nn.Linear(5, CLASSES),
    )  # fmt: skip


def _residual() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2), nn.ReLU(),
        BasicBlock(2, 2, 1),
        BasicBlock(2, 3, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, CLASSES),
    )  # fmt: skip
