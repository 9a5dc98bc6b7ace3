"""Random graphs are refused by name, or read as ONNX Runtime runs them (1.3 of the findings).

More of them: ``python -m tests.zkwm.quantizer.test_differential FIRST COUNT`` prints one line for
each disagreement and the counts.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np

from tests.support.onnx_graphs import graph
from zkwm.quantizer import real_network
from zkwm.quantizer.layers import Layers
from zkwm.quantizer.onnx_file import OnnxNode, read_onnx
from zkwm.quantizer.real_network import real_scores
from zkwm.quantizer.simplify import simplify
from zkwm.quantizer.translate import OPERATORS, translate
from zkwm.suspects.onnx_worker import open_session
from zkwm_protocols.errors import ZkwmError

COUNT = 700
IMAGES = 6
TIE = 2e-5
"""Rounded numbers so near a half, relative to their size, may be either neighbor in float32."""
TOLERANCE = 1e-3
SIGMOID_ERROR = 2e-7
"""ONNX Runtime's Sigmoid is off by up to 1.7e-7, measured; it is 0 from -18 on."""


def runtime_scores(data: bytes, images: np.ndarray) -> np.ndarray | None:
    """One row for each image, asked alone as a suspect is; None where the runtime refuses."""
    try:
        session = open_session(data)
        rows = [session.run(None, {"images": image[None]})[0] for image in images]
        return np.concatenate([np.asarray(row, np.float64).reshape(1, -1) for row in rows])
    except Exception:  # the runtime's errors are an open list
        return None


@contextmanager
def watched_ties(images: int) -> Iterator[np.ndarray]:
    """Which images, bool (n,), round an entry so near a half that single precision decides."""
    tied = np.zeros(images, np.bool_)
    exact = real_network.FUNCTIONS["rounded"]

    def rounded(x: np.ndarray, parameters: tuple[float, ...]) -> np.ndarray:
        levels = x / parameters[0]
        near = np.abs(np.abs(levels - np.rint(levels)) - 0.5) < TIE * (1 + np.abs(levels))
        low, high = parameters[1] - 1, parameters[2] + 1
        tied[:] |= (near & (levels > low) & (levels < high)).any(axis=(0, 1, 2))
        return exact(x, parameters)

    real_network.FUNCTIONS["rounded"] = rounded
    try:
        yield tied
    finally:
        real_network.FUNCTIONS["rounded"] = exact


def read_scores(layers: Layers, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores by the layers, (n, K), and for which images no rounding is a tie, bool (n,)."""
    with watched_ties(len(images)) as tied:
        return real_scores(layers, images.astype(np.float64)), ~tied


def outcome(seed: int) -> str:
    """``equal``, ``refused: ...``, ``unequal ...``, or what the runtime made impossible."""
    data, shape = graph(seed)
    images = np.random.default_rng(seed).random((IMAGES, *shape)).astype(np.float32)
    try:
        layers = simplify(translate(read_onnx(data), shape, "nchw"))
    except ZkwmError as error:
        return f"refused: {error.message}"
    wanted = runtime_scores(data, images)
    if wanted is None:
        return "only the runtime refuses"
    found, clear = read_scores(layers, images)
    if not clear.any():
        return "decided by ties"
    if not np.isfinite(found).all():
        return "not finite in doubles"
    if found.shape != wanted.shape or not np.isfinite(wanted).all():
        return "shape" if found.shape != wanted.shape else "not finite in the runtime"
    found, wanted = found[clear], wanted[clear]
    off = np.abs(found - wanted).max() - (SIGMOID_ERROR if "sigmoid" in layers.last else 0.0)
    error = off / max(float(np.abs(wanted).max()), 1e-6)
    return "equal" if error <= TOLERANCE else f"unequal by {error:.3g}"


def nodes_of(seed: int) -> Iterator[OnnxNode]:
    """The nodes of a graph that can be parsed."""
    with suppress(ZkwmError):
        yield from read_onnx(graph(seed)[0]).nodes


def kind(found: str) -> str:
    return found.split(":")[0].split(" by ")[0]


def test_random_graphs() -> None:
    counts: Counter[str] = Counter()
    missing = set(OPERATORS)
    for seed in range(COUNT):
        missing -= {node.operator for node in nodes_of(seed)}
        found = outcome(seed)
        counts[kind(found)] += 1
        assert kind(found) not in ("unequal", "shape"), (seed, found)
    assert counts["equal"] >= 0.4 * COUNT, counts
    assert not missing, "the generator makes no such nodes"


if __name__ == "__main__":
    first, count = int(sys.argv[1]), int(sys.argv[2])
    found = Counter[str]()
    for seed in range(first, first + count):
        try:
            line = outcome(seed)
        except Exception as error:  # a crash is what is looked for
            line = f"crash {type(error).__name__}"
        found[kind(line)] += 1
        if kind(line) not in ("equal", "refused"):
            sys.stdout.write(f"{seed} {line}\n")
        elif kind(line) == "refused" and seed % 10 == 0:
            sys.stdout.write(f"{seed} {line[:160]}\n")
    sys.stdout.write(f"{dict(found)}\n")
