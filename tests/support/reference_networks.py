"""Tiny networks for the reference verifier of the argument, and leaves by hashlib."""

from __future__ import annotations

import hashlib
import random
from typing import Any


def packed(values: list[int], size: int) -> bytes:
    return b"".join(value.to_bytes(size, "little", signed=True) for value in values)


def convolution(source: int, sizes: list[int], seed: int, **changes: Any) -> dict[str, Any]:
    drawn = random.Random(seed)
    count = sizes[0] * sizes[1] * sizes[2] * sizes[3]
    node = {
        "kind": "convolution",
        "source": source,
        "weights": packed([drawn.randint(-9, 9) for _ in range(count)], 2),
        "sizes": sizes,
        "stride": [1, 1],
        "pads": [0, 0, 0, 0],
        "dilation": [1, 1],
        "groups": 1,
        "bias": packed([drawn.randint(-50, 50) for _ in range(sizes[0])], 4),
    }
    return {**node, **changes}


def every_kind() -> dict[str, Any]:
    """A network on 1 x 4 x 4 with every kind of node, two tables, and padding on all sides."""
    position_bias = packed([17 * i - 300 for i in range(2 * 4 * 3)], 4)
    nodes = [
        convolution(
            0,
            [2, 1, 3, 2],
            1,
            pads=[1, 0, 1, 1],
            dilation=[1, 2],
            bias=position_bias,
        ),
        {"kind": "activation", "source": 1, "shift": 5, "table": 0},
        {"kind": "maximum", "source": 2, "kernel": [2, 2], "stride": [2, 1], "pads": [1, 0, 0, 1]},
        {"kind": "activation", "source": 0, "shift": 0, "table": 1},
        convolution(4, [4, 1, 3, 2], 2, stride=[2, 1], pads=[1, 0, 0, 0]),
        {"kind": "activation", "source": 5, "shift": 3, "table": 0},
        {"kind": "concatenation", "sources": [3, 6]},
        convolution(7, [6, 3, 1, 1], 3, groups=2),
        convolution(7, [6, 6, 1, 2], 4, pads=[0, 1, 0, 0]),
        {"kind": "sum", "sources": [8, 9, 8]},
        {"kind": "reshape", "source": 10, "shape": [36, 1, 1]},
        convolution(11, [3, 36, 1, 1], 5),
    ]
    tables = [
        {"first": -5000, "values": bytes(max(0, min(255, i - 5000)) for i in range(10001))},
        {"first": 0, "values": bytes(255 - i for i in range(256))},
    ]
    shape = [1, 4, 4]
    head = {"type": "zkwm-network", "version": 1}
    return {**head, "shape": shape, "tables": tables, "nodes": nodes}


def tiny(outputs: int, weights: list[int]) -> dict[str, Any]:
    """Logits straight from an image of 1 x 1 x 1."""
    node = convolution(
        0, [outputs, 1, 1, 1], 0, weights=packed(weights, 2), bias=bytes(4 * outputs)
    )
    head = {"type": "zkwm-network", "version": 1}
    return {**head, "shape": [1, 1, 1], "tables": [], "nodes": [node]}


def hashed(network: dict[str, Any], label: int, salt: bytes, image: bytes) -> bytes:
    head = b"".join(n.to_bytes(2, "big") for n in (1, *network["shape"], label))
    return hashlib.blake2s(head + salt + image, person=b"zkwmleaf").digest()


def public_cells(network: dict[str, Any], label: int, salt: bytes, image: bytes) -> list[int]:
    return [*label.to_bytes(2, "big"), *hashed(network, label, salt, image)]
