"""Choose between bytes and fine values by what bytes change in the scores (SPEC.md 16.5).

Both networks are built and compared on the calibration images in exact integers, so that every
machine comes to the same choice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.build import Builder
from zkwm.quantizer.integers import Bytes
from zkwm.quantizer.layers import Layers
from zkwm.quantizer.scales import BYTE, FINE, Extent, Precision
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.integer_network.model import IntegerNetwork

Integers = NDArray[np.int64]

ERROR = 16
"""Bytes do where scores are off by at most 1 / ERROR of their size."""
SHARE = 20
"""On all but 1 / SHARE of the images."""


def build_network(graph: Layers, image: Bytes) -> IntegerNetwork:
    """The network of bytes, or that of fine values where bytes change the scores too much.

    Args:
        graph: the simplified layers.
        image: the calibration images as the model's input.

    Raises Unsupported where there is no network of bytes.
    """
    extents: dict[int, Extent] = {}
    network, coarse = _built(graph, image, BYTE, extents)
    try:
        finer, fine = _built(graph, image, FINE, extents)
    except Unsupported:
        return network
    return network if near(fine, coarse) else finer


def _built(
    graph: Layers, image: Bytes, precision: Precision, extents: dict[int, Extent]
) -> tuple[IntegerNetwork, Integers]:
    """A network and its logits for the calibration images; all else is freed."""
    builder = Builder(graph, image, precision, extents)
    return builder.network(), builder.logits


def near(fine: Integers, coarse: Integers) -> bool:
    """Whether logits are near finer ones, both int64 (outputs, n), on enough images.

    With each image's mean subtracted, it is |a - k b| <= |a| / ERROR with the one
    k = sum(ab) / sum(bb) over all images.
    """
    a, b = (_centered(logits) for logits in (fine, coarse))
    squares, mixed, others = ((x * y).sum(axis=0).tolist() for x, y in ((a, a), (a, b), (b, b)))
    numerator, denominator = sum(mixed), sum(others)
    good = sum(
        ERROR**2 * (denominator**2 * aa - 2 * numerator * denominator * ab + numerator**2 * bb)
        <= denominator**2 * aa
        for aa, ab, bb in zip(squares, mixed, others, strict=True)
    )
    return bool(SHARE * (len(squares) - good) <= len(squares))


def _centered(logits: Integers) -> NDArray[np.object_]:
    """Logits (outputs, n) times the number of outputs, minus each image's sum: Python integers."""
    exact = logits.astype(object)
    centered: NDArray[np.object_] = exact * len(logits) - exact.sum(axis=0)
    return centered
