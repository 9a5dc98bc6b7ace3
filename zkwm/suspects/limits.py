"""Settings for querying a suspect of each kind: limits, retries, protocol, a mark's scheme."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class OnnxLimits:
    """Time and memory that an ONNX file, or weights of a built-in architecture, may use.

    Attributes:
        load_seconds: for opening the file.
        image_seconds: for one image.
        total_seconds: for one call of ``answer``, in which the file is opened again after a crash;
            for all learners of one call of ``relearn`` together.
        memory_bytes: the address space of the process that runs the file, at least 256 MiB (where
            the system has such a limit); None is 2 GiB plus four times the file and its files of
            weights. For weights of a built-in architecture it is what they may use beyond zkwm's
            code, 4 GiB plus four times their size.
    """

    load_seconds: float = 120.0
    image_seconds: float = 30.0
    total_seconds: float = 3600.0
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        for name in ("load_seconds", "image_seconds", "total_seconds"):
            require_positive(name, getattr(self, name))
        if self.memory_bytes is not None and self.memory_bytes < 1 << 28:
            raise UsageError("memory_bytes is at least 256 MiB")


@dataclass(frozen=True)
class HttpSettings:
    """Time limits, retries and trust for an endpoint.

    Attributes:
        connect_seconds: for the look-up of the host, connection and TLS.
        request_seconds: for one attempt, from the first byte sent to the last received.
        total_seconds: for one call of ``answer``.
        attempts: how often an image is sent while no answer arrives, 1 to 100.
        backoff_seconds: the pause after the first attempt; it doubles with each further one.
        requests_per_second: the highest rate; None is as fast as the endpoint answers.
        reply_bytes: the largest reply, 64 bytes to 256 MiB.
        certificate_authorities: a PEM file to trust instead of the system's.
        template: the file with the template of requests and replies, for the protocol ``template``
            (SPEC.md 7.1).
        named_by_strangers: the URL comes from somebody else: only https at port 443 or 8443 of
            public addresses is asked, so that nobody reaches the network of whoever asks.
    """

    connect_seconds: float = 10.0
    request_seconds: float = 30.0
    total_seconds: float = 3600.0
    attempts: int = 3
    backoff_seconds: float = 0.5
    requests_per_second: float | None = None
    reply_bytes: int = 1 << 20
    certificate_authorities: Path | None = None
    template: Path | None = None
    named_by_strangers: bool = False

    def __post_init__(self) -> None:
        for name in ("connect_seconds", "request_seconds", "total_seconds", "backoff_seconds"):
            require_positive(name, getattr(self, name))
        if self.requests_per_second is not None:
            require_positive("requests_per_second", self.requests_per_second)
        if not 1 <= self.attempts <= 100:
            raise UsageError("attempts is 1 to 100")
        if not 64 <= self.reply_bytes <= 1 << 28:
            raise UsageError("reply_bytes is 64 bytes to 256 MiB")


@dataclass(frozen=True)
class HttpProtocol:
    """What an endpoint speaks.

    Attributes:
        adapter: the protocol's name, a key of ``http_adapter.ADAPTERS``.
        names: what the suspect calls its outputs, or None; some protocols answer by these names.
        output: the name of the output that is asked, for protocols that have several.
    """

    adapter: str = "zkwm"
    names: tuple[str, ...] | None = None
    output: str = ""


@dataclass(frozen=True, eq=False)
class ExtractionSettings:
    """The judge's choices for a mark that is extracted (SPEC.md 19.3).

    Attributes:
        watermark: the scheme's name.
        parameters: those of its parameters that bits depend on, where they are not the default.
        reference: the path of the unmarked model that the commitment names; None where it names
            none.
        probes (uint8, (n, c, h, w)): the data set from which the challenge's nonce draws the images
            on which activations or answers are taken: the one that the commitment names, or else
            the bundled test images; None for schemes that read weights alone.
    """

    watermark: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    reference: str | Path | None = None
    probes: NDArray[np.uint8] | None = None


def require_positive(name: str, value: float) -> None:
    """Raise UsageError unless ``value`` is positive, finite and at most a million."""
    if not math.isfinite(value) or not 0 < value <= 1_000_000:
        raise UsageError(f"{name} is a positive number")
