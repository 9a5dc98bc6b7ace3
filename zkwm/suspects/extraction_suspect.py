"""A suspect that is asked for the bits of a mark: weights of a built-in architecture and a scheme.

A question is a secret key of 32 bytes, an answer one bit (SPEC.md 19.3). What is extracted, and
how, is the scheme's (``zkwm.watermarks``). Everything that the bits depend on beside the key is in
the identity's digest, and the reference is the one that the commitment named before any label was
known. Imports torch (when a suspect is opened).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.extraction.keys import BITS, KEY_SHAPE, judged_parameters, read_keys, scheme_tag
from zkwm.suspects.limits import ExtractionSettings
from zkwm.suspects.safetensors_suspect import architecture_digest
from zkwm.suspects.suspect import CHECK, Answer, Progress, Suspect, printable, require_images
from zkwm_protocols.commitment import Header
from zkwm_protocols.encoding import encode, tensor_digest
from zkwm_protocols.errors import InvalidOpening, SuspectUnusable, Unsupported, UsageError
from zkwm_protocols.suspect_identity import EXTRACTION, Preprocessing, SuspectIdentity

if TYPE_CHECKING:
    from zkwm.extraction.reader import MarkReader
    from zkwm.nn.architectures import Classifier

NOTHING_THERE = "nothing can be extracted with this key"


class ExtractionSuspect(Suspect):
    """The weights at ``path`` under a scheme, as ``settings`` say.

    Raises UsageError for a scheme or parameters that do not exist or do not matter to extraction,
    for a commitment to images, or without probes where they are needed; Unsupported for a suspect
    that is no safetensors of a built-in architecture; what ``zkwm.nn.model_file.load_model`` raises
    for suspect and reference; SuspectUnusable where the suspect cannot be aligned with the
    reference.
    """

    def __init__(
        self,
        path: Path,
        settings: ExtractionSettings,
        *,
        shape: tuple[int, int, int] = KEY_SHAPE,
        outputs: int | None = BITS,
    ) -> None:
        from zkwm.extraction.reader import JudgeView

        if shape != KEY_SHAPE or outputs not in (BITS, None):
            raise UsageError(
                "the commitment is to trigger images, not to keys of a mark that is extracted",
                hint="ask the suspect itself, without a watermark's name",
            )
        self._scheme = _scheme(settings)
        self._model = _weights(path)
        self.reference_digest: bytes | None = None
        reference = None
        if settings.reference is not None:
            reference = _weights(Path(settings.reference))
            self.reference_digest = architecture_digest(reference)
            _require_comparable(self._scheme, self._model, reference)
        probes = _checked_probes(self._scheme, settings.probes, self._model.config.shape)
        self._view = JudgeView(reference) if probes is None else JudgeView(reference, probes)
        self.identity = SuspectIdentity(
            kind=EXTRACTION,
            digest=extraction_digest(
                self._scheme, architecture_digest(self._model), self.reference_digest, probes
            ),
            description=printable(
                f"mark {self._scheme.name} in {self._model.config.architecture}, {path.name}; "
                f"{self._alignment()}",
                400,
            ),
            outputs=BITS,
            shape=KEY_SHAPE,
        )

    def check_committed(self, header: Header) -> None:
        """Raise InvalidOpening (``challenge.suspect``) unless the reference is the header's.

        A reference that somebody chose later could be one that permutes an innocent network's
        neurons until its bits fit the labels.
        """
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
                "the commitment names an unmarked model with which the suspect is aligned, and "
                f"none was given: {header.owner_model.hex()[:16]}",
                hint="get that model from the owner, and give it as the reference",
                check="challenge.suspect",
            )
        raise InvalidOpening(
            f"the reference {self.reference_digest.hex()[:16]} is not the unmarked model that the "
            f"commitment names ({header.owner_model.hex()[:16]})",
            hint="no other model will do: one chosen later can be made to fit the labels",
            check="challenge.suspect",
        )

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Raise SuspectUnusable for anything but the default: keys are not images."""
        if preprocessing != Preprocessing():
            raise SuspectUnusable("keys are not images: they have no preprocessing", check=CHECK)

    def answer(
        self,
        images: NDArray[np.uint8],
        preprocessing: Preprocessing,
        *,
        progress: Progress | None = None,
    ) -> tuple[Answer, ...]:
        """The bits of keys (n, 1, 1, 32) uint8, in order; see ``Suspect.answer``.

        Raises InvalidOpening (``suspect.answers``) for a key of another scheme or of other
        parameters, SuspectUnusable for a suspect without what the scheme reads.
        """
        require_images(images, KEY_SHAPE)
        self.check_preprocessing(preprocessing)
        tag = scheme_tag(self._scheme)
        if any(key.scheme != tag for key in read_keys(images)):
            raise InvalidOpening(
                f"the keys were committed for another scheme than {self._scheme.name}, or for "
                "other parameters of it",
                hint="challenge the suspect under the scheme that the owner committed to",
                check=CHECK,
            )
        try:
            bits = self._scheme.extract(self._model, images, self._view)
        except UsageError as error:
            raise SuspectUnusable(error.message, hint=error.hint, check=CHECK) from None
        if progress is not None:
            progress(len(images), len(images))
        return tuple(
            Answer(int(bit)) if bit in (0, 1) else Answer(None, NOTHING_THERE) for bit in bits
        )

    def _alignment(self) -> str:
        """What a judge must know about permutations of neurons."""
        from zkwm.extraction.reader import WHITE_BOX

        if self._scheme.access != WHITE_BOX:
            return "read from its answers"
        if self.reference_digest is not None:
            return "aligned with the owner's unmarked model"
        return "NOT aligned: a permutation of neurons voids this mark"


def _scheme(settings: ExtractionSettings) -> MarkReader:
    from zkwm.extraction.schemes import make_reader, reader_class

    found = reader_class(settings.watermark)
    foreign = sorted(set(settings.parameters) - set(found.judged))
    if foreign:
        raise UsageError(
            f"extraction of {settings.watermark} does not depend on a parameter {foreign[0]!r}",
            hint=f"it depends on {', '.join(found.judged) or 'none'}",
        )
    return make_reader(settings.watermark, **settings.parameters)


def _weights(path: Path) -> Classifier:
    from zkwm.nn.model_file import load_model

    if path.suffix.lower() != ".safetensors" and not (path / "model.safetensors").exists():
        raise Unsupported(
            f"{path} holds no weights of a built-in architecture, from which a mark could be "
            "extracted",
            hint="give a folder made by zkwm embed, or its model.safetensors",
        )
    return load_model(path).eval()


def _require_comparable(scheme: MarkReader, model: Classifier, reference: Classifier) -> None:
    """Raise SuspectUnusable where bits cannot be extracted beside this reference.

    A mark in weights or activations needs networks that can be aligned; one in answers is read from
    any network for the same images and classes, such as a surrogate of another architecture.
    """
    from zkwm.extraction.alignment import align
    from zkwm.extraction.reader import WHITE_BOX

    if scheme.access == WHITE_BOX:
        try:
            align(model, reference)
        except UsageError as error:
            raise SuspectUnusable(error.message, hint=error.hint, check=CHECK) from None
    one, other = model.config, reference.config
    if (one.shape, one.class_count) != (other.shape, other.class_count):
        raise SuspectUnusable(
            "suspect and reference are for other images, or for other classes", check=CHECK
        )


def _checked_probes(
    scheme: MarkReader, probes: NDArray[np.uint8] | None, shape: tuple[int, int, int]
) -> NDArray[np.uint8] | None:
    if probes is not None:
        require_images(probes, shape)
    if scheme.needs_probes and (probes is None or not len(probes)):
        raise UsageError(
            f"{scheme.name} is read on probe images, and there are none",
            hint="choose public images that the suspect is made for",
        )
    return probes


def extraction_digest(
    scheme: MarkReader,
    model: bytes,
    reference: bytes | None,
    probes: NDArray[np.uint8] | None,
) -> bytes:
    """The digest of a suspect under a scheme, 32 bytes (SPEC.md 19.3).

    ``model`` and ``reference`` are digests of networks (``architecture_digest``), 32 bytes;
    ``probes`` uint8 (m, c, h, w).
    """
    pinned = {
        "scheme": scheme.name,
        "parameters": judged_parameters(scheme),
        "model": model,
        "reference": reference,
        "probes": None
        if probes is None
        else tensor_digest(
            [("probes", "uint8", probes.shape, np.ascontiguousarray(probes).tobytes())]
        ),
    }
    return hashlib.sha256(b"zkwm-extraction-1" + encode(pinned)).digest()
