"""The suspect as a challenge names it: its identity, and how images are fed to it.

SPEC.md section 4.3. The judge fixes both, so that neither gives the owner any freedom.
``zkwm.suspects`` asks suspects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from zkwm_protocols.errors import Malformed
from zkwm_protocols.schema import (
    require_bytes,
    require_choice,
    require_integer,
    require_list,
    require_map,
    require_text,
)

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,12})?")


class SuspectKind(StrEnum):
    """The kind of a suspect: a file, an endpoint, or a mark extracted from a model."""

    ONNX = "onnx"
    SAFETENSORS = "safetensors"
    HTTP = "http"
    EXTRACTION = "extraction"


@dataclass(frozen=True)
class SuspectIdentity:
    """The model that a challenge is about.

    Args:
        kind: what the suspect is.
        digest: 32 bytes. SHA-256 of an ONNX file; the model digest of SPEC.md 4.3 for safetensors;
            SHA-256 of ``zkwm-endpoint-1`` and the URL for an endpoint; that of SPEC.md 19.3 for a
            mark that is extracted.
        description: for people.
        outputs: the number of outputs.
        shape: (channels, height, width) of an input image.

    Raises:
        Malformed: a field is outside its range.
    """

    kind: SuspectKind
    digest: bytes
    description: str
    outputs: int
    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        require_choice(self.kind, SuspectKind, "kind of suspect")
        if len(self.digest) != 32:
            raise Malformed("a suspect's digest has 32 bytes")
        if not 2 <= self.outputs <= 1_000_000:
            raise Malformed("a suspect has 2 to 1,000,000 outputs")
        require_text(self.description, 500)
        if len(self.shape) != 3 or not all(1 <= size <= 65_535 for size in self.shape):
            raise Malformed("a shape is (channels, height, width)")
        if self.kind == SuspectKind.EXTRACTION and (self.outputs, self.shape) != (2, (1, 1, 32)):
            raise Malformed("a mark that is extracted has 2 outputs and keys of shape (1, 1, 32)")

    def to_map(self) -> dict[str, Any]:
        """The CBOR map of SPEC.md 4.3."""
        return {
            "kind": self.kind,
            "digest": self.digest,
            "description": self.description,
            "outputs": self.outputs,
            "shape": list(self.shape),
        }

    @classmethod
    def from_map(cls, value: object) -> SuspectIdentity:
        """Read the map of SPEC.md 4.3. Raises Malformed."""
        fields = require_map(value, "kind digest description outputs shape", "suspect")
        shape = [require_integer(size, 65_535) for size in require_list(fields["shape"], 3, 3)]
        return cls(
            kind=require_choice(fields["kind"], SuspectKind, "kind of suspect"),
            digest=require_bytes(fields["digest"], 32),
            description=require_text(fields["description"], 500),
            outputs=require_integer(fields["outputs"], 1_000_000),
            shape=(shape[0], shape[1], shape[2]),
        )


@dataclass(frozen=True)
class Preprocessing:
    """The map from uint8 pixels to the suspect's input.

    Args:
        layout: ``nchw`` or ``nhwc``.
        scale: ``unit`` (pixel / 255) or ``raw`` (0 to 255).
        mean: subtracted next, one decimal number as text per channel, or none.
        std: divides next, likewise.

    Raises:
        Malformed: a field is outside its range.
    """

    layout: str = "nchw"
    scale: str = "unit"
    mean: tuple[str, ...] = ()
    std: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.layout not in ("nchw", "nhwc"):
            raise Malformed("layout is 'nchw' or 'nhwc'")
        if self.scale not in ("unit", "raw"):
            raise Malformed("scale is 'unit' or 'raw'")
        if len(self.mean) != len(self.std) or len(self.mean) not in (0, 1, 3):
            raise Malformed("mean and std have one value per channel, or none")
        for text in self.mean + self.std:
            if not _DECIMAL.fullmatch(text):
                raise Malformed(f"not a decimal number: {text[:40]!r}")
        if any(float(text) <= 0 for text in self.std):
            raise Malformed("std is positive")

    def to_map(self) -> dict[str, Any]:
        """The CBOR map of SPEC.md 4.3."""
        return {
            "layout": self.layout,
            "scale": self.scale,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_map(cls, value: object) -> Preprocessing:
        """Read the map of SPEC.md 4.3. Raises Malformed."""
        fields = require_map(value, "layout scale mean std", "preprocessing")
        return cls(
            layout=require_text(fields["layout"], 8),
            scale=require_text(fields["scale"], 8),
            mean=tuple(require_text(text, 24) for text in require_list(fields["mean"], 0, 3)),
            std=tuple(require_text(text, 24) for text in require_list(fields["std"], 0, 3)),
        )
