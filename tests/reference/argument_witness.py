"""The honest cells of one trigger, SPEC.md section 17.3, in plain Python on plain integers.

Computes what a prover puts into the cells without the lookups, so that the lookups can be tested
against it. Not a prover: no multiplicities, no commitment.
"""

from __future__ import annotations

from math import prod
from typing import Any

from tests.reference.argument_network import Network, argument_of_largest, linear, sources, windows
from tests.reference.argument_relation import INITIAL, MIXED, SCHEDULE


def _octets(value: int) -> list[int]:
    return list(value.to_bytes(4, "little"))


def _rotated(value: int, places: int) -> int:
    return (value >> places | value << (32 - places)) & 0xFFFFFFFF


def _mix(v: list[int], at: tuple[int, ...], x: int, y: int) -> list[int]:
    a, b, c, d = at
    cells = []
    for word, turn_d, turn_b, low_bits in ((x, 16, 12, 4), (y, 8, 7, 7)):
        v[a] = (v[a] + v[b] + word) & 0xFFFFFFFF
        exclusive_d = v[d] ^ v[a]
        v[d] = _rotated(exclusive_d, turn_d)
        v[c] = (v[c] + v[d]) & 0xFFFFFFFF
        exclusive_b = v[b] ^ v[c]
        v[b] = _rotated(exclusive_b, turn_b)
        cells += _octets(v[a]) + _octets(exclusive_d) + _octets(v[c])
        cells += [byte % 2**low_bits for byte in _octets(exclusive_b)]
        cells += [byte >> low_bits for byte in _octets(exclusive_b)]
    return cells


def leaf_cells(data: bytes) -> tuple[list[int], bytes]:
    """The cells of the leaf gadget for the hashed bytes, and the digest."""
    h = list(INITIAL)
    h[0] ^= 0x01010020
    h[6] ^= int.from_bytes(b"zkwm", "little")
    h[7] ^= int.from_bytes(b"leaf", "little")
    cells = []
    for start in range(0, len(data), 64):
        last = start + 64 >= len(data)
        block = data[start : start + 64].ljust(64, b"\0")
        words = [int.from_bytes(block[i : i + 4], "little") for i in range(0, 64, 4)]
        v = [*h, *INITIAL]
        v[12] ^= len(data) if last else start + 64
        v[14] ^= 0xFFFFFFFF if last else 0
        for schedule in SCHEDULE:
            for i, at in enumerate(MIXED):
                cells += _mix(v, at, words[schedule[2 * i]], words[schedule[2 * i + 1]])
        halves = [v[i] ^ v[i + 8] for i in range(8)]
        h = [h[i] ^ halves[i] for i in range(8)]
        for word in halves if last else halves + h:
            cells += _octets(word)
    return cells, b"".join(word.to_bytes(4, "little") for word in h)


def _number(terms: list[tuple[int, int]], offset: int) -> int:
    return sum(weight * entry for weight, entry in terms) + offset


def _maximum(
    node: dict[str, Any], shape: tuple[int, int, int], source: list[int]
) -> tuple[list[int], list[int]]:
    under = windows(shape, node["kernel"], node, [1, 1])
    size = shape[1] * shape[2]
    entries = [
        [0 if p is None else source[channel * size + p[0] * shape[2] + p[1]] for p in places]
        for channel in range(shape[0])
        for places in under
    ]
    cells = [
        max(0, entry[i] - max(entry[:i])) for i in range(1, len(under[0])) for entry in entries
    ]
    return cells, [max(entry) for entry in entries]


def network_cells(network: Network, image: bytes) -> tuple[list[int], list[int]]:
    """The cells of the network gadget, and the logits."""
    values = [list(image)]
    cells: list[int] = []
    for node in network.nodes:
        read = sources(node)
        first, shape = values[read[0]], network.shapes[read[0]]
        if node["kind"] == "activation":
            start, table = network.tables[node["table"]]
            shift = node["shift"]
            raised = [z + 2**shift // 2 for z in first]
            result = [table[(z >> shift) - start] for z in raised]
            cells += [z % 2**shift for z in raised] if shift else []
            cells += result
        elif node["kind"] == "maximum":
            more, result = _maximum(node, shape, first)
            cells += more
        else:
            given = [values[source] for source in read]
            result = linear(node, [network.shapes[s] for s in read], given, _number)
        values.append(result)
    return cells, values[-1]


def largest_cells(network: Network, logits: list[int], matched: int | None) -> list[int]:
    """The cells of the argmax gadget with g = 1 at most at ``matched``."""
    count = len(logits)
    bits = max(1, (2 * count * network.largest_logit + count - 1).bit_length())
    limbs = -(-bits // 8)
    distinct = [count * z + count - 1 - i for i, z in enumerate(logits)]
    matches = [int(i == matched) for i in range(count)]
    slack = [max(distinct) - z for z in distinct]
    reverse = [(1 - g) * (2**bits - 1) - s for g, s in zip(matches, slack, strict=True)]
    lower = [s >> 8 * e & 255 for side in (slack, reverse) for e in range(limbs - 1) for s in side]
    return [max(distinct), *matches, *lower]


def fill(network: Network, image: bytes, salt: bytes, label_field: int, output: int) -> list[int]:
    """All cells of a trigger, in order; a trigger that does not match has no g that is 1."""
    assert len(image) == prod(network.shape)
    head = b"".join(n.to_bytes(2, "big") for n in (1, *network.shape, label_field))
    middle, logits = network_cells(network, image)
    matched = output if argument_of_largest(logits) == output else None
    leaf = leaf_cells(head + salt + image)[0]
    return [*image, *salt, *leaf, *middle, *largest_cells(network, logits, matched)]
