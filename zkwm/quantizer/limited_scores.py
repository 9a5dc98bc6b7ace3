"""Scores of a foreign file's layers and of its integer network, from a process with limits.

The gate of SPEC.md 18.1 compares them with the suspect's. Work is priced from dimensions before it
is done, and what comes back is read as a stranger's.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.calibration import require_affordable
from zkwm.quantizer.limited_quantizer import QuantizerLimits, no_result, run_task
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.integer_network import codec
from zkwm_protocols.integer_network.model import IntegerNetwork
from zkwm_protocols.integer_network.shapes import work_of
from zkwm_protocols.suspect_identity import Preprocessing

if TYPE_CHECKING:
    from zkwm.quantizer.layers import Shape
    from zkwm.quantizer.quantizer_process import QuantizerProcess

MOST_VALUES = 1 << 30
"""Values of all images together, which the caller holds."""
_BYTES = 24
_LABEL_BYTES = 8


@dataclass(frozen=True)
class ReadScores:
    """What a file's layers and its integer network give for n images.

    Attributes:
        real (float64, (n, K)): logits of the layers in double precision.
        last (float64, (n, K)): the same after the functions at the model's end.
        whole (int64, (n, K)): logits of the integer network.
    """

    real: NDArray[np.float64]
    last: NDArray[np.float64]
    whole: NDArray[np.int64]

    def part(self, images: slice) -> ReadScores:
        """The scores of some of the images."""
        return ReadScores(self.real[images], self.last[images], self.whole[images])


def scores_limited(
    data: bytes,
    network: IntegerNetwork,
    images: NDArray[np.uint8],
    *,
    preprocessing: Preprocessing,
    output: str = "",
    limits: QuantizerLimits | None = None,
    process: QuantizerProcess | None = None,
) -> ReadScores:
    """Evaluate a file's layers, and the integer network made from it, in a limited process.

    Args:
        data: the file's content.
        network: the integer network.
        images (uint8, (n, channels, height, width)): of the network's shape.
        preprocessing: how pixels become the model's input.
        output: the name of the output that is asked; empty for the only one.
        limits: time and memory.
        process: does it; None for another one.

    Raises what ``quantize`` raises, and Unsupported (check ``network.unsupported``) for more work
    than ``calibration.require_affordable`` or ``limits`` allow.
    """
    count, outputs = len(images), network.outputs
    _, result = run_task(
        "scores",
        data,
        network.shape,
        preprocessing,
        images,
        output,
        limits,
        network=codec.to_bytes(network),
        result_limit=_BYTES * count * outputs,
        process=process,
    )
    if len(result) != _BYTES * count * outputs:
        raise no_result()
    values = np.frombuffer(result, "<f8").reshape(3, count, outputs)
    whole = np.frombuffer(result, "<i8").reshape(3, count, outputs)[2]
    return ReadScores(values[0].astype(np.float64), values[1].astype(np.float64), whole.copy())


def labels_limited(
    network: IntegerNetwork, images: NDArray[np.uint8], *, limits: QuantizerLimits | None = None
) -> NDArray[np.int64]:
    """The labels int64 (n,) that an integer network gives, from a limited process.

    Args:
        network: made from a foreign file, so that its work is the other party's choice.
        images (uint8, (n, channels, height, width)): of the network's shape.
        limits: time and memory.

    Raises Unsupported (check ``network.unsupported``) for more work than
    ``calibration.require_affordable`` or ``limits`` allow.
    """
    require_affordable(*work_of(network.nodes, network.shapes), len(images))
    size = _LABEL_BYTES * len(images)
    _, result = run_task(
        "labels",
        b"",
        network.shape,
        Preprocessing(),
        images,
        "",
        limits,
        network=codec.to_bytes(network),
        result_limit=size,
    )
    if len(result) != size:
        raise no_result()
    labels = np.frombuffer(result, "<i8").astype(np.int64)
    if not ((labels >= 0) & (labels < network.outputs)).all():
        raise no_result()
    return labels


def require_drawable(shape: Shape, images: int) -> None:
    """Raise Unsupported (``network.unsupported``) for so many images of this size."""
    if images * prod(shape) > MOST_VALUES:
        raise Unsupported(
            f"comparing its integer network takes {images:,} images of {prod(shape):,} values, "
            "which is too much",
            hint="ask for an opening instead (`Judge.challenge`)",
            check="network.unsupported",
        )
