"""The state of a training on disk, so that it can go on after any interruption.

A folder with ``checkpoint.json``, which counts as soon as it is there, and the tensor file that it
names. Not a model format: ``save_model`` writes that. Nothing here is pickled.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from zkwm.files import read_limited, write_atomic
from zkwm.training.result import Epoch
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError

STATE_NAME = "checkpoint.json"
STATE_LIMIT = 64 * 1024 * 1024
TENSOR_LIMIT = 8 * 1024**3
FORMAT = "zkwm-checkpoint/1"
_UNFINISHED = (".tensors-*.safetensors.*.tmp", f".{STATE_NAME}.*.tmp")
"""How ``write_atomic`` names what it is writing."""


@dataclass
class Position:
    """How far a training has come: the next step, and what was measured before it.

    ``loss_sum`` is the sum of the losses of the steps done in this epoch; ``seconds`` the time
    spent so far, over all interruptions.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    history: tuple[Epoch, ...] = ()

    def to_json(self) -> bytes:
        """The position as JSON text."""
        state = {name: getattr(self, name) for name in ("epoch", "step", "loss_sum", "seconds")}
        state["history"] = [epoch.to_map() for epoch in self.history]
        return json.dumps(state).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Position:
        """Read ``to_json`` again. Raises ValueError, KeyError or TypeError for anything else."""
        state = json.loads(data)
        for name, kind in (("epoch", int), ("step", int), ("loss_sum", float), ("seconds", float)):
            if type(state[name]) is not kind or not math.isfinite(state[name]) or state[name] < 0:
                raise ValueError(name)
        history = tuple(Epoch(**epoch) for epoch in state["history"])
        return cls(state["epoch"], state["step"], state["loss_sum"], state["seconds"], history)


class Checkpoint:
    """One folder that holds the state of one training.

    ``identity`` says which training it is (settings, data, triggers, starting model); a folder
    that belongs to another one is refused.
    """

    def __init__(self, folder: Path, identity: Mapping[str, str]) -> None:
        self._folder = folder
        self._identity = dict(identity)

    def save(self, position: Position, tensors: Mapping[str, Tensor]) -> None:
        """Write the state whole or not at all. Raises CouldNotCheck when the disk refuses."""
        data = safetensors.save(
            {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
        )
        name = f"tensors-{position.epoch:06d}-{position.step:08d}.safetensors"
        state = {
            "format": FORMAT,
            "identity": self._identity,
            "position": position.to_json().decode(),
            "tensors": name,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CouldNotCheck(f"cannot make {self._folder}: {error.strerror}") from None
        write_atomic(self._folder / name, data, overwrite=True)
        text = json.dumps(state, indent=1, sort_keys=True)
        write_atomic(self._folder / STATE_NAME, text.encode(), overwrite=True)
        self._remove_tensors(keep=name)

    def load(self) -> tuple[Position, dict[str, Tensor]] | None:
        """The last state, or None where there is none.

        Raises UsageError for the state of another training and Malformed for a damaged one.
        """
        path = self._folder / STATE_NAME
        if not path.exists():
            return None
        try:
            state = json.loads(read_limited(path, STATE_LIMIT))
            position, name, expected = _parsed(state)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Malformed(
                f"{path} is damaged", hint="remove the folder to start again from the beginning"
            ) from None
        self._require_same(state["identity"])
        data = read_limited(self._folder / name, TENSOR_LIMIT)
        if hashlib.sha256(data).hexdigest() != expected:
            raise Malformed(
                f"{self._folder / name} is damaged",
                hint="remove the folder to start again from the beginning",
            )
        try:
            return position, safetensors.load(data)
        except (SafetensorError, ValueError):
            raise Malformed(f"{self._folder / name} is no safetensors file") from None

    def remove(self) -> None:
        """Remove the state, and the folder if nothing else is in it."""
        (self._folder / STATE_NAME).unlink(missing_ok=True)
        self._remove_tensors(keep="")
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _remove_tensors(self, keep: str) -> None:
        """Remove older tensors, and what a process that was killed while writing has left."""
        for pattern in ("tensors-*.safetensors", *_UNFINISHED):
            for path in self._folder.glob(pattern):
                if path.name != keep:
                    path.unlink(missing_ok=True)

    def _require_same(self, identity: Mapping[str, str]) -> None:
        other = [name for name, value in self._identity.items() if identity.get(name) != value]
        if other or set(identity) != set(self._identity):
            raise UsageError(
                f"the checkpoint in {self._folder} belongs to another training "
                f"(different: {', '.join(other) or 'kind'})",
                hint="repeat the call that was interrupted, or choose another checkpoint folder",
            )


def restore(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Copy a checkpoint's tensors into those of a training (``named_tensors``), in place.

    Raises Malformed unless names, shapes and types are exactly those.
    """
    if set(found) != set(expected):
        raise Malformed("the checkpoint's tensors are not those of this model")
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape or found[name].dtype != tensor.dtype:
            raise Malformed(f"the checkpoint's tensor {name} has another shape or type")
    with torch.no_grad():
        for name, tensor in expected.items():
            tensor.copy_(found[name])


def named_tensors(model: Mapping[str, Tensor], momentum: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A model's state and the momentum buffers under the names that a checkpoint gives them."""
    return {f"model/{name}": tensor for name, tensor in model.items()} | {
        f"momentum/{name}": tensor for name, tensor in momentum.items()
    }


def _parsed(state: dict[str, Any]) -> tuple[Position, str, str]:
    if state["format"] != FORMAT or not isinstance(state["identity"], dict):
        raise ValueError
    name, expected = state["tensors"], state["sha256"]
    if not isinstance(name, str) or Path(name).name != name or not isinstance(expected, str):
        raise ValueError
    return Position.from_json(state["position"]), name, expected
