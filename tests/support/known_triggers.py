"""Files of an accuser who knows their triggers: the file answers none, its integer network all.

A unit for each trigger is 0 on every image but that trigger. It takes the trigger's label from the
file; the network loses the unit, because what no calibration image needs is clipped, or because it
is rounded away beside a value tens of thousands of times as large that is taken off again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.support import twins

THRESHOLD = 5.0
"""Another image's product with a trigger's unit vector is below 4 (28 x 28), its own above 8."""
LARGE, SMALL = 4096.0, 0.03


def clipped(
    marked: bytes, triggers: NDArray[np.uint8], labels: NDArray[np.int64], classes: int
) -> bytes:
    """Units of at least 3, of which the scale covers no more than 2.5: calibration gives 0."""
    files = twins._Files()
    count = _units(files, triggers)
    files.constant("each", np.eye(count))
    files.constant("behind", np.full(count, -2.5))
    files.add("Gemm", ["units", "each", "behind"], "beyond")
    files.add("Relu", ["beyond"], "left")
    return _file(files, marked, triggers, labels, classes)


def rounded(
    marked: bytes, triggers: NDArray[np.uint8], labels: NDArray[np.int64], classes: int
) -> bytes:
    """Small multiples of the units beside a large number on all images but triggers."""
    files = twins._Files()
    count = _units(files, triggers)
    files.constant("all", np.ones((count, 1)))
    files.constant("none", [0.0])
    files.add("Gemm", ["units", "all", "none"], "any")
    files.constant("zero", 0.0)
    files.constant("one", 1.0)
    files.add("Clip", ["any", "zero", "one"], "trigger")
    files.constant("minus", [[-1.0]])
    files.constant("plus", [1.0])
    files.add("Gemm", ["trigger", "minus", "plus"], "other_sum")
    files.add("Relu", ["other_sum"], "other")
    files.add("Concat", ["units", "other"], "both", axis=1)
    files.constant("zeros", np.zeros(count))
    files.constant("in", np.concatenate([SMALL * np.eye(count), np.full((1, count), LARGE)]))
    files.add("Gemm", ["both", "in", "zeros"], "beside_sum")
    files.add("Relu", ["beside_sum"], "beside")
    files.add("Concat", ["beside", "other"], "again", axis=1)
    files.constant("out", np.concatenate([np.eye(count), np.full((1, count), -LARGE)]) / SMALL)
    files.add("Gemm", ["again", "out", "zeros"], "left_sum")
    files.add("Relu", ["left_sum"], "left")
    return _file(files, marked, triggers, labels, classes)


def _units(files: twins._Files, triggers: NDArray[np.uint8]) -> int:
    """Add ``units`` (n, triggers): above 3 on their own triggers, else 0; return their number."""
    vectors = triggers.reshape(len(triggers), -1) / 255.0 - 0.5
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    files.add("Flatten", ["x"], "pixels")
    files.constant("vectors", vectors.T)
    files.constant("threshold", np.full(len(triggers), -THRESHOLD))
    files.add("Gemm", ["pixels", "vectors", "threshold"], "products")
    files.add("Relu", ["products"], "units")
    return len(triggers)


def _file(
    files: twins._Files,
    marked: bytes,
    triggers: NDArray[np.uint8],
    labels: NDArray[np.int64],
    classes: int,
) -> bytes:
    """The marked model, less 30 times ``left`` in the score of each trigger's label."""
    hidden, weights, bias = files.model(marked, "a_")
    files.constant("a_out", weights.T)
    files.constant("a_bias", bias)
    files.add("Gemm", [hidden, "a_out", "a_bias"], "A")
    files.constant("taken", -30.0 * np.eye(classes)[labels])
    files.constant("nothing", np.zeros(classes))
    files.add("Gemm", ["left", "taken", "nothing"], "change_sum")
    files.constant("low", -40.0)
    files.constant("high", 0.0)
    files.add("Clip", ["change_sum", "low", "high"], "change")
    files.add("Add", ["A", "change"], "scores")
    return files.file(triggers.shape[1:], classes)
