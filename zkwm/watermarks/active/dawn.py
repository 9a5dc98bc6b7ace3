"""DAWN (Szyller, Atli, Marchal, Asokan, ACM MM 2021): keyed wrong answers to a few queries.

- Embedded: a service exchanges the first class of a keyed share ``rate`` of queries for a keyed
  wrong one. Both depend on the image's lowest frequencies, so a slightly changed image is nearly
  always answered alike. The pairs are logged.
- Training: none by the owner; a surrogate learns the wrong answers from the service.
- Judged: the class that a suspect gives for each logged image, under declared labels
  (``Dawn.note``).
- Ours: the paper bins the output of a hidden layer by medians; here low frequencies are binned by
  their medians over the owner's images.

Unlike ``dynamarks`` it reaches surrogates that were trained on the first class alone; every client
pays for it with wrong answers.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zkwm.extraction.dct_features import low_frequencies
from zkwm.extraction.keys import KEY_SHAPE, ExtractionKey, read_keys
from zkwm.extraction.reader import JudgeView, MarkReader
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import logits
from zkwm.triggers import TriggerSet
from zkwm.watermarks.parameter_encoding.key_commitment import (
    commit_keys_of,
    draw_keys,
    owner_digest,
)
from zkwm.watermarks.watermark import DECLARED, AnswerReader, Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier
    from zkwm_protocols.commitment import Commitment

_SIDE = 4
"""Low frequencies a side: an image is 15 bits (4 x 4 without the constant)."""
_LARGEST_WORD = 1 << 64


@dataclass(frozen=True)
class Dawn(Watermark):
    """DAWN: a service answers a keyed share of queries wrongly and logs them.

    Attributes:
        rate: The share of wrong answers, above 0 and up to 0.5.
        log: The most pairs that are kept, up to 10,000.
        block_size: The log is judged in whole blocks of this size.

    Raises:
        UsageError: A value is out of range.
    """

    rate: float = 0.02
    log: int = 1000
    block_size: int = 10

    name: ClassVar[str] = "dawn"
    paper: ClassVar[str] = "Szyller et al. 2021"

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 0.5:
            raise UsageError("the share of wrong answers is above 0 and up to 0.5")
        if not 1 <= self.block_size <= self.log <= 10_000:
            raise UsageError("the log holds at least one block and at most 10,000 pairs")

    @property
    def labels(self) -> str:
        """Declared: only the owner attests to the log."""
        return DECLARED

    @property
    def note(self) -> str:
        """The reason why matches with the log are not evidence in bits."""
        return (
            "The key is committed to before anything is served, but the log is not: the owner says "
            "which images were queried, and could leave out pairs or add images of their own, "
            "chosen by trial so that the key gives them a class that innocent models give too. "
            "No exact null exists without trust in the log; a judge who trusts it may read the "
            "nominal bits, which count each logged pair as a match by chance of 1 in C."
        )

    def commit(self, owner: Owner) -> Commitment:
        """Commit to the key alone, one leaf of 32 bytes; the log follows in ``commit_log``."""
        owner.trained_start()
        key = draw_keys(owner.vault, self, 1, (0,))
        return commit_keys_of(owner, key, block_size=1)

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """The unmarked model behind a service; nothing is trained."""
        started = time.monotonic()
        model = owner.trained_start()
        (key,) = read_keys(self.trigger_set(owner, commitment).images)
        api = LoggingResponder(model, key, owner.data.train_images, self)
        return Marked(model=model, seconds=time.monotonic() - started, api=api)

    def logged(self, marked: Marked) -> TriggerSet | None:
        """The first logged pairs in whole blocks; None for less than a block."""
        if not isinstance(marked.api, LoggingResponder):
            raise UsageError("this model is not behind a service that logs")
        return marked.api.logged()

    def commit_log(self, owner: Owner, marked: Marked) -> Commitment:
        """Commit to the log as triggers with declared labels (SPEC.md 5.4), before a dispute.

        Raises UsageError for less than a block of pairs.
        """
        from zkwm.owner.commit import commit

        pairs = self.logged(marked)
        if pairs is None:
            raise UsageError(f"the log does not hold {self.block_size} pairs yet")
        return commit(
            owner.vault,
            pairs.images,
            class_count=pairs.class_count,
            declared_labels=pairs.labels,
            block_size=pairs.block_size,
            owner_model=owner_digest(owner),
            class_names=owner.class_names,
            timestamp_authority=owner.timestamp_authority,
        )

    def reader(self) -> MarkReader:
        """The reader of the log: the suspect's answers to the logged images."""
        return LogReader()


@dataclass(frozen=True)
class LogReader(AnswerReader):
    """Reads the class that the suspect gives for each logged image."""

    name: ClassVar[str] = "dawn"

    def extract(
        self, model: nn.Module, leaves: NDArray[np.uint8], view: JudgeView
    ) -> NDArray[np.int64]:
        """The classes, int64 (n,). Raises UsageError for the committed key, which is no image."""
        if leaves.shape[1:] == KEY_SHAPE:
            raise UsageError(
                "the key of this watermark cannot be asked",
                hint="judge the log: Dawn.logged after the service has answered",
            )
        return super().extract(model, leaves, view)


class LoggingResponder:
    """A prediction service with keyed wrong answers and a log.

    Where the key says so, the probabilities of the model's first class and of the keyed wrong class
    are exchanged. The first ``scheme.log`` such pairs are logged, each image once, as uint8 pixels;
    constant images are not, since they cannot be committed to.
    """

    def __init__(
        self, model: Classifier, key: ExtractionKey, images: NDArray[np.uint8], scheme: Dawn
    ) -> None:
        self._model, self._scheme = model, scheme
        self._secret = key.stream("wrong answers", 32)
        self._medians = low_frequencies(as_unit(torch.tensor(images)), _SIDE).median(dim=0).values
        self._log: dict[bytes, tuple[NDArray[np.uint8], int]] = {}
        self._classes = 0

    def __call__(self, images: Tensor) -> Tensor:
        """Probabilities (n, C) for images float32 (n, c, h, w); a few are wrong and logged."""
        answers = logits(self._model, images).softmax(dim=1)
        self._classes = answers.shape[1]
        bins = (low_frequencies(images.cpu(), _SIDE) > self._medians).numpy()
        for number, code in enumerate(np.packbits(bins, axis=1)):
            altered, word = self._words(code.tobytes())
            if altered >= self._scheme.rate * _LARGEST_WORD:
                continue
            first = int(answers[number].argmax())
            wrong = (first + 1 + word % (self._classes - 1)) % self._classes
            answers[number, [first, wrong]] = answers[number, [wrong, first]]
            self._keep(images[number], wrong)
        return answers

    def logged(self) -> TriggerSet | None:
        """The logged pairs in the order of their first query, whole blocks; None for none."""
        size = self._scheme.block_size
        pairs = list(self._log.values())
        pairs = pairs[: len(pairs) // size * size]
        if not pairs:
            return None
        return TriggerSet(
            images=np.stack([image for image, _ in pairs]),
            labels=np.array([label for _, label in pairs], np.int64),
            family="logged queries",
            block_size=size,
            class_count=self._classes,
        )

    def _words(self, code: bytes) -> tuple[int, int]:
        """Two independent 64-bit numbers for the bins of an image, from HMAC-SHA-256."""
        digest = hmac.digest(self._secret, code, hashlib.sha256)
        return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")

    def _keep(self, image: Tensor, label: int) -> None:
        """Log an image float32 (c, h, w) with its label, if there is room."""
        pixels = (image * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
        if len(self._log) < self._scheme.log and not (pixels == pixels[:, :1, :1]).all():
            self._log.setdefault(pixels.tobytes(), (pixels, label))
