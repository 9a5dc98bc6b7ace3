"""How a mark is extracted, as an archive says it: scheme, reference, probes (SPEC.md 20.2).

The challenge names all of it by one digest (SPEC.md 19.3), so that nothing here can be chosen.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.case_archive.json_document import decode_document, encode_document
from zkwm.case_archive.manifest import ArchiveRole
from zkwm.data.arrays import read_npy
from zkwm.suspects import ExtractionSettings, open_suspect
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import Malformed, UsageError
from zkwm_protocols.suspect_identity import SuspectKind

SCHEMA = "zkwm/extraction/v1"
NAME, PROBES = "extraction.json", "probes.npy"
FILE_LIMIT = 1 << 16
Packed = dict[tuple[ArchiveRole, str], bytes]


@dataclass(frozen=True)
class ExtractedMark:
    """The scheme of a mark, and those of its parameters that bits depend on."""

    watermark: str
    parameters: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """The one encoding."""
        parameters = dict(sorted(self.parameters.items()))
        return encode_document(SCHEMA, {"watermark": self.watermark, "parameters": parameters})

    @classmethod
    def from_bytes(cls, data: bytes) -> ExtractedMark:
        """Read ``to_bytes``. Raises Malformed, and Unsupported for another schema."""
        value = decode_document(data, SCHEMA, what=NAME, limit=FILE_LIMIT)
        broken = Malformed(f"{NAME} is not of its format")
        name, parameters = value.get("watermark"), value.get("parameters")
        if not isinstance(name, str) or not isinstance(parameters, dict):
            raise broken
        if not all(isinstance(one, (bool, int, float, str)) for one in parameters.values()):
            raise broken
        mark = cls(name, parameters)
        if mark.to_bytes() != data:
            raise Malformed(f"{NAME} is not in its one encoding")
        return mark


def pack_mark(model: Path, settings: ExtractionSettings, challenge: Challenge) -> Packed:
    """The files from which the challenge's mark can be extracted again, by role and name.

    Args:
        model: the suspect's weights.
        settings: as for the challenge.
        challenge: of the case.

    Raises UsageError unless these are what the challenge names, and what opening the suspect
    raises.
    """
    from zkwm.extraction.probes import bundled_digest, data_digest
    from zkwm.extraction.schemes import make_reader
    from zkwm.nn.model_file import load_with_files

    pinned = challenge.suspect
    with open_suspect(model, shape=pinned.shape, extraction=settings) as suspect:
        if suspect.identity.digest != pinned.digest:
            raise UsageError(
                f"{model}, read so, is not the suspect that the challenge names",
                hint="give the very weights, scheme, parameters, reference and probes of the "
                "challenge: zkwm inspect shows its suspect",
            )
    reader = make_reader(settings.watermark, **settings.parameters)
    mark = ExtractedMark(reader.name, {name: getattr(reader, name) for name in reader.judged})
    packed: Packed = {(ArchiveRole.EXTRACTION, NAME): mark.to_bytes()}
    for name, data in load_with_files(model, any_width=True)[1].items():
        packed[ArchiveRole.SUSPECT, name] = data
    if settings.reference is not None:
        for name, data in load_with_files(settings.reference)[1].items():
            packed[ArchiveRole.REFERENCE, name] = data
    probes = settings.probes
    if probes is not None and not (reader.needs_probes and data_digest(probes) == bundled_digest()):
        packed[ArchiveRole.PROBES, PROBES] = _npy(probes)
    return packed


def mark_settings(
    mark: ExtractedMark, reference: Path | None, probes: bytes | None
) -> ExtractionSettings:
    """How a judge extracts the mark of an archive.

    Args:
        mark: as the archive says.
        reference: the folder with the reference's weights; None without.
        probes: the archive's .npy file; None for the bundled images where the scheme needs any.

    Raises Malformed for probes that are no images, UsageError for a scheme that does not exist.
    """
    from zkwm.data.bundled import load_bundled
    from zkwm.extraction.schemes import reader_class

    images: NDArray[np.uint8] | None = None
    if probes is not None:
        images = read_npy(probes, PROBES)
        if images.dtype != np.uint8 or images.ndim != 4:
            raise Malformed(f"{PROBES} holds no images")
    elif reader_class(mark.watermark).needs_probes:
        images = load_bundled().test_images
    return ExtractionSettings(mark.watermark, mark.parameters, reference, images)


def require_mark_needed(challenge: Challenge, settings: ExtractionSettings | None) -> None:
    """Raise UsageError where settings are given and nothing is extracted, or the reverse."""
    extracted = challenge.suspect.kind == SuspectKind.EXTRACTION
    if settings is not None and not extracted:
        raise UsageError(
            "no mark is extracted in this case: its model is asked itself",
            hint="leave `extraction` out",
        )
    if settings is None and extracted:
        raise UsageError(
            "the mark of this case is extracted from the model, and nobody says how",
            hint="give what the challenge was made with (`extraction`), or leave the model out",
        )


def _npy(images: NDArray[np.uint8]) -> bytes:
    """Images as a .npy file, the same bytes for the same images."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(images), (1, 0), allow_pickle=False)
    return stream.getvalue()
