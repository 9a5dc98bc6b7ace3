"""Evaluate weights of a built-in architecture in a process with limits of memory and time.

The layers are zkwm's own, but weights and sizes are the other party's: an image of a large size
takes minutes and gigabytes. ``zkwm.suspects.weights_worker`` is the process.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.limited_process import NoResultError, run_limited
from zkwm.suspects.limits import OnnxLimits
from zkwm.suspects.suspect import CHECK
from zkwm_protocols.errors import SuspectUnusable
from zkwm_protocols.suspect_identity import Preprocessing

if TYPE_CHECKING:
    from zkwm.extraction.reader import JudgeView, MarkReader
    from zkwm.nn.architectures import Classifier

_BASE_MEMORY = 4 << 30
_MODULE = "zkwm.suspects.weights_worker"


def limited_scores(
    model: Classifier,
    images: NDArray[np.uint8],
    preprocessing: Preprocessing,
    limits: OnnxLimits,
) -> NDArray[np.float64]:
    """The logits float64 (n, outputs) of a network for images uint8 (n, c, h, w), one by one.

    Raises SuspectUnusable (``suspect.answers``) where they take more time or memory than
    ``limits``, and what ``preprocess`` raises.
    """
    outputs = model.config.class_count
    task = {"task": "scores", "preprocessing": asdict(preprocessing), "images": images.shape}
    frames = [*_frames(model), b"", b"", np.ascontiguousarray(images).tobytes(), b""]
    result = _run(task, frames, len(images), 8 * len(images) * outputs, limits)
    return np.frombuffer(result, "<f8").reshape(len(images), outputs).astype(np.float64)


def limited_bits(
    reader: MarkReader,
    model: Classifier,
    keys: NDArray[np.uint8],
    view: JudgeView,
    limits: OnnxLimits,
) -> NDArray[np.int64]:
    """``reader.extract`` of a network: int64 (n,) for keys uint8 (n, 1, 1, 32).

    Raises what the reader raises, and SuspectUnusable (``suspect.answers``) where it takes more
    time or memory than ``limits``.
    """
    task = {
        "task": "bits",
        "watermark": reader.name,
        "parameters": {name: getattr(reader, name) for name in reader.judged},
        "images": keys.shape,
        "probes": view.probes.shape,
    }
    reference = (b"", b"") if view.reference is None else _frames(view.reference)
    pixels = [np.ascontiguousarray(array).tobytes() for array in (keys, view.probes)]
    result = _run(task, [*_frames(model), *reference, *pixels], len(keys), 8 * len(keys), limits)
    return np.frombuffer(result, "<i8").astype(np.int64)


def _frames(model: Classifier) -> tuple[bytes, bytes]:
    """A network as the process reads it: config.json and safetensors."""
    from zkwm.nn.model_file import config_json, weight_bytes

    return config_json(model.config), weight_bytes(model)


def _run(
    task: dict[str, Any], frames: list[bytes], count: int, size: int, limits: OnnxLimits
) -> bytes:
    """Run one task on ``count`` images or keys; its result has ``size`` bytes."""
    seconds = min(limits.total_seconds, limits.load_seconds + count * limits.image_seconds)
    memory = limits.memory_bytes or _BASE_MEMORY + 4 * sum(map(len, frames))
    hint = "ask it on a larger machine"
    try:
        _, result = run_limited(
            _MODULE,
            [json.dumps(task).encode(), *frames],
            memory=memory,
            seconds=seconds,
            result_limit=size,
        )
    except NoResultError as error:
        reason, hint = "it ended without an answer, perhaps out of memory", hint
        if error.late:
            reason = f"it takes more than {seconds:g} seconds"
            hint = "give it more time for one image (`image_seconds`)"
        raise SuspectUnusable(
            f"the suspect cannot be asked: {reason}", hint=hint, check=CHECK
        ) from None
    if len(result) != size:
        raise SuspectUnusable("the suspect cannot be asked: another reply", hint=hint, check=CHECK)
    return result
