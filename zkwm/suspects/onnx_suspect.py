"""A suspect given as an ONNX file, which runs in a separate process and without torch.

The file is read once, so that its digest and the model that runs come from the same bytes. The
model has one input of rank 4, with fixed or open dimensions. Each image is queried on its own: an
open batch gets one image, a fixed batch of b gets b copies, of which the first row counts, so that
no answer depends on other images. The scores are the only output, or the only one declared as a
matrix of floats.
"""

from __future__ import annotations

import hashlib
import math
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zkwm.files import read_limited
from zkwm.suspects.limits import OnnxLimits
from zkwm.suspects.onnx_process import DeclaredInput, NoReplyError, OnnxProcess
from zkwm.suspects.preprocessing import check_input, preprocess
from zkwm.suspects.suspect import (
    CHECK,
    NOT_ASKED,
    Answer,
    Progress,
    Suspect,
    answer_from_scores,
    gray_image,
    printable,
    require_images,
    require_outputs,
)
from zkwm_protocols.errors import SuspectUnusable
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity, SuspectKind

FILE_LIMIT = 2 << 30
_BATCH_LIMIT = 256
_VALUES_LIMIT = 1 << 26
"""Values in one query: 256 MiB in float32, enough for 256 images of 3 x 224 x 224."""


class OnnxSuspect(Suspect):
    """An ONNX file, run by ONNX Runtime on the CPU in its own process.

    Args:
        path: the file.
        shape: (channels, height, width) of the images.
        outputs: the expected number of outputs; None accepts any.
        limits: the time and memory that the file may use.

    Raises CouldNotCheck or Malformed if the file cannot be read, SuspectUnusable (check
    ``suspect.answers``) if it is no classifier of such images.
    """

    def __init__(
        self,
        path: Path,
        *,
        shape: tuple[int, int, int],
        outputs: int | None,
        limits: OnnxLimits,
    ) -> None:
        model = read_limited(path, FILE_LIMIT)
        self._path = path
        self._limits = limits
        self._shape = shape
        self._process = OnnxProcess(model, limits)
        try:
            self._input = self._process.start()
            layouts = _layouts(self._input, shape)
            plain = Preprocessing(layout=layouts[0], scale="raw")
            scores = self._ask(gray_image(shape), plain, limits.image_seconds)
            count = require_outputs(scores.size, outputs)
        except NoReplyError as reason:
            self.close()
            raise SuspectUnusable(
                f"the ONNX model cannot be queried: {reason}",
                hint="check that the file runs in ONNX Runtime on the CPU",
                check=CHECK,
            ) from None
        except SuspectUnusable:
            self.close()
            raise
        self.identity = SuspectIdentity(
            kind=SuspectKind.ONNX,
            digest=hashlib.sha256(model).digest(),
            description=printable(path.name, 200),
            outputs=count,
            shape=shape,
        )

    def network_file(self) -> Path:
        """The file. It may have changed since it was opened: compare its digest."""
        return self._path

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Raise SuspectUnusable unless the model's input has this layout and type."""
        layouts = _layouts(self._input, self._shape)
        if preprocessing.layout not in layouts:
            raise SuspectUnusable(
                f"the suspect does not take images in the layout {preprocessing.layout}",
                hint=f"challenge it with layout {layouts[0]}",
                check=CHECK,
            )
        check_input(preprocessing, self._shape[0], self._input.dtype)

    def answer(
        self,
        images: NDArray[np.uint8],
        preprocessing: Preprocessing,
        *,
        progress: Progress | None = None,
    ) -> tuple[Answer, ...]:
        """Query images uint8 (n, c, h, w) one by one, in order; see ``Suspect.answer``.

        An image on which the model hangs, crashes or runs out of memory has no answer; the model is
        restarted for the next one.
        """
        require_images(images, self._shape)
        self.check_preprocessing(preprocessing)
        deadline = time.monotonic() + self._limits.total_seconds
        answers = []
        for index in range(len(images)):
            left = deadline - time.monotonic()
            if left <= 0:
                answers.append(Answer(None, NOT_ASKED))
                continue
            seconds = min(self._limits.image_seconds, left)
            try:
                scores = self._ask(images[index : index + 1], preprocessing, seconds)
                answers.append(answer_from_scores(scores, self.identity.outputs))
            except NoReplyError as reason:
                answers.append(Answer(None, str(reason)))
            if progress is not None:
                progress(index + 1, len(images))
        return tuple(answers)

    def close(self) -> None:
        """End the process that runs the model."""
        self._process.close()

    def _ask(
        self, image: NDArray[np.uint8], preprocessing: Preprocessing, seconds: float
    ) -> NDArray[np.float64]:
        """The scores float64 (k,) for one image uint8 (1, c, h, w). Raises NoReplyError."""
        values = preprocess(image, preprocessing, dtype=self._input.dtype)
        batch = self._input.shape[0] or 1
        return self._process.scores(np.repeat(values, batch, axis=0), seconds)


def _layouts(declared: DeclaredInput, shape: tuple[int, int, int]) -> list[str]:
    """The layouts in which images of ``shape`` fit the declared input. Raises SuspectUnusable."""
    channels, height, width = shape
    orders = {"nchw": (channels, height, width), "nhwc": (height, width, channels)}
    fitting = [
        layout
        for layout, order in orders.items()
        if len(declared.shape) == 4
        and all(size in (None, want) for size, want in zip(declared.shape[1:], order, strict=True))
    ]
    batch = declared.shape[0] or 1 if declared.shape else 1
    if not fitting or batch > _BATCH_LIMIT or batch * math.prod(shape) > _VALUES_LIMIT:
        dimensions = " x ".join("?" if size is None else str(size) for size in declared.shape)
        raise SuspectUnusable(
            f"the suspect's input is {printable(dimensions, 100) or 'a scalar'}, which does not "
            f"take images of {channels} x {height} x {width}",
            hint="this commitment cannot be checked against a model of other images",
            check=CHECK,
        )
    return fitting
