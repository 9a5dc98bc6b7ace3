"""Evaluate weights of a built-in architecture in a process with limits of memory and time.

The layers are zkwm's own, but weights and sizes are the other party's: an image of a large size
takes minutes and gigabytes. ``zkwm.suspects.weights_worker`` is the process.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.limited_process import LimitedProcess, NoResultError
from zkwm.suspects.limits import OnnxLimits
from zkwm.suspects.suspect import CHECK
from zkwm_protocols.errors import SuspectUnusable
from zkwm_protocols.relearning import MOST_STEPS, Form, Round
from zkwm_protocols.suspect_identity import Preprocessing

if TYPE_CHECKING:
    from zkwm.extraction.reader import JudgeView, MarkReader
    from zkwm.nn.architectures import Classifier

_BASE_MEMORY = 4 << 30
_MODULE = "zkwm.suspects.weights_worker"
_MORE_TIME = "give it more time for one image (`image_seconds`)"
_FASTER = "ask it on a faster machine: more time for one image changes nothing"


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


def limited_relearning(
    model: Classifier,
    images: NDArray[np.uint8],
    labels: Sequence[int],
    rounds: Sequence[Round],
    preprocessing: Preprocessing,
    class_map: Sequence[int],
    limits: OnnxLimits,
    most_steps: int = MOST_STEPS,
) -> Iterator[tuple[NDArray[np.float64], float]]:
    """For each form and round the scores float64 (m, C) of those asked, and seconds a gradient.

    Arguments are those of ``Suspect.relearn``. Beside the weights the process may hold each image
    as float32 and double. One process makes the rounds, one by one, and knows the labels of a
    round's triggers only.

    Raises SuspectUnusable (``suspect.answers``) where they take more time or memory than
    ``limits``, and what ``preprocess`` raises.
    """
    classes = [int(output) for output in class_map]
    model_frames, end = [*_frames(model), b"", b""], time.monotonic() + limits.total_seconds
    wanted = np.array(labels, "<i8")
    held = [*model_frames, *[images.tobytes()] * 3]
    with contextlib.closing(_process(held, limits)) as process:
        for form, (trained, asked) in product(Form, rounds):
            both = images[np.concatenate([trained, asked])]
            task = {"task": "relearn", "class_map": classes, "images": both.shape}
            task |= {"preprocessing": asdict(preprocessing), "most_steps": most_steps}
            task["form"] = form.value
            frames = [*model_frames, both.tobytes(), wanted[trained].tobytes()]
            start = time.monotonic()
            most = limits.load_seconds + most_steps * len(both) * limits.image_seconds
            left = max(0.1, min(end - start, most))
            size = 8 * len(asked) * len(classes)
            hint = _MORE_TIME if left == most else _FASTER
            facts, result = _ask(process, task, frames, size, left, hint)
            steps = facts.get("steps")
            taken = min(steps + 1, most_steps) if isinstance(steps, int) else 1
            gradients = len(trained) * taken
            table = np.frombuffer(result, "<f8").reshape(len(asked), len(classes))
            yield table.astype(np.float64), (time.monotonic() - start) / max(gradients, 1)


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


def try_alignment(model: Classifier, reference: Classifier | None, limits: OnnxLimits) -> None:
    """Fold and align a network (SPEC.md 19.4), and leave the result: whether that can be done.

    Raises what ``zkwm.extraction.alignment.aligned`` raises, and SuspectUnusable
    (``suspect.answers``) where it takes more time or memory than ``limits``.
    """
    known = (b"", b"") if reference is None else _frames(reference)
    _run({"task": "align"}, [*_frames(model), *known, b"", b""], 1, 0, limits)


def _frames(model: Classifier) -> tuple[bytes, bytes]:
    """A network as the process reads it: config.json and safetensors."""
    from zkwm.nn.model_file import config_json, weight_bytes

    return config_json(model.config), weight_bytes(model)


def _run(
    task: dict[str, Any], frames: list[bytes], count: int, size: int, limits: OnnxLimits
) -> bytes:
    """Run one task on ``count`` images or keys; its result has ``size`` bytes."""
    most = limits.load_seconds + count * limits.image_seconds
    seconds = min(limits.total_seconds, most)
    hint = _MORE_TIME if seconds == most else _FASTER
    with contextlib.closing(_process(frames, limits)) as process:
        return _ask(process, task, frames, size, seconds, hint)[1]


def _process(frames: list[bytes], limits: OnnxLimits) -> LimitedProcess:
    """A process for these frames."""
    return LimitedProcess(_MODULE, limits.memory_bytes or _BASE_MEMORY + 4 * sum(map(len, frames)))


def _ask(
    process: LimitedProcess,
    task: dict[str, Any],
    frames: list[bytes],
    size: int,
    seconds: float,
    late_hint: str,
) -> tuple[dict[str, Any], bytes]:
    """The facts and result of one task, of ``size`` bytes.

    Raises SuspectUnusable (``suspect.answers``); ``late_hint`` is for one that takes too long.
    """
    hint = "ask it on a larger machine"
    try:
        facts, result = process.answer([json.dumps(task).encode(), *frames], seconds, size)
    except NoResultError as error:
        reason = "it ended without an answer, perhaps out of memory"
        if error.late:
            reason, hint = f"it takes more than {seconds:g} seconds", late_hint
        raise SuspectUnusable(
            f"the suspect cannot be asked: {reason}", hint=hint, check=CHECK
        ) from None
    if len(result) != size:
        raise SuspectUnusable("the suspect cannot be asked: another reply", hint=hint, check=CHECK)
    return facts, result
