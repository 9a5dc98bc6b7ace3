"""Bits of each scheme of SPEC.md 19.5 for `extraction.json`: small inputs, the reference's answers.

Where a value is rounded on the way, inputs leave a margin (asserted). Schemes' parameters and keys
are here too.
"""

from __future__ import annotations

import struct
from math import hypot
from typing import Any

from tests.reference import extraction, keyed_answers
from tests.reference.extraction import Tensor
from tests.vectors.aligned_networks import CHAIN
from tests.vectors.build import pixels

FLOOR = 0.01
MARGIN = 1e-3
BITS = 24
EXAMPLE = {
    "count": 7, "deep": True, "flat": False, "kind": "text", "large": 1e16,
    "larger": 123456789012345680.0, "nought": 0.0, "plain": 0.1, "rounded": 9999999999999998.0,
    "small": 1e-05, "smallest": 5e-324, "thousandth": 0.0001, "whole": -2.0,
}  # fmt: skip
"""Parameters of no scheme, of every type: what their floating-point numbers are as text."""
SCHEMES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("uchida", {}),
    ("tartaglione", {}),
    ("neuralmark", {}),
    ("deepsigns", {}),
    ("dynamarks", {"floor": FLOOR}),
    ("dawn", {}),
    ("example", EXAMPLE),
)


def key_of(scheme: str, layer: int, number: int) -> bytes:
    """A fixed key of a scheme of ``SCHEMES``."""
    secret = pixels(f"{scheme} key {number}", 14)
    return extraction.key(layer, extraction.scheme_digest(scheme, dict(SCHEMES)[scheme]), secret)


def uchida_vectors() -> list[dict[str, Any]]:
    """Bits of small convolutions: an ordinary one, and such as only exact sums read right."""
    large = 2.0**60
    cases = {
        "ordinary": ([4, 3, 2, 2], list(struct.unpack("<48b", pixels("uchida weights", 48)))),
        "a sum of 0": ([1, 2, 1, 1], [1, -1]),
        "rounded once": ([2, 1, 1, 2], [large, large, -1, 0]),
        "cancelling": ([3, 1, 1, 2], [large, 1, 1, 0, -large, 0]),
        "infinite": ([1, 1, 1, 2], [1, float("inf")]),
        "not a number": ([1, 1, 1, 2], [float("nan"), 1]),
    }
    found = []
    for name, (sizes, values) in cases.items():
        weights = floats([float(value) for value in values], sizes)
        keys = [key_of("uchida", 0, number) for number in range(BITS)]
        bits = [extraction.uchida_bit(one, filters(weights)) for one in keys]
        known = None if None in bits else bits
        found.append({"name": name, "weights": weights, "keys": keys, "bits": known})
    assert [0 < sum(case["bits"]) < BITS for case in found[:4]] == [True] * 4
    return found


def filters(tensor: Tensor) -> list[list[list[float]]]:
    """Weights [o][i][h * w + w'] of a tensor [o, i, h, w]."""
    outputs, inputs, height, width = tensor[1]
    values, taps = numbers(tensor), height * width
    return [
        [values[(o * inputs + i) * taps : (o * inputs + i + 1) * taps] for i in range(inputs)]
        for o in range(outputs)
    ]


def tartaglione_vectors(networks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Positions and bits in the tiny chain, and in a layer of numbers that are hard to compare."""
    chain = networks[0]["reference"]
    weights = [w for row in CHAIN for w in numbers(chain[f"{row.layer}.weight"])]
    hard = [0.0, -0.0, 1e-45, -1e-45]
    endless = [1.0, float("inf")]
    found: list[dict[str, Any]] = [
        {"name": "chain", "weights": None},
        {"name": "hard", "weights": floats(hard, [1, len(hard)])},
        {"name": "not finite", "weights": floats(endless, [1, len(endless)])},
    ]
    keys = [key_of("tartaglione", 0, number) for number in range(BITS)]
    for case, values in zip(found, (weights, hard, endless), strict=True):
        case["keys"] = keys
        case["positions"] = [
            extraction.choices(one[2:], "position", 1, len(values))[0] for one in keys
        ]
        bits = [extraction.tartaglione_bit(one, values) for one in keys]
        case["bits"] = None if None in bits else bits
    return found


def neuralmark_vectors(networks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Bits in two layers of the tiny chain, and in layers of numbers that are hard to add."""
    chain = networks[0]["reference"]
    layers = {number: numbers(chain[f"{CHAIN[number].layer}.weight"]) for number in (1, 2)}
    large = 2.0**60
    hard = {
        "a sum of 0": [0.0, -0.0, 1.0, 1.0],
        "rounded once": [large, 1.0, -large, 1.0, large, -1.0],
        "not finite": [1.0, float("inf")],
    }
    found: list[dict[str, Any]] = []
    for name, layer, weights in (
        *((f"chain, layer {number}", number, values) for number, values in layers.items()),
        *((name, 0, values) for name, values in hard.items()),
    ):
        keys = [key_of("neuralmark", layer, number) for number in range(BITS)]
        bits = [extraction.neuralmark_bit(one, weights) for one in keys]
        stored = None if name.startswith("chain") else floats(weights, [1, len(weights)])
        found.append(
            {
                "name": name, "weights": stored, "keys": keys,
                "bits": None if None in bits else bits,
            }
        )  # fmt: skip
    return found


def deepsigns_vectors() -> dict[str, Any]:
    """Bits from a network that is its last layer alone: its activations are pixel / 255."""
    probes: Tensor = ("uint8", [10, 1, 1, 9], pixels("deepsigns probes", 90))
    pixel = [list(probes[2][9 * i : 9 * i + 9]) for i in range(10)]
    activations = [numbers(floats([value / 255 for value in row], [9])) for row in pixel]
    weights = [float(c == i) for c in range(4) for i in range(9)]
    bias = [0.0, 0.0, 0.0, -9.0]
    answers = [row.index(max(row[:3])) for row in activations]
    assert set(answers) == {0, 1, 2}
    assert all(len(set(row[:3])) == 3 for row in pixel)
    keys, bits = [], []
    for number in range(2 * BITS):
        one = key_of("deepsigns", number % 4, number)
        if number % 4 < 3:
            assert abs(extraction.deepsigns_sum(one, activations, answers)) > MARGIN
        keys.append(one)
        bits.append(extraction.deepsigns_bit(one, activations, answers))
    return {
        "probes": probes,
        "weight": floats(weights, [4, 9]),
        "bias": floats(bias, [4]),
        "activations": floats([a for row in activations for a in row], [10, 9]),
        "answers": answers,
        "keys": keys,
        "bits": bits,
    }


def dynamarks_vectors() -> list[dict[str, Any]]:
    """Bits from two networks that are their last layers alone, and from one that answers nothing.

    Everything of a scheme that reads answers: `tests/reference/keyed_answers.py` says what it is.
    The last probe is black but for one pixel of 1: its features stay shorter than 1.
    """
    sizes, count = [16, 2, 8, 9], 2 * 8 * 9
    black = bytes(8 * 9 - 1) + b"\x01" + bytes(8 * 9)
    probes: Tensor = ("uint8", sizes, pixels("dynamarks probes", 15 * count) + black)
    pixel = [list(probes[2][count * i : count * (i + 1)]) for i in range(16)]
    activations = [[value / 255 for value in row] for row in pixel]
    lines = [[row[i * 9 : i * 9 + 9] for i in range(2 * 8)] for row in activations]
    images = [[image[:8], image[8:]] for image in lines]
    heads = {
        name: [(byte - 128) / 512 for byte in pixels(f"dynamarks {name}", 4 * count + 4)]
        for name in ("reference", "suspect")
    }
    assert 0.8 < hypot(*keyed_answers.features(images[-1])) < 0.9
    endless = [*heads["suspect"][:-1], float("-inf")]
    keys = [key_of("dynamarks", 0, number) for number in range(12)]
    found = []
    for name, suspect, floor in (
        ("ordinary", heads["suspect"], FLOOR),
        ("another floor", heads["suspect"], 5 * FLOOR),
        ("not finite", endless, FLOOR),
    ):
        asked = [logits_of(head, activations) for head in (suspect, heads["reference"])]
        values: list[float] = []
        if suspect is not endless:
            for row in (sorted(row) for row in asked[1]):
                assert row[-1] - row[-2] > MARGIN
            values = keyed_answers.read_back(keys, *asked, images, floor)
            assert min(map(abs, values)) > MARGIN * max(map(abs, values))
        found.append(
            {
                "name": name,
                "floor": floor,
                "probes": probes,
                "reference": head_tensors(heads["reference"]),
                "suspect": head_tensors(suspect),
                "keys": keys,
                "values": [float(f"{value:.6g}") for value in values],
                "bits": keyed_answers.dynamarks_bits(keys, *asked, images, floor),
            }
        )
    assert len({row.index(max(row)) for row in asked[1]}) > 1
    assert 0 < sum(found[0]["bits"]) < len(keys)
    assert found[2]["bits"] is None
    return found


def logits_of(head: list[float], activations: list[list[float]]) -> list[list[float]]:
    """What four outputs give for activations: 4 rows of weights, then 4 biases."""
    count = len(activations[0])
    return [
        [
            sum(w * a for w, a in zip(head[count * c : count * (c + 1)], row, strict=True))
            + head[4 * count + c]
            for c in range(4)
        ]
        for row in activations
    ]


def head_tensors(head: list[float]) -> dict[str, Tensor]:
    """The same as tensors."""
    return {
        "weight": floats(head[:-4], [4, len(head) // 4 - 1]),
        "bias": floats(head[-4:], [4]),
    }


def floats(values: list[float], sizes: list[int]) -> Tensor:
    """A float32 tensor."""
    return "float32", sizes, struct.pack(f"<{len(values)}f", *values)


def numbers(tensor: Tensor) -> list[float]:
    """The elements of a float32 tensor."""
    return list(struct.unpack(f"<{len(tensor[2]) // 4}f", tensor[2]))
