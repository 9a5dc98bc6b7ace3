"""A suspect given as an ONNX file, which runs in a separate process and without torch.

The file is read once, so that its digest and the model that runs come from the same bytes. The
model has one input, with fixed or open dimensions: images, or their pixels in a row. Each image is
queried on its own: an open batch gets one image, a fixed batch of b gets b copies, of which the
first row counts, so that no answer depends on other images. The output that is asked is the only
one, or the one that the judge names; it gives scores, or whole labels.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.files import read_limited
from zkwm.suspects.foreign_text import printable
from zkwm.suspects.input_layouts import fitting_layouts
from zkwm.suspects.limits import OnnxLimits
from zkwm.suspects.onnx_parts import FILE_LIMIT, WeightFiles, onnx_files, pinned_digest
from zkwm.suspects.onnx_process import MOST_SENT, DeclaredInput, NoReplyError, OnnxProcess
from zkwm.suspects.onnx_reordered import Reordered
from zkwm.suspects.preprocessing import check_input, preprocess
from zkwm.suspects.score_check import require_classes, trial_images
from zkwm.suspects.suspect import (
    CHECK,
    CRASHED,
    NO_MEMORY,
    NOT_ASKED,
    TIMED_OUT,
    Answer,
    Progress,
    Suspect,
    answer_from_label,
    answer_from_scores,
    gray_image,
    hint_of_shape,
    require_images,
    require_outputs,
)
from zkwm_protocols.errors import SuspectUnusable, ZkwmError
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity, SuspectKind

_BATCH_LIMIT = 256
_VALUES_LIMIT = 1 << 26
"""Values in one query: 256 MiB in float32, enough for 256 images of 3 x 224 x 224."""
_MOST_AT_ONCE = 64
"""Images that wait in the process; each is answered by itself."""
_HINTS = {
    CRASHED: "it may need more memory than the process that runs it is given",
    TIMED_OUT: "give it more time (`image_seconds`)",
    NO_MEMORY: "ask it on a machine with more memory, or the service that runs it",
}


class OnnxSuspect(Suspect):
    """An ONNX file, run by ONNX Runtime on the CPU in its own process.

    Args:
        path: the file.
        shape: (channels, height, width) of the images.
        outputs: the expected number of outputs; None accepts any.
        limits: the time and memory that the file may use.
        output: the name of the output that is asked; empty for the only one.
        order: in which order sums are added up, 1 to 7; 0 is the file's own (SPEC.md 20.4).

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
        output: str = "",
        order: int = 0,
    ) -> None:
        model = read_limited(path, FILE_LIMIT, regular=True)
        self._path = path
        self._limits = limits
        self._shape = shape
        weights = WeightFiles(path)
        self._process = OnnxProcess(model, limits, output=output, read_file=weights, order=order)
        try:
            self._input = self._process.start()
            self.reordered = self._input.reordered if order else None
            layouts = _layouts(self._input, shape)
            plain = Preprocessing(layout=layouts[0], scale="raw")
            first = self._inputs(gray_image(shape), plain)[0]
            scores = self._process.scores(first, limits.image_seconds)
            count = _count(scores, outputs)
        except NoReplyError as reason:
            self.close()
            raise SuspectUnusable(
                f"the ONNX model cannot be queried: {reason}",
                hint=reason.hint or _HINTS.get(str(reason), ""),
                check=CHECK,
            ) from None
        except ZkwmError:
            self.close()
            raise
        self.files = onnx_files(path.name, model, self._process.parts)
        self.identity = SuspectIdentity(
            kind=SuspectKind.ONNX,
            digest=pinned_digest(self.files),
            description=printable(path.name, 200),
            outputs=count,
            shape=shape,
            output=output,
        )

    reordered: Reordered | None
    """What another order of its sums moves; None in the file's own."""

    def network_file(self) -> Path:
        """The file. It may have changed since it was opened: compare its digest."""
        return self._path

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Raise SuspectUnusable unless the model's input has this layout and type."""
        layouts = _layouts(self._input, self._shape)
        if preprocessing.layout not in layouts:
            raise SuspectUnusable(
                f"the suspect does not take images in the layout {preprocessing.layout}",
                hint=f"challenge it with `layout='{layouts[0]}'`",
                check=CHECK,
            )
        check_input(preprocessing, self._shape[0], self._input.dtype)

    def try_out(self, preprocessing: Preprocessing) -> tuple[Answer, ...]:
        """Refuse scores that no classifier gives; see ``Suspect.try_out``."""
        answers = self.answer(trial_images(self._shape), preprocessing)
        require_classes(answers)
        return answers

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
        answers: list[Answer] = []
        while len(answers) < len(images):
            for answer in self._answers(images[len(answers) :], preprocessing, deadline):
                answers.append(answer)
                if progress is not None:
                    progress(len(answers), len(images))
        return tuple(answers)

    def _answers(
        self, images: NDArray[np.uint8], preprocessing: Preprocessing, deadline: float
    ) -> Iterator[Answer]:
        """The answers to the first of ``images``, one or more: as many as one process gives."""
        left = deadline - time.monotonic()
        if left <= 0:
            yield Answer(None, NOT_ASKED)
            return
        try:
            self._process.require_running(left)
        except NoReplyError as reason:
            yield Answer(None, str(reason))
            return
        first = self._inputs(images[:1], preprocessing)
        most = max(1, min(_MOST_AT_ONCE, MOST_SENT // first[0].nbytes))
        inputs = self._inputs(images[:most], preprocessing)
        for found in self._process.scores_of(inputs, self._limits.image_seconds, deadline):
            if isinstance(found, NoReplyError):
                yield Answer(None, str(found))
            else:
                yield _answer(found, self.identity.outputs)

    def close(self) -> None:
        """End the process that runs the model."""
        self._process.close()

    def _inputs(
        self, images: NDArray[np.uint8], preprocessing: Preprocessing
    ) -> list[NDArray[Any]]:
        """The model's input for each of the images uint8 (n, c, h, w): a batch of copies of it."""
        values = preprocess(images, preprocessing, dtype=self._input.dtype)
        rank, batch = len(self._input.shape), self._input.shape[0] or 1
        return [
            np.repeat(_shaped(values[i : i + 1], rank, self._shape), batch, axis=0)
            for i in range(len(images))
        ]


def _shaped(values: NDArray[Any], rank: int, shape: tuple[int, int, int]) -> NDArray[Any]:
    """One image (1, ...) for an input of this rank: 2 is a row of pixels, 3 leaves channels out."""
    if rank == 2:
        return values.reshape(1, -1)
    return values.reshape(1, *shape[1:]) if rank == 3 else values


def _count(scores: NDArray[np.float64] | int, outputs: int | None) -> int:
    """The number of outputs. Raises SuspectUnusable for labels where nobody says it."""
    if not isinstance(scores, int):
        return require_outputs(scores.size, outputs)
    if outputs is None:
        raise SuspectUnusable(
            "the suspect answers with labels, which do not reveal how many outputs there are",
            hint="give the number of its outputs (`outputs`)",
            check=CHECK,
        )
    return require_outputs(outputs, None)


def _answer(scores: NDArray[np.float64] | int, outputs: int) -> Answer:
    """The answer of scores, or of a label."""
    if not isinstance(scores, int):
        return answer_from_scores(scores, outputs)
    return answer_from_label(scores, outputs)


def _layouts(declared: DeclaredInput, shape: tuple[int, int, int]) -> list[str]:
    """The layouts in which images of ``shape`` fit the declared input. Raises SuspectUnusable.

    A row of pixels and an image without its one channel fit in both (SPEC.md 4.3).
    """
    channels, height, width = shape
    fitting = fitting_layouts(declared.shape[1:], shape) if declared.shape else []
    batch = declared.shape[0] or 1 if declared.shape else 1
    if not fitting or batch > _BATCH_LIMIT or batch * math.prod(shape) > _VALUES_LIMIT:
        dimensions = " x ".join("?" if size is None else str(size) for size in declared.shape)
        raise SuspectUnusable(
            f"the suspect's input is {printable(dimensions, 100) or 'a scalar'}, which does not "
            f"take images of {channels} x {height} x {width}",
            hint=hint_of_shape(shape),
            check=CHECK,
        )
    return fitting
