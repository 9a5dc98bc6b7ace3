"""A suspect from which the bits of a mark are read: built-in weights under a scheme (SPEC.md 19.3).

A query is a secret key of 32 bytes, an answer one bit, read by the scheme's reader
(``zkwm.extraction``). The identity's digest covers everything that the bits depend on apart from
the key, and the reference is the one that the commitment named before any label was known. Imports
torch when a suspect is opened.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.extraction.keys import BITS, KEY_SHAPE, judged_parameters, read_keys, scheme_tag
from zkwm.extraction.probes import bundled_digest, data_digest, drawn_probes, probe_count
from zkwm.suspects.foreign_text import printable
from zkwm.suspects.limited_weights import limited_bits, try_alignment
from zkwm.suspects.limits import ExtractionSettings, OnnxLimits
from zkwm.suspects.safetensors_suspect import architecture_digest
from zkwm.suspects.suspect import (
    CHECK,
    Answer,
    Progress,
    Suspect,
    SuspectFile,
    require_images,
)
from zkwm_protocols.commitment import Header
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import InvalidOpening, SuspectUnusable, Unsupported, UsageError
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity, SuspectKind

if TYPE_CHECKING:
    from zkwm.extraction.reader import MarkReader
    from zkwm.nn.architectures import Classifier

NO_BIT = "nothing can be extracted with this key"


class ExtractionSuspect(Suspect):
    """The weights at ``path`` under the scheme, reference and probes of ``settings``.

    Raises UsageError for a scheme or parameters that do not exist or that bits do not depend on,
    for a commitment to images, and without probes where the scheme needs them; Unsupported for a
    suspect that is not safetensors of a built-in architecture; what
    ``zkwm.nn.model_file.load_model`` raises for suspect and reference; SuspectUnusable (check
    ``suspect.answers``) where the suspect cannot be aligned with the reference.
    """

    def __init__(
        self,
        path: Path,
        settings: ExtractionSettings,
        *,
        shape: tuple[int, int, int] = KEY_SHAPE,
        outputs: int | None = BITS,
        limits: OnnxLimits | None = None,
    ) -> None:
        from zkwm.extraction.reader import JudgeView

        if shape != KEY_SHAPE or outputs not in (BITS, None):
            raise UsageError(
                "the commitment is to trigger images, not to keys of a mark that is extracted",
                hint="query the suspect itself, without a watermark's name",
            )
        self._limits = limits or OnnxLimits()
        self._reader = _reader(settings)
        self._model, self.files = _weights(path, any_width=True)
        self.reference_digest: bytes | None = None
        reference = None
        if settings.reference is not None:
            reference, _ = _weights(Path(settings.reference))
            self.reference_digest = architecture_digest(reference)
        _require_comparable(self._reader, self._model, reference, self._limits)
        self._data = _checked_data(self._reader, settings.probes, self._model.config.shape)
        self._data_digest = None if self._data is None else data_digest(self._data)
        self._view = JudgeView(reference)
        self.identity = SuspectIdentity(
            kind=SuspectKind.EXTRACTION,
            digest=extraction_digest(
                self._reader, architecture_digest(self._model), self.reference_digest, self._data
            ),
            description=printable(
                f"mark {self._reader.name} in {self._model.config.architecture}, {path.name}; "
                f"{self._alignment()}{self._origin()}",
                400,
            ),
            outputs=BITS,
            shape=KEY_SHAPE,
        )

    def check_committed(self, header: Header) -> None:
        """Raise InvalidOpening (``challenge.suspect``) for a foreign reference or data set.

        A reference chosen later could permute an innocent network's neurons until its bits fit the
        labels, and probes chosen later could be fitted to the keys (SPEC.md 19.6).
        """
        self._check_data(header)
        if self.reference_digest == header.owner_model:
            return
        if header.owner_model is None:
            raise InvalidOpening(
                "the commitment names no unmarked model, so the suspect cannot be aligned with one",
                hint="leave out the reference; a permutation of neurons then voids the mark",
                check="challenge.suspect",
            )
        if self.reference_digest is None:
            raise InvalidOpening(
                "the commitment names an unmarked model to align the suspect with, and none was "
                f"given: {header.owner_model.hex()[:16]}",
                hint="get that model from the owner, and give it as the reference (`reference`)",
                check="challenge.suspect",
            )
        raise InvalidOpening(
            f"the reference {self.reference_digest.hex()[:16]} is not the unmarked model that the "
            f"commitment names ({header.owner_model.hex()[:16]})",
            hint="another model is no substitute: one chosen later can be made to fit the labels",
            check="challenge.suspect",
        )

    def draw_probes(self, nonce: bytes) -> None:
        """Draw the probes of a challenge with this nonce, 32 bytes (SPEC.md 19.3)."""
        if self._data is not None:
            self._view = replace(self._view, probes=drawn_probes(self._data, nonce))

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Raise SuspectUnusable unless it is the default: keys are not images."""
        if preprocessing != Preprocessing():
            raise SuspectUnusable("keys are not images: they have no preprocessing", check=CHECK)

    def answer(
        self,
        images: NDArray[np.uint8],
        preprocessing: Preprocessing,
        *,
        progress: Progress | None = None,
    ) -> tuple[Answer, ...]:
        """Read the bits of keys uint8 (n, 1, 1, 32), in order; see ``Suspect.answer``.

        Where the scheme reads probes, ``draw_probes`` comes first.

        Raises, with the check ``suspect.answers``, InvalidOpening for a key of another scheme or of
        other parameters, SuspectUnusable for a suspect that lacks what the scheme reads.
        """
        require_images(images, KEY_SHAPE)
        self.check_preprocessing(preprocessing)
        tag = scheme_tag(self._reader)
        if any(key.scheme != tag for key in read_keys(images)):
            raise InvalidOpening(
                f"the keys were committed for another scheme than {self._reader.name}, or for "
                "other parameters of it",
                hint="challenge the suspect under the scheme that the owner committed to",
                check=CHECK,
            )
        try:
            bits = limited_bits(self._reader, self._model, images, self._view, self._limits)
        except UsageError as error:
            raise SuspectUnusable(error.message, hint=error.hint, check=CHECK) from None
        if progress is not None:
            progress(len(images), len(images))
        return tuple(Answer(int(bit)) if bit in (0, 1) else Answer(None, NO_BIT) for bit in bits)

    def _check_data(self, header: Header) -> None:
        """Raise InvalidOpening (check ``challenge.suspect``) for probes of somebody's choice."""
        if self._data_digest is None:
            return
        named: bytes | None = header.probe_data
        if self._data_digest == (bundled_digest() if named is None else named):
            return
        expected = (
            "the commitment names none, so they are the test images of fashion-mnist-small"
            if named is None
            else f"the commitment names the data set {named.hex()[:16]}"
        )
        raise InvalidOpening(
            f"the probes are drawn from {self._data_digest.hex()[:16]}, a data set of somebody's "
            f"choice: {expected}",
            hint="give that data set; probes chosen after the labels can be fitted to any keys",
            check="challenge.suspect",
        )

    def _origin(self) -> str:
        """Where the probes come from, for the description; empty without any."""
        if self._data is None or self._data_digest is None:
            return ""
        bundled = self._data_digest == bundled_digest()
        name = "fashion-mnist-small" if bundled else self._data_digest.hex()[:16]
        return (
            f"; the challenge draws {probe_count(len(self._data))} probes from the "
            f"{len(self._data)} images of {name}"
        )

    def _alignment(self) -> str:
        """What a judge must know about permutations of neurons, for the description."""
        from zkwm.extraction.reader import WHITE_BOX

        if self._reader.access != WHITE_BOX:
            return "read from its answers"
        if self.reference_digest is not None:
            return "aligned with the owner's unmarked model"
        return "NOT aligned: a permutation of neurons voids this mark"


def _reader(settings: ExtractionSettings) -> MarkReader:
    """The reader of the settings' scheme. Raises UsageError for a foreign parameter."""
    from zkwm.extraction.schemes import make_reader, reader_class

    judged = reader_class(settings.watermark).judged
    foreign = sorted(set(settings.parameters) - set(judged))
    if foreign:
        raise UsageError(
            f"extraction of {settings.watermark} does not depend on a parameter {foreign[0]!r}",
            hint=f"it depends on {', '.join(judged) or 'none'}",
        )
    return make_reader(settings.watermark, **settings.parameters)


def _weights(path: Path, *, any_width: bool = False) -> tuple[Classifier, tuple[SuspectFile, ...]]:
    """The built-in network at ``path`` and its files. Raises Unsupported where there is none."""
    from zkwm.nn.model_file import load_with_files

    if path.suffix.lower() != ".safetensors" and not (path / "model.safetensors").exists():
        raise Unsupported(
            f"{path} holds no weights of a built-in architecture to extract a mark from",
            hint="give a folder made by zkwm embed, or its model.safetensors",
        )
    model, read = load_with_files(path, any_width=any_width)
    return model, tuple(SuspectFile.of(name, data) for name, data in read.items())


def _require_comparable(
    reader: MarkReader, model: Classifier, reference: Classifier | None, limits: OnnxLimits
) -> None:
    """Raise SuspectUnusable where bits cannot be read with this reference, or without one.

    A mark in weights or activations needs networks that can be folded and aligned. One in answers
    is read from any network for the same images and classes, such as a surrogate of another
    architecture.
    """
    from zkwm.extraction.reader import WHITE_BOX

    if reader.access == WHITE_BOX:
        try:
            try_alignment(model, reference, limits)
        except UsageError as error:
            raise SuspectUnusable(error.message, hint=error.hint, check=CHECK) from None
    if reference is None:
        return
    ours, theirs = reference.config, model.config
    if (ours.shape, ours.class_count) != (theirs.shape, theirs.class_count):
        raise SuspectUnusable(
            "suspect and reference are for different images or classes", check=CHECK
        )


def _checked_data(
    reader: MarkReader, probes: NDArray[np.uint8] | None, shape: tuple[int, int, int]
) -> NDArray[np.uint8] | None:
    """Return the data set. Raises UsageError for other images, or none where they are needed."""
    if probes is not None:
        require_images(probes, shape)
    if reader.needs_probes and (probes is None or not len(probes)):
        raise UsageError(
            f"{reader.name} is read on probe images, and there are none",
            hint="give the data set that the commitment names, or fashion-mnist-small",
        )
    return probes


def extraction_digest(
    reader: MarkReader,
    model: bytes,
    reference: bytes | None,
    probes: NDArray[np.uint8] | None,
) -> bytes:
    """The digest of a suspect under a scheme, 32 bytes (SPEC.md 19.3).

    Args:
        reader: the scheme and its parameters.
        model: the ``architecture_digest`` of the suspect, 32 bytes.
        reference: that of the reference, None without one.
        probes (uint8, (n, c, h, w)): the data set that probes are drawn from, None without.
    """
    pinned = {
        "scheme": reader.name,
        "parameters": judged_parameters(reader),
        "model": model,
        "reference": reference,
        "probe_data": None if probes is None else data_digest(probes),
        "probe_count": 0 if probes is None else probe_count(len(probes)),
    }
    return hashlib.sha256(b"zkwm-extraction-3" + encode(pinned)).digest()
