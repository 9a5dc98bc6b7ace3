"""The process that evaluates weights of a built-in architecture: see ``limited_weights``.

``python -P -m zkwm.suspects.weights_worker MEMORY``. Frames in: JSON (the task), config.json and
weights of the suspect, those of the reference (empty without one), images or keys, probes, or the
labels of the first images as little-endian int64 for a round of relearning. Frames out: those of
``zkwm.suspects.limited_process``. MEMORY is what it may use beyond its own code.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.limited_worker import serve
from zkwm.suspects.preprocessing import preprocess, read_preprocessing
from zkwm.suspects.resource_limits import limit_resources, mapped_memory
from zkwm_protocols.errors import SuspectUnusable
from zkwm_protocols.relearning import CHUNK, Form

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier

_FRAMES = 7
_CHECK = "suspect.answers"


def scores(model: Classifier, task: dict[str, Any], images: NDArray[np.uint8]) -> bytes:
    """The logits of each image as little-endian float64, row by row."""
    import torch

    fed = read_preprocessing(task["preprocessing"])
    rows = []
    with torch.inference_mode():
        for index in range(len(images)):
            logits = model(torch.from_numpy(preprocess(images[index : index + 1], fed)))
            rows.append(logits[0].double().numpy().astype("<f8").tobytes())
    return b"".join(rows)


def relearned(
    model: Classifier, task: dict[str, Any], images: NDArray[np.uint8], labels: bytes
) -> tuple[dict[str, Any], bytes]:
    """The steps of a round of relearning, and the scores of those asked, little-endian float64."""
    import torch

    from zkwm.suspects.learner import learned_scores

    how = read_preprocessing(task["preprocessing"])
    fed = torch.empty(images.shape, dtype=torch.float32)
    for first in range(0, len(images), CHUNK):  # copies of all would be half of the memory
        part = images[first : first + CHUNK]
        fed[first : first + CHUNK] = torch.from_numpy(preprocess(part, how))
    wanted = torch.from_numpy(np.frombuffer(labels, "<i8").astype(np.int64))
    form, outputs, most = Form(task["form"]), task["class_map"], task["most_steps"]
    found, steps = learned_scores(model, form, fed, wanted, outputs, most_steps=most)
    return {"steps": steps}, found.astype("<f8").tobytes()


def bits(
    model: Classifier, reference: Classifier | None, task: dict[str, Any], question: list[bytes]
) -> bytes:
    """The bits of each key as little-endian int64."""
    from zkwm.extraction.reader import JudgeView
    from zkwm.extraction.schemes import make_reader

    keys = np.frombuffer(question[5], np.uint8).reshape(task["images"])
    probes = np.frombuffer(question[6], np.uint8).reshape(task["probes"])
    reader = make_reader(task["watermark"], **task["parameters"])
    found = reader.extract(model, keys, JudgeView(reference, probes))
    return np.asarray(found, "<i8").tobytes()


def answered(question: list[bytes]) -> tuple[dict[str, Any], bytes]:
    """Do the task. Raises ZkwmError."""
    from zkwm.extraction.alignment import aligned
    from zkwm.extraction.reader import JudgeView
    from zkwm.nn.model_file import read_classifier

    task = json.loads(question[0])
    model = read_classifier(question[1], question[2], any_width=task["task"] in ("bits", "align"))
    reference = read_classifier(question[3], question[4]) if question[3] else None
    try:
        if task["task"] == "scores":
            images = np.frombuffer(question[5], np.uint8).reshape(task["images"])
            return {}, scores(model, task, images)
        if task["task"] == "relearn":
            images = np.frombuffer(question[5], np.uint8).reshape(task["images"])
            return relearned(model, task, images, question[6])
        if task["task"] == "align":
            aligned(model, JudgeView(reference))
            return {}, b""
        return {}, bits(model, reference, task, question)
    except (MemoryError, RuntimeError) as error:  # torch's own error for memory is the second
        reason = "out of memory" if "memory" in str(error) else type(error).__name__
        raise SuspectUnusable(
            f"the suspect cannot be asked: {reason}",
            hint="ask it on a machine with more memory",
            check=_CHECK,
        ) from None


def main() -> None:
    """Answer one question; torch is loaded before the limit, which its code would fill."""
    import torch

    torch.set_num_threads(1)
    limit_resources(mapped_memory() + int(sys.argv[1]))
    serve(_FRAMES, answered)


if __name__ == "__main__":
    main()
