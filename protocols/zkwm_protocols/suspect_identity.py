"""The suspect as a challenge names it: its identity, and how images are fed to it.

SPEC.md section 4.3. The judge fixes both, so that neither gives the owner any freedom.
``zkwm.suspects`` asks suspects.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import Malformed
from zkwm_protocols.schema import (
    require_bytes,
    require_choice,
    require_integer,
    require_list,
    require_map,
    require_text,
)

MOST_HEADERS = 64
"""HTTP headers that an account has at most."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,100}")
_ADAPTERS = ("zkwm", "kserve", "torchserve", "huggingface", "template")
_BY_NAME = ("torchserve", "huggingface", "template")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,12})?")


class SuspectKind(StrEnum):
    """The kind of a suspect: a file, an endpoint, or a mark extracted from a model."""

    ONNX = "onnx"
    SAFETENSORS = "safetensors"
    HTTP = "http"
    EXTRACTION = "extraction"


@dataclass(frozen=True)
class Account:
    """The HTTP headers with which an endpoint is asked, as far as a challenge tells them.

    Headers choose whose answers come back (a tenant, a fine-tuned model), so that they belong to
    the suspect; their values are secrets, of which only a salted digest is told.

    Args:
        header_names: lower case, ascending, each once.
        salt: 32 random bytes.
        digest: 32 bytes, of names and values under the salt (SPEC.md 4.3).

    Raises:
        Malformed: a field is outside its range.
    """

    header_names: tuple[str, ...]
    salt: bytes
    digest: bytes

    def __post_init__(self) -> None:
        names = self.header_names
        if not 1 <= len(names) <= MOST_HEADERS or list(names) != sorted(set(names)):
            raise Malformed(
                f"an account has 1 to {MOST_HEADERS} header names, ascending, each once"
            )
        if not all(_HEADER_NAME.fullmatch(name) for name in names):
            raise Malformed("a header's name is 1 to 100 lower-case characters of RFC 9110")
        require_bytes(self.salt, 32)
        require_bytes(self.digest, 32)

    @classmethod
    def of(cls, headers: Mapping[str, str], salt: bytes) -> Account | None:
        """The account of these headers under a salt of 32 bytes; None without headers."""
        pairs = sorted((name.lower(), value) for name, value in headers.items())
        if not pairs:
            return None
        listed = encode([[name, value] for name, value in pairs])
        digest = hashlib.sha256(b"zkwm-account-1" + salt + listed).digest()
        return cls(tuple(name for name, _ in pairs), salt, digest)

    def is_of(self, headers: Mapping[str, str]) -> bool:
        """Whether these are the headers, names and values."""
        other = Account.of(headers, self.salt)
        return other is not None and hmac.compare_digest(other.digest, self.digest)

    def to_map(self) -> dict[str, Any]:
        """The CBOR map of SPEC.md 4.3."""
        return {"header_names": list(self.header_names), "salt": self.salt, "digest": self.digest}

    @classmethod
    def from_map(cls, value: object) -> Account:
        """Read the map of SPEC.md 4.3. Raises Malformed."""
        fields = require_map(value, "header_names salt digest", "account")
        names = require_list(fields["header_names"], 1, MOST_HEADERS)
        return cls(
            header_names=tuple(require_text(name, 100) for name in names),
            salt=require_bytes(fields["salt"], 32),
            digest=require_bytes(fields["digest"], 32),
        )


@dataclass(frozen=True)
class TestAccuracy:
    """How many labeled images of its task a suspect gets right, fed as the challenge says.

    Args:
        right: the images that it gives their label.
        count: the images asked, 1 to 10,000,000.
        data: 32 bytes, the digest of images and labels.

    Raises:
        Malformed: a field is outside its range.
    """

    right: int
    count: int
    data: bytes

    def __post_init__(self) -> None:
        require_integer(self.count, 10_000_000, least=1)
        require_integer(self.right, self.count)
        require_bytes(self.data, 32)

    def to_map(self) -> dict[str, Any]:
        """The CBOR map of SPEC.md 6.1."""
        return {"right": self.right, "count": self.count, "data": self.data}

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values, the digest in hexadecimal (SPEC.md 10.2)."""
        return {"right": self.right, "count": self.count, "data": self.data.hex()}

    @classmethod
    def from_map(cls, value: object) -> TestAccuracy:
        """Read the map of SPEC.md 6.1. Raises Malformed."""
        fields = require_map(value, "right count data", "test accuracy")
        return cls(fields["right"], fields["count"], fields["data"])


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
        output: the name of the model's output that is asked; empty where there is only one.
        adapter: the protocol that an endpoint speaks; empty for files.
        account: the headers with which an endpoint is asked, or None.
        template: 32 bytes, the digest of the template of requests and replies (SPEC.md 7.1), where
            ``adapter`` is ``template``; else None.

    Raises:
        Malformed: a field is outside its range.
    """

    kind: SuspectKind
    digest: bytes
    description: str
    outputs: int
    shape: tuple[int, int, int]
    output: str = ""
    adapter: str = ""
    account: Account | None = None
    template: bytes | None = None

    def __post_init__(self) -> None:
        require_choice(self.kind, SuspectKind, "kind of suspect")
        if len(self.digest) != 32:
            raise Malformed("a suspect's digest has 32 bytes")
        if not 2 <= self.outputs <= 1_000_000:
            raise Malformed("a suspect has 2 to 1,000,000 outputs")
        require_text(self.description, 500)
        require_text(self.output, 500)
        if self.adapter not in (_ADAPTERS if self.kind == SuspectKind.HTTP else ("",)):
            raise Malformed("an endpoint speaks one of the protocols of SPEC.md 7, a file none")
        if (self.template is not None) != (self.adapter == "template"):
            raise Malformed("the protocol template, and no other, has the digest of a template")
        if self.template is not None:
            require_bytes(self.template, 32)
        if self.account is not None and self.kind != SuspectKind.HTTP:
            raise Malformed("only an endpoint is asked with an account")
        if len(self.shape) != 3 or not all(1 <= size <= 65_535 for size in self.shape):
            raise Malformed("a shape is (channels, height, width)")
        if self.kind == SuspectKind.EXTRACTION and (self.outputs, self.shape) != (2, (1, 1, 32)):
            raise Malformed("a mark that is extracted has 2 outputs and keys of shape (1, 1, 32)")

    @property
    def answers_by_name(self) -> bool:
        """Whether replies of this protocol may name outputs, which then have no other number."""
        return self.adapter in _BY_NAME

    def to_map(self) -> dict[str, Any]:
        """The CBOR map of SPEC.md 4.3."""
        return {
            "kind": self.kind,
            "digest": self.digest,
            "description": self.description,
            "outputs": self.outputs,
            "shape": list(self.shape),
            "output": self.output,
            "adapter": self.adapter,
            "account": None if self.account is None else self.account.to_map(),
            "template": self.template,
        }

    @classmethod
    def from_map(cls, value: object) -> SuspectIdentity:
        """Read the map of SPEC.md 4.3. Raises Malformed."""
        keys = "kind digest description outputs shape output adapter account template"
        fields = require_map(value, keys, "suspect")
        account, template = fields["account"], fields["template"]
        shape = [require_integer(size, 65_535) for size in require_list(fields["shape"], 3, 3)]
        return cls(
            kind=require_choice(fields["kind"], SuspectKind, "kind of suspect"),
            digest=require_bytes(fields["digest"], 32),
            description=require_text(fields["description"], 500),
            outputs=require_integer(fields["outputs"], 1_000_000),
            shape=(shape[0], shape[1], shape[2]),
            output=require_text(fields["output"], 500),
            adapter=require_text(fields["adapter"], 20),
            account=None if account is None else Account.from_map(account),
            template=None if template is None else require_bytes(template, 32),
        )


def _number_text(value: object) -> str:
    """A number of the API as the decimal text that is signed; text stays as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Malformed(f"not a decimal number: {str(value)[:40]}")
    return f"{Decimal(repr(round(value, 12))):f}"


@dataclass(frozen=True)
class Preprocessing:
    """The map from uint8 pixels to the suspect's input.

    ::

        zkwm.Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

    Args:
        layout: ``nchw`` or ``nhwc``.
        scale: ``unit`` (pixel / 255) or ``raw`` (0 to 255).
        mean: subtracted next, one decimal number per channel, or none; as text, or a number that is
            then written as text.
        std: divides next, likewise.
        channels: the order in which the model takes the channels, ``rgb`` or ``bgr``; mean and std
            stay in the order of the image, which is rgb.

    Raises:
        Malformed: a field is outside its range.
    """

    layout: str = "nchw"
    scale: str = "unit"
    mean: tuple[str, ...] = ()
    std: tuple[str, ...] = ()
    channels: str = "rgb"

    def __post_init__(self) -> None:
        if self.layout not in ("nchw", "nhwc"):
            raise Malformed("layout is 'nchw' or 'nhwc'")
        if self.scale not in ("unit", "raw"):
            raise Malformed("scale is 'unit' or 'raw'")
        if self.channels not in ("rgb", "bgr"):
            raise Malformed("channels is 'rgb' or 'bgr'")
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(map(_number_text, getattr(self, name))))
        if len(self.mean) != len(self.std) or len(self.mean) not in (0, 1, 3):
            raise Malformed(
                f"mean has {len(self.mean)} values and std {len(self.std)}; both have one for each "
                "channel, or none",
                hint="give as many of `mean` as of `std`: 1 or 3, or leave both out",
            )
        for text in self.mean + self.std:
            if not _DECIMAL.fullmatch(text):
                raise Malformed(
                    f"not a decimal number: {text[:40]!r}",
                    hint="write numbers of `mean` and `std` such as 0.485, with a digit before the "
                    "point and at most 12 after it",
                )
        if any(float(text) <= 0 for text in self.std):
            raise Malformed("std is positive")

    def misfit(self, channels: int) -> tuple[str, str] | None:
        """Why it is not for images of so many channels, and what helps; None where it is."""
        if len(self.mean) not in (0, channels):
            return (
                f"the preprocessing has {len(self.mean)} means, the images have {channels} "
                "channels",
                "give one mean and one std per channel, or none",
            )
        if self.channels == "bgr" and channels != 3:
            return (
                f"the images have {channels} channel{'s' * (channels > 1)}, and the order bgr is "
                "for three",
                "leave the order of channels out",
            )
        return None

    def to_map(self) -> dict[str, Any]:
        """The CBOR map of SPEC.md 4.3."""
        return {
            "layout": self.layout,
            "scale": self.scale,
            "mean": list(self.mean),
            "std": list(self.std),
            "channels": self.channels,
        }

    @classmethod
    def from_map(cls, value: object) -> Preprocessing:
        """Read the map of SPEC.md 4.3. Raises Malformed."""
        fields = require_map(value, "layout scale mean std channels", "preprocessing")
        return cls(
            layout=require_text(fields["layout"], 8),
            scale=require_text(fields["scale"], 8),
            mean=tuple(require_text(text, 24) for text in require_list(fields["mean"], 0, 3)),
            std=tuple(require_text(text, 24) for text in require_list(fields["std"], 0, 3)),
            channels=require_text(fields["channels"], 8),
        )
