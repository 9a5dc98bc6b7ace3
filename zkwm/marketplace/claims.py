"""Claims that are settled by other processes: what is sent to them, and what comes back.

Frames of JSON and bytes go through pipes, never pickles, and nothing secret through arguments,
environment or disk. Standard input has the desk first (where the database is, the judge's keys, and
whom they trust), then for each claim a map, the owner's answer, whom the challenge trusts, and the
pixels of its images.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.judge.key_file import JudgeKey
from zkwm.sql_database import DatabaseLocation
from zkwm.suspects.foreign_text import printable
from zkwm.suspects.limits import ExtractionSettings, HttpSettings, OnnxLimits
from zkwm_protocols import errors
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import CouldNotCheck, UsageError, ZkwmError
from zkwm_protocols.keys import ED25519, BoxKey, SigningKey
from zkwm_protocols.trust import Trust

_SETTINGS: dict[str, Any] = {"http": HttpSettings, "onnx": OnnxLimits}
_PLAIN = ("output", "adapter", "output_names", "headers")
_PATHS = ("certificate_authorities", "template")
_EXTRACTION = "extraction"
_ARRAYS = ("decoys", "images", "probes")
_CLASSES: dict[str, type[ZkwmError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, ZkwmError)
}
_MOST_TEXT = 2000
_MOST_BYTES = 1 << 31

Frame = bytes | memoryview
Frames = tuple[Frame, ...]


@dataclass(frozen=True, eq=False)
class Claim:
    """A case that is to be settled.

    Args:
        case: the challenge, or its digest in hexadecimal.
        suspect: where the model is: a file, a folder or a URL.
        proof: the owner's answer; None is the last one that was kept.
        options: ``headers``, ``http``, ``onnx``, ``output``, ``adapter``, ``output_names`` and
            ``extraction`` of ``zkwm.open_suspect``, where the challenge does not say them.
        decoys, images (uint8, (n, channels, height, width)): as for
            ``Marketplace.settle``. Claims may share an array: none is copied.
        trust: whom the challenge trusts, where that is not whom the marketplace trusts now.
    """

    case: Challenge | str
    suspect: str | Path
    proof: bytes | None = field(default=None, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    decoys: NDArray[np.uint8] | None = field(default=None, repr=False)
    images: NDArray[np.uint8] | None = field(default=None, repr=False)
    trust: Trust | None = None

    @property
    def id(self) -> str:
        """The challenge's digest in hexadecimal."""
        return self.case.digest.hex() if isinstance(self.case, Challenge) else self.case


@dataclass(frozen=True)
class Settled:
    """How a claim ended: the kept verdict's outcome, or empty; and the error, None where proven."""

    case: str
    outcome: str
    error: ZkwmError | None


def pack_claim(claim: Claim) -> Frames:
    """The frames of a claim. Raises UsageError for options or images that cannot be sent."""
    location = str(claim.suspect)
    if "://" not in location:
        location = str(Path(location).absolute())
    extraction = claim.options.get(_EXTRACTION)
    arrays: dict[str, NDArray[np.uint8] | None] = {
        "decoys": claim.decoys, "images": claim.images,
        "probes": extraction.probes if isinstance(extraction, ExtractionSettings) else None,
    }  # fmt: skip
    pixels = {name: _pixels(name, array) for name, array in arrays.items() if array is not None}
    described = {
        "case": claim.id,
        "suspect": location,
        "options": {name: _packed(name, value) for name, value in claim.options.items()},
        "answered": claim.proof is not None,
        "arrays": {name: array.shape for name, array in arrays.items() if array is not None},
    }
    trust = b"" if claim.trust is None else claim.trust.to_bytes()
    return json.dumps(described).encode(), claim.proof or b"", trust, *pixels.values()


def unpack_claim(frame: Callable[[], bytes]) -> Claim:
    """Read ``pack_claim`` from what gives the next frame at each call."""
    value, proof, trust = json.loads(frame()), frame(), frame()
    arrays: dict[str, NDArray[np.uint8]] = {
        name: np.frombuffer(frame(), np.uint8).reshape(value["arrays"][name])
        for name in _ARRAYS if name in value["arrays"]
    }  # fmt: skip
    options = dict(value["options"])
    for name, kind in _SETTINGS.items():
        if name in options:
            fields = options[name]
            options[name] = kind(
                **{
                    key: Path(one) if key in _PATHS and one is not None else one
                    for key, one in fields.items()
                }
            )
    if _EXTRACTION in options:
        options[_EXTRACTION] = ExtractionSettings(
            **options[_EXTRACTION], probes=arrays.get("probes")
        )
    if options.get("output_names") is not None:
        options["output_names"] = tuple(options["output_names"])
    return Claim(
        value["case"], value["suspect"], proof if value["answered"] else None, options,
        arrays.get("decoys"), arrays.get("images"), Trust.from_bytes(trust) if trust else None,
    )  # fmt: skip


def _packed(name: str, value: Any) -> Any:  # noqa: ANN401
    """An option as JSON values, paths absolute. Raises UsageError for one that cannot be sent."""
    if name in _SETTINGS and isinstance(value, _SETTINGS[name]):
        return {
            key: str(Path(one).absolute()) if key in _PATHS and one is not None else one
            for key, one in asdict(value).items()
        }
    if name == _EXTRACTION and isinstance(value, ExtractionSettings):
        return _packed_extraction(value)
    if name in _PLAIN:
        return dict(value) if isinstance(value, Mapping) else value
    raise UsageError(
        f"a claim that others settle has no option {name[:40]!r}",
        hint=f"options are {', '.join((*_PLAIN, *_SETTINGS, _EXTRACTION))}; settle others one by "
        "one",
    )


def _packed_extraction(settings: ExtractionSettings) -> dict[str, Any]:
    """Scheme, parameters and reference of a mark. Raises UsageError for other parameters."""
    for name, value in settings.parameters.items():
        if not isinstance(value, (bool, int, float, str)):
            raise UsageError(f"the parameter {name[:40]!r} of a mark is a number or text")
    where = settings.reference
    return {
        "watermark": settings.watermark,
        "parameters": dict(settings.parameters),
        "reference": None if where is None else str(Path(where).absolute()),
    }


def _pixels(name: str, array: NDArray[np.uint8]) -> memoryview:
    """The bytes of images, not copied where they lie in order. Raises UsageError for no images."""
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 4:
        raise UsageError(f"{name} of a claim are an array of uint8, (n, channels, height, width)")
    if math.prod(array.shape) > _MOST_BYTES:
        raise UsageError(f"{name} of a claim have at most 2 GiB", hint="give fewer images")
    return np.ascontiguousarray(array).reshape(-1).data


def pack_desk(
    location: DatabaseLocation, key: JudgeKey, environment: Mapping[str, str], trust: Trust | None
) -> bytes:
    """The frame that opens a desk: the database with its password, keys, whom to trust.

    Raises UsageError for a key in a token, which gives it to no process.
    """
    where = location.url.render_as_string(hide_password=False)
    described = {
        "location": str(location.path) if location.path else where,
        "signing": key.signing.to_bytes().hex(),
        "box": key.box.to_bytes().hex(),
        "environment": {name: text for name, text in environment.items() if name[:2] == "PG"},
        "trust": None if trust is None else trust.to_bytes().hex(),
        "statements": [] if trust is None else [one.to_bytes().hex() for one in trust.statements],
    }
    return json.dumps(described).encode()


def unpack_desk(described: bytes) -> tuple[str, JudgeKey, dict[str, str], Trust | None]:
    """Read ``pack_desk``: location, keys, variables of PostgreSQL's client, whom to trust."""
    value = json.loads(described)
    key = JudgeKey(
        SigningKey.from_bytes(ED25519, bytes.fromhex(value["signing"])),
        BoxKey(bytes.fromhex(value["box"])),
    )
    trust = None if value["trust"] is None else Trust.from_bytes(bytes.fromhex(value["trust"]))
    if trust is not None and value["statements"]:
        from zkwm_protocols.cose.logged_statement import LoggedStatement

        given = (LoggedStatement.from_bytes(bytes.fromhex(one)) for one in value["statements"])
        trust = replace(trust, statements=tuple(given))
    return value["location"], key, value["environment"], trust


def pack_settled(settled: Settled) -> bytes:
    """The frame of a claim that ended."""
    error = settled.error
    told = None
    if error is not None:
        told = {
            "class": type(error).__name__,
            "message": error.message[:_MOST_TEXT],
            "hint": error.hint[:_MOST_TEXT],
            "check": error.check[:100],
        }
    return json.dumps({"outcome": settled.outcome, "error": told}).encode()


def unpack_settled(case: str, reply: bytes) -> Settled:
    """Read ``pack_settled`` as what a stranger sent. Raises ValueError."""
    value = json.loads(reply)
    if not isinstance(value, dict) or not {"outcome", "error"} <= set(value):
        raise ValueError("no such reply")
    told, error = value["error"], None
    if isinstance(told, dict):
        message, hint, check = (
            printable(str(told.get(name, "")), _MOST_TEXT) for name in ("message", "hint", "check")
        )
        kind = _CLASSES.get(str(told.get("class")), CouldNotCheck)
        error = kind(message, hint=hint, check=check)
    elif told is not None:
        raise ValueError("no such error")
    return Settled(case, printable(str(value["outcome"]), 100), error)
