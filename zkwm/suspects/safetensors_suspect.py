"""A suspect given as safetensors weights of a built-in architecture.

Only the weights come from the other party. The network is built by ``zkwm.nn.architectures``, so
that only zkwm's own layers run: on the CPU, one image at a time, in a process with limits of memory
and time. Imports torch when a suspect is opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.foreign_text import printable
from zkwm.suspects.limited_weights import limited_relearning, limited_scores
from zkwm.suspects.limits import OnnxLimits
from zkwm.suspects.preprocessing import check_input
from zkwm.suspects.suspect import (
    CHECK,
    Answer,
    Progress,
    Suspect,
    SuspectFile,
    answer_from_scores,
    hint_of_shape,
    require_images,
    require_outputs,
)
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import SuspectUnusable
from zkwm_protocols.relearning import MOST_STEPS, Form
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity, SuspectKind

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier


class SafetensorsSuspect(Suspect):
    """The network at ``path``, a folder made by ``zkwm embed`` or its .safetensors file.

    Raises what ``zkwm.nn.model_file.load_model`` raises, and SuspectUnusable (check
    ``suspect.answers``) where the model takes images of another shape than ``shape`` or does not
    have ``outputs`` outputs.
    """

    def __init__(
        self,
        path: Path,
        *,
        shape: tuple[int, int, int],
        outputs: int | None,
        limits: OnnxLimits,
    ) -> None:
        from zkwm.nn.model_file import load_with_files

        self._limits = limits
        self._model, read = load_with_files(path)
        self.files = tuple(SuspectFile.of(name, data) for name, data in read.items())
        self._shape = shape
        config = self._model.config
        if config.shape != shape:
            raise SuspectUnusable(
                f"the suspect takes images of {_times(config.shape)}, not of {_times(shape)}",
                hint=hint_of_shape(shape),
                check=CHECK,
            )
        self.identity = SuspectIdentity(
            kind=SuspectKind.SAFETENSORS,
            digest=architecture_digest(self._model),
            description=printable(f"{config.architecture}, {path.name}", 200),
            outputs=require_outputs(config.class_count, outputs),
            shape=shape,
        )

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Raise SuspectUnusable unless the layout is nchw, that of the built-in networks."""
        if preprocessing.layout != "nchw":
            raise SuspectUnusable(
                "the suspect does not take images in the layout nhwc",
                hint="challenge it with `layout='nchw'`",
                check=CHECK,
            )
        check_input(preprocessing, self._shape[0], "float32")

    def answer(
        self,
        images: NDArray[np.uint8],
        preprocessing: Preprocessing,
        *,
        progress: Progress | None = None,
    ) -> tuple[Answer, ...]:
        """Query images uint8 (n, c, h, w) one by one, in order; see ``Suspect.answer``.

        Raises SuspectUnusable (``suspect.answers``) where that takes too much time or memory.
        """
        require_images(images, self._shape)
        self.check_preprocessing(preprocessing)
        scores = limited_scores(self._model, images, preprocessing, self._limits)
        if progress is not None:
            progress(len(images), len(images))
        return tuple(answer_from_scores(row, self.identity.outputs) for row in scores)

    def relearn(
        self,
        images: NDArray[np.uint8],
        labels: Sequence[int],
        rounds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
        preprocessing: Preprocessing,
        class_map: Sequence[int],
        *,
        progress: Progress | None = None,
        most_steps: int = MOST_STEPS,
    ) -> list[list[NDArray[np.float64]]]:
        """The scores of those asked in each form and round; see ``Suspect.relearn``.

        Raises SuspectUnusable (``suspect.answers``) where that takes too much time or memory.
        """
        require_images(images, self._shape)
        self.check_preprocessing(preprocessing)
        tables: list[NDArray[np.float64]] = []
        for table, seconds in limited_relearning(
            self._model, images, labels, rounds, preprocessing, class_map, self._limits, most_steps
        ):
            if tables:  # the first round waits for the process
                self.gradient_seconds = seconds
            tables.append(table)
            if progress is not None:
                progress(len(tables), len(Form) * len(rounds))
        count = len(rounds)
        return [tables[count * form : count * (form + 1)] for form in range(len(Form))]


def architecture_digest(model: Classifier) -> bytes:
    """The digest of a built-in network, 32 bytes (SPEC.md 4.3).

    SHA-256 of ``zkwm-model-1``, the CBOR map of architecture, shape and class count, and the tensor
    digest of parameters and buffers, including the normalization.
    """
    from zkwm.nn.digests import model_digest

    built = {
        "architecture": model.config.architecture,
        "shape": list(model.config.shape),
        "classes": model.config.class_count,
    }
    return hashlib.sha256(b"zkwm-model-1" + encode(built) + model_digest(model)).digest()


def _times(shape: tuple[int, int, int]) -> str:
    """A shape for people: 3 x 32 x 32."""
    return " x ".join(map(str, shape))
