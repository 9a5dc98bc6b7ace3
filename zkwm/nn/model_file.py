"""Read and write networks: safetensors, and JSON that describes a built-in one, no pickle.

``zkwm.training.saved_model`` adds ONNX and the record of the training. A training resumes from a
checkpoint instead (``zkwm.training.checkpoint``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, overload

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn

from zkwm.files import read_limited, write_atomic
from zkwm.nn.architectures import Classifier, ModelConfig
from zkwm.nn.widths import MOST_TIMES, require_widths, with_widths
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError

WEIGHTS, CONFIG, ONNX, RECORD = "model.safetensors", "config.json", "model.onnx", "record.json"
Network = TypeVar("Network", bound=nn.Module)
CONFIG_FORMAT = "zkwm-model/1"
_SAVED = "a built-in network is a folder with model.safetensors and config.json, as embed makes it"
CONFIG_LIMIT = 64 * 1024
"""Bytes of the largest config.json that is read."""
HEADER_ALLOWANCE = 1024 * 1024
"""Bytes that a safetensors file may have beyond its tensors."""


def save_classifier(folder: str | Path, model: Classifier) -> None:
    """Write what ``load_model`` reads, and no more, replacing older files.

    config.json is written last: where it exists, the network is complete. Raises CouldNotCheck when
    the disk refuses.
    """
    folder = Path(folder)
    write_atomic(folder / WEIGHTS, weight_bytes(model), overwrite=True)
    write_atomic(folder / CONFIG, config_json(model.config), overwrite=True)


@overload
def load_model(path: str | Path) -> Classifier: ...


@overload
def load_model(path: str | Path, model: Network) -> Network: ...


def load_model(path: str | Path, model: nn.Module | None = None) -> nn.Module:
    """Load the network of a folder that ``save_model`` wrote.

    A network of the owner's own is built by the owner, and given as ``model``; its weights are
    replaced in place. No code is read from the folder.

    Args:
        path: The folder or its ``model.safetensors``. Nothing is read but this file and, for a
            built-in network, config.json.
        model: None for a built-in network, which config.json describes.

    Returns:
        The network in evaluation mode; a built-in one is on the CPU.

    Raises:
        Malformed: Tensors differ from the network's in name, shape or dtype, or are not finite, or
            config.json describes no network.
        CouldNotCheck: A file cannot be read; or there is no config.json, since the network is one
            of the owner's own.
    """
    if model is None:
        return load_with_files(path)[0]
    path = Path(path)
    weights = path / WEIGHTS if path.is_dir() else path
    tensors = _read_tensors(read_limited(weights, _file_limit(model)), weights)
    _require_tensors(tensors, model.state_dict(), "this network", weights)
    model.load_state_dict(tensors)
    return model.eval()


def load_with_files(
    path: str | Path, *, any_width: bool = False
) -> tuple[Classifier, dict[str, bytes]]:
    """``load_model``, and the files that it was read from: their bytes by name, weights first.

    With ``any_width`` hidden layers may be wider or narrower than the architecture's
    (``zkwm.nn.widths``); what cannot be read even so raises Unsupported.
    """
    path = Path(path)
    folder, weights = (path, path / WEIGHTS) if path.is_dir() else (path.parent, path)
    _require_network(path, folder)
    config = read_limited(folder / CONFIG, CONFIG_LIMIT)
    model = _empty(config, folder / CONFIG)
    data = read_limited(weights, _file_limit(model, any_width=any_width))
    filled = _filled(model, data, weights, any_width=any_width)
    return filled, {weights.name: data, CONFIG: config}


def read_classifier(config: bytes, weights: bytes, *, any_width: bool = False) -> Classifier:
    """The network of the contents of config.json and model.safetensors, as ``load_with_files``."""
    return _filled(_empty(config, Path(CONFIG)), weights, Path(WEIGHTS), any_width=any_width)


def _require_network(path: Path, folder: Path) -> None:
    """Raise CouldNotCheck, naming the folder, where no built-in network was saved."""
    if not path.exists():
        raise CouldNotCheck(f"there is no {path}", hint=_SAVED)
    if not (folder / CONFIG).exists():
        hint = f"give {folder / ONNX} where a suspect is wanted" if (folder / ONNX).exists() else ""
        if (folder / WEIGHTS).exists():
            own = "a network of your own is given as well (`load_model`)"
            hint = f"{hint}; {own}".removeprefix("; ")
        raise CouldNotCheck(
            f"{folder} has no {CONFIG}, so that it holds no network of a built-in architecture",
            hint=hint or _SAVED,
        )


def _empty(config: bytes, path: Path) -> Classifier:
    """The network that a config.json describes, without values."""
    with torch.device("meta"):
        return Classifier(_parsed_config(config, path))


def _filled(model: Classifier, data: bytes, path: Path, *, any_width: bool = False) -> Classifier:
    """The network with the values of a safetensors file."""
    tensors = _read_tensors(data, path)
    config, expected = model.config, model.state_dict()
    if any_width and _widths_differ(tensors, expected):
        require_widths(model, tensors)
        shapes = {name: torch.empty_like(t, device="meta") for name, t in tensors.items()}
        model = with_widths(model, {name: shapes[name] for name in expected})
    _require_tensors(tensors, model.state_dict(), f"a {config.architecture}", path)
    for name, values in (("mean", config.mean), ("std", config.std)):
        if tensors[f"normalize.{name}"].reshape(-1).tolist() != torch.tensor(values).tolist():
            raise Malformed(f"{path} and config.json disagree about {name}")
    model.load_state_dict(tensors, assign=True)
    return model.eval()


def _widths_differ(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    """Whether names and dtypes are the expected ones, and shapes are not."""
    alike = set(tensors) == set(expected) and all(
        tensors[name].dtype == tensor.dtype for name, tensor in expected.items()
    )
    return alike and any(tensors[name].shape != t.shape for name, t in expected.items())


def _file_limit(model: nn.Module, *, any_width: bool = False) -> int:
    """Bytes that a file with the weights of this network may have."""
    tensors: Mapping[str, Tensor] = model.state_dict()
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    return size * (MOST_TIMES**2 if any_width else 1) + HEADER_ALLOWANCE


def _read_tensors(data: bytes, path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU. Raises Malformed."""
    try:
        found: dict[str, Tensor] = safetensors.load(data)
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise Malformed(f"{path} is not a safetensors file") from None
    return found


def _require_tensors(
    tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], network: str, path: Path
) -> None:
    """Raise Malformed unless the tensors are those of the network, and finite."""
    if set(tensors) != set(expected):
        name = sorted(set(tensors) ^ set(expected))[0]
        raise Malformed(
            f"{path} holds other tensors than {network} (first difference: {name[:100]!r})"
        )
    for name, tensor in expected.items():
        stored = tensors[name]
        if stored.shape != tensor.shape or stored.dtype != tensor.dtype:
            raise Malformed(
                f"the tensor {name!r} in {path} is {stored.dtype} {tuple(stored.shape)}, "
                f"not {tensor.dtype} {tuple(tensor.shape)}"
            )
        if not bool(torch.isfinite(stored).all()):
            raise Malformed(f"the tensor {name!r} in {path} holds a number that is not finite")


def _parsed_config(data: bytes, path: Path) -> ModelConfig:
    """The content of config.json at ``path``. Raises Malformed."""
    damaged = Malformed(f"{path} does not describe a built-in network")
    try:
        fields = json.loads(data)
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
        raise Malformed(f"{path}: {error.message[:300]}") from None


def config_json(config: ModelConfig) -> bytes:
    """The content of config.json."""
    return json_bytes(
        {
            "format": CONFIG_FORMAT,
            "architecture": config.architecture,
            "shape": list(config.shape),
            "class_count": config.class_count,
            "mean": [float(value) for value in config.mean],
            "std": [float(value) for value in config.std],
        }
    )


def weight_bytes(model: nn.Module) -> bytes:
    """The state as a safetensors file without metadata; shared tensors are written separately."""
    tensors = {
        name: t.detach().cpu().clone().contiguous() for name, t in model.state_dict().items()
    }
    return safetensors.save(tensors)


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """JSON with sorted names, indented by 2, ending in a newline."""
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
