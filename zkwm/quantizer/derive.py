"""Derive a suspect's integer network, the same for owner and judge (SPEC.md 16.4)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.onnx_parts import read_whole
from zkwm.suspects.suspect import Suspect, no_network_file
from zkwm_protocols.errors import InvalidOpening, Unsupported
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity, SuspectKind

if TYPE_CHECKING:
    from zkwm.quantizer.limited_scores import ReadScores
    from zkwm.quantizer.quantizer_process import QuantizerProcess
    from zkwm_protocols.integer_network.model import IntegerNetwork


def derive_network(
    model: str | Path,
    suspect: SuspectIdentity,
    preprocessing: Preprocessing,
    process: QuantizerProcess | None = None,
) -> IntegerNetwork:
    """Quantize the file ``model``, which must be the suspect of a challenge (SPEC.md 16.4).

    It is done by ``process``, or another one.

    Raises Unsupported (check ``challenge.network``) for a suspect that is no ONNX file or has nodes
    that cannot be proven, InvalidOpening (check ``challenge.suspect``) for another file,
    CouldNotCheck where it cannot be read.
    """
    if suspect.kind != SuspectKind.ONNX:
        raise no_network_file(suspect.kind)
    data = _pinned(model, suspect)
    try:
        network = _quantized(data, suspect, preprocessing, process)
    except Unsupported as error:
        error.hint = error.hint or "ask for an opening instead (`Judge.challenge`)"
        raise
    if (network.shape, network.outputs) != (suspect.shape, suspect.outputs):
        raise InvalidOpening(
            "the integer network takes other images or has other outputs than the suspect",
            check="challenge.network",
        )
    return network


def network_of(
    suspect: Suspect, preprocessing: Preprocessing, process: QuantizerProcess | None = None
) -> IntegerNetwork:
    """The integer network of an open suspect; raises as ``derive_network`` does."""
    return derive_network(suspect.network_file(), suspect.identity, preprocessing, process)


def scores_of(
    suspect: Suspect,
    preprocessing: Preprocessing,
    network: IntegerNetwork,
    images: NDArray[np.uint8],
    process: QuantizerProcess | None = None,
) -> ReadScores:
    """What the layers read of an open suspect's file, and its integer network, give for images.

    Args:
        suspect: the model.
        preprocessing: how pixels become its input.
        network: made from its file.
        images (uint8, (n, channels, height, width)): of its shape.
        process: evaluates them; None for another one.

    Raises as ``derive_network`` and ``limited_scores.scores_limited`` do.
    """
    from zkwm.quantizer.limited_scores import scores_limited

    data = _pinned(suspect.network_file(), suspect.identity)
    return scores_limited(
        data, network, images, preprocessing=preprocessing, output=suspect.identity.output,
        process=process,
    )  # fmt: skip


def network_digest(network: IntegerNetwork) -> bytes:
    """The digest of an integer network, 32 bytes (SPEC.md 16.1)."""
    from zkwm_protocols.integer_network.codec import digest

    return digest(network)


def require_network(network: IntegerNetwork, digest: bytes | None) -> None:
    """Raise InvalidOpening (check ``challenge.network``) unless it is the challenge's."""
    derived = network_digest(network)
    if derived != digest:
        raise InvalidOpening(
            f"the suspect's file gives the integer network {derived.hex()[:16]}, and the challenge "
            f"names {'none' if digest is None else digest.hex()[:16]}",
            hint="use the zkwm release that the challenge was made with, or ask for a new one",
            check="challenge.network",
        )


def _pinned(model: str | Path, suspect: SuspectIdentity) -> bytes:
    """The content of the file. Raises InvalidOpening where its digest is not the suspect's."""
    data, digest = read_whole(Path(model))
    if digest != suspect.digest:
        raise InvalidOpening(
            f"{model} is not the file that the challenge names",
            hint="give exactly the file that the challenge was made for",
            check="challenge.suspect",
        )
    return data


def _quantized(
    data: bytes,
    suspect: SuspectIdentity,
    preprocessing: Preprocessing,
    process: QuantizerProcess | None,
) -> IntegerNetwork:
    """Quantize the content of an ONNX file in a limited process."""
    from zkwm.quantizer.limited_quantizer import quantize_limited

    return quantize_limited(
        data, shape=suspect.shape, preprocessing=preprocessing, output=suspect.output,
        process=process,
    ).network  # fmt: skip
