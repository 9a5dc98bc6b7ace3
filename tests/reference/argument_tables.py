"""The tables of SPEC.md section 17.3, row by row, in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from tests.reference.argument_field import P
from tests.reference.argument_network import Network

Row = tuple[int, ...]
Table = tuple[str, int]

XOR, XOR12, XOR7, CARRIES, POSITIVE = (
    (name, 0) for name in ("xor", "xor12", "xor7", "carries", "positive")
)


def tables(network: Network, widths: set[int]) -> dict[Table, list[Row]]:
    """The rows of all tables in order."""

    def split(parts: Callable[[int], Row]) -> list[Row]:
        return [(a, b, *parts(a ^ b)) for a in range(256) for b in range(256)]

    carry = (range(3), range(3), range(2), range(2))
    result: dict[Table, list[Row]] = {
        XOR: split(lambda x: (x,)),
        XOR12: split(lambda x: (x % 16, x // 16)),
        XOR7: split(lambda x: (x % 128, x // 128)),
        CARRIES: list(product(*carry, *carry)),
        POSITIVE: [(d % P, max(d, 0)) for d in range(-255, 256)],
    }
    for i, (first, values) in enumerate(network.tables):
        result["network", i] = [((first + j) % P, value) for j, value in enumerate(values)]
    for width in sorted(widths):
        result["range", width] = [(value,) for value in range(2**width)]
    return result
