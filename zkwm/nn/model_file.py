"""A trained model on disk: written whole or not at all, read without unpickling.

A folder with ``model.safetensors``, ``config.json`` (built-in architectures only), ``model.onnx``
and ``record.json``. Not a checkpoint: training cannot go on from its exact state here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn

from zkwm.files import read_limited, write_atomic
from zkwm.nn.architectures import Classifier, ModelConfig
from zkwm_protocols.errors import Malformed, UsageError

WEIGHTS, CONFIG, ONNX, RECORD = "model.safetensors", "config.json", "model.onnx", "record.json"
CONFIG_FORMAT = "zkwm-model/1"
CONFIG_LIMIT = 64 * 1024
HEADER_ALLOWANCE = 1024 * 1024


def save_classifier(folder: str | Path, model: Classifier) -> None:
    """Write a built-in network into a folder, replacing one: what ``load_model`` reads, no more.

    config.json is written last: where it is, the network is whole. Raises CouldNotCheck.
    """
    folder = Path(folder)
    write_atomic(folder / WEIGHTS, _weights(model), overwrite=True)
    write_atomic(folder / CONFIG, _config_json(model.config), overwrite=True)


def load_model(path: str | Path) -> Classifier:
    """The built-in network in a folder that ``save_model`` wrote (or its ``model.safetensors``).

    Reads config.json and the tensors beside it, nothing else; in evaluation mode, on the CPU.
    Raises Malformed unless the tensors are exactly those of the architecture, in name, shape and
    type, and finite; CouldNotCheck for a file that cannot be read.
    """
    path = Path(path)
    folder, weights = (path, path / WEIGHTS) if path.is_dir() else (path.parent, path)
    config = _parsed_config(folder / CONFIG)
    with torch.device("meta"):
        model = Classifier(config)
    expected = model.state_dict()
    size = sum(tensor.numel() * tensor.element_size() for tensor in expected.values())
    data = read_limited(weights, size + HEADER_ALLOWANCE)
    try:
        found = safetensors.load(data)
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise Malformed(f"{weights} is no safetensors file") from None
    _require_tensors(found, expected, config, weights)
    model.load_state_dict(found, assign=True)
    return model.eval()


def _require_tensors(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor], config: ModelConfig, path: Path
) -> None:
    if set(found) != set(expected):
        name = sorted(set(found) ^ set(expected))[0]
        raise Malformed(
            f"{path} holds other tensors than a {config.architecture} (first difference: {name!r})"
        )
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape or found[name].dtype != tensor.dtype:
            raise Malformed(
                f"the tensor {name!r} in {path} is {found[name].dtype} {tuple(found[name].shape)}, "
                f"not {tensor.dtype} {tuple(tensor.shape)}"
            )
        if not bool(torch.isfinite(found[name]).all()):
            raise Malformed(f"the tensor {name!r} in {path} holds a number that is not finite")
    for name, values in (("mean", config.mean), ("std", config.std)):
        if found[f"normalize.{name}"].reshape(-1).tolist() != torch.tensor(values).tolist():
            raise Malformed(f"{path} and config.json disagree about {name}")


def _parsed_config(path: Path) -> ModelConfig:
    damaged = Malformed(f"{path} does not describe a built-in network")
    try:
        fields = json.loads(read_limited(path, CONFIG_LIMIT))
    except (ValueError, RecursionError):
        raise damaged from None
    names = {"format", "architecture", "shape", "class_count", "mean", "std"}
    if not isinstance(fields, dict) or set(fields) != names or fields["format"] != CONFIG_FORMAT:
        raise damaged
    shape, statistics = fields["shape"], (fields["mean"], fields["std"])
    if not isinstance(shape, list) or len(shape) != 3 or any(type(s) is not int for s in shape):
        raise damaged
    if type(fields["class_count"]) is not int or not isinstance(fields["architecture"], str):
        raise damaged
    for values in statistics:
        if not isinstance(values, list) or any(type(value) is not float for value in values):
            raise damaged
    try:
        return ModelConfig(
            fields["architecture"],
            (shape[0], shape[1], shape[2]),
            fields["class_count"],
            tuple(statistics[0]),
            tuple(statistics[1]),
        )
    except UsageError as error:
        raise Malformed(f"{path}: {error.message}") from None


def _config_json(config: ModelConfig) -> bytes:
    return _json(
        {
            "format": CONFIG_FORMAT,
            "architecture": config.architecture,
            "shape": list(config.shape),
            "class_count": config.class_count,
            "mean": [float(value) for value in config.mean],
            "std": [float(value) for value in config.std],
        }
    )


def _weights(model: nn.Module) -> bytes:
    """The state as safetensors without metadata; tensors that share memory are written apart."""
    tensors = {
        name: t.detach().cpu().clone().contiguous() for name, t in model.state_dict().items()
    }
    return safetensors.save(tensors)


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
