"""The state of a training on disk, from which it resumes exactly after any interruption.

A folder with ``checkpoint.json``, valid as soon as it exists, and the safetensors file that it
names. Nothing is pickled. The trained model itself is written by ``save_model``.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
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
FORMAT = "zkwm-checkpoint/2"
_TENSORS = re.compile(r"tensors-[0-9]{6,12}-[0-9]{8,12}\.safetensors")
_UNFINISHED = (".tensors-*.safetensors.*.tmp", f".{STATE_NAME}.*.tmp")
"""Names of files that ``write_atomic`` has not finished."""


@dataclass
class Position:
    """The next step of a training, and what was measured before it.

    Attributes:
        epoch: Epochs that are complete.
        step: Steps that are complete in this epoch.
        loss_sum: The sum of the losses of these steps.
        seconds: Training time so far, over all interruptions.
        history: What was measured at the end of each epoch.
        descent: The state of an own optimizer and schedule, ready for JSON (``plain_state``).
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    history: tuple[Epoch, ...] = ()
    descent: Any = None

    def to_json(self) -> bytes:
        """The position as JSON text."""
        state = {name: getattr(self, name) for name in ("epoch", "step", "loss_sum", "seconds")}
        state |= {"history": [epoch.to_map() for epoch in self.history], "descent": self.descent}
        return json.dumps(state).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Position:
        """Read what ``to_json`` wrote. Raises ValueError, KeyError or TypeError otherwise."""
        state = json.loads(data)
        for name, kind in (("epoch", int), ("step", int), ("loss_sum", float), ("seconds", float)):
            if type(state[name]) is not kind or not math.isfinite(state[name]) or state[name] < 0:
                raise ValueError(name)
        history = tuple(Epoch(**epoch) for epoch in state["history"])
        numbers = (state["epoch"], state["step"], state["loss_sum"], state["seconds"])
        return cls(*numbers, history, state["descent"])


class Checkpoint:
    """A folder that holds the state of one training.

    ``identity`` names that training by its settings, data, triggers and starting model; the state
    of any other training is refused.
    """

    def __init__(self, folder: Path, identity: Mapping[str, str]) -> None:
        self._folder = folder
        self._identity = dict(identity)

    def save(self, position: Position, tensors: Mapping[str, Tensor]) -> None:
        """Replace the state atomically. Raises CouldNotCheck when the disk refuses."""
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

        Raises:
            UsageError: The state belongs to another training.
            Malformed: A file is damaged.
        """
        path = self._folder / STATE_NAME
        if not path.exists():
            return None
        try:
            state = json.loads(read_limited(path, STATE_LIMIT))
            _require_version(state, path)
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
            raise Malformed(f"{self._folder / name} is not a safetensors file") from None

    def remove(self) -> None:
        """Remove the state, and the folder if it is empty then."""
        (self._folder / STATE_NAME).unlink(missing_ok=True)
        self._remove_tensors(keep="")
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _remove_tensors(self, keep: str) -> None:
        """Remove older tensors, and unfinished files of a process that was killed."""
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
                hint="repeat what was interrupted with the same settings, or remove the folder to "
                "start again from the beginning",
            )


def restore(stored: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    """Copy a checkpoint's tensors into those of a training (``named_tensors``), in place.

    Raises Malformed unless names, shapes and dtypes are the same.
    """
    if set(stored) != set(target):
        raise Malformed("the checkpoint's tensors are not those of this model")
    for name, tensor in target.items():
        if stored[name].shape != tensor.shape or stored[name].dtype != tensor.dtype:
            raise Malformed(f"the checkpoint's tensor {name} has another shape or type")
    with torch.no_grad():
        for name, tensor in target.items():
            tensor.copy_(stored[name])


def _require_version(state: dict[str, Any], path: Path) -> None:
    """Raise UsageError for the state of another version; KeyError or TypeError for none at all."""
    kind, _, version = str(state["format"]).partition("/")
    if kind == FORMAT.partition("/")[0] and state["format"] != FORMAT:
        raise UsageError(
            f"{path} has version {version[:20]!r} of its format, and this zkwm reads {FORMAT}",
            hint="finish the training with the zkwm that began it, or remove the folder",
        )


def _parsed(state: dict[str, Any]) -> tuple[Position, str, str]:
    """The position, the tensor file's name and its SHA-256. Raises ValueError among others."""
    if state["format"] != FORMAT or not isinstance(state["identity"], dict):
        raise ValueError
    name, expected = state["tensors"], state["sha256"]
    if not isinstance(name, str) or not _TENSORS.fullmatch(name) or not isinstance(expected, str):
        raise ValueError
    return Position.from_json(state["position"]), name, expected
