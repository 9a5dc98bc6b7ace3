"""Cells and lookups of SPEC.md section 17.3, in plain Python.

Every value is an affine expression: a dictionary from ("cell", j), ("public", i) or ("one", 0) to
an integer modulo p. The relation of a network is the list of its lookups; nothing here knows a
proof, and nothing fills cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from tests.reference.argument_field import Element, P, add, multiply, scale
from tests.reference.argument_network import Network, demand, linear, sources, windows
from tests.reference.argument_tables import CARRIES, POSITIVE, XOR, XOR7, XOR12, Row, Table, tables

Key = tuple[str, int]
Affine = Mapping[Key, int]
Word = Sequence[Affine]

UNIT: Key = ("one", 0)
PUBLIC_CELLS = 34

INITIAL = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A]
INITIAL += [0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
SCHEDULE = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
MIXED = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
MIXED += [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]


def weighted(terms: Iterable[tuple[int, Affine]], offset: int = 0) -> Affine:
    """The sum of factors times expressions, plus a constant."""
    result: dict[Key, int] = {UNIT: offset % P}
    for factor, expression in terms:
        for key, coefficient in expression.items():
            result[key] = (result.get(key, 0) + factor * coefficient) % P
    return {key: coefficient for key, coefficient in result.items() if coefficient}


def number(value: int) -> Affine:
    """A constant as an expression."""
    return weighted([], value)


def word(value: int) -> Word:
    """A constant of 32 bits as four bytes, the least significant first."""
    return [number(byte) for byte in value.to_bytes(4, "little")]


def evaluate(expression: Affine, cells: Sequence[int], public: Sequence[int]) -> int:
    """The value of an expression in one trigger's cells and public cells."""
    places = {"cell": cells, "public": public, "one": [1]}
    return sum(factor * places[name][i] for (name, i), factor in expression.items()) % P


@dataclass(frozen=True)
class Lookup:
    """Values that are claimed to be a row of a table."""

    table: Table
    values: tuple[Affine, ...]


class Relation:
    """The lookups of one trigger of a network, in order, and the tables that they need."""

    def __init__(self, network: Network) -> None:
        """Build everything; raises `NetworkError` if the tables have too many rows together."""
        self.network = network
        self.cell_count = 0
        self.lookups: list[Lookup] = []
        pixels = self._cells(prod(network.shape))
        salt = self._cells(32)
        for cell in pixels + salt:
            self._lookup(("range", 8), cell)
        self._leaf(pixels, salt)
        self.match_cells: list[int] = []  # of g_0, g_1, ...
        self._largest(self._logits(pixels))
        self.tables = tables(network, {item.table[1] for item in self._ranges()})
        demand(sum(map(len, self.tables.values())) <= 2**22, "the tables have too many rows")

    def _ranges(self) -> list[Lookup]:
        return [item for item in self.lookups if item.table[0] == "range"]

    def _cells(self, count: int) -> list[Affine]:
        first = self.cell_count
        self.cell_count += count
        return [{("cell", first + i): 1} for i in range(count)]

    def _lookup(self, table: Table, *values: Affine) -> None:
        self.lookups.append(Lookup(table, values))

    # --- the leaf ---

    def _leaf(self, pixels: list[Affine], salt: list[Affine]) -> None:
        head = b"".join(size.to_bytes(2, "big") for size in (1, *self.network.shape))
        label = [{("public", 0): 1}, {("public", 1): 1}]
        data: list[Affine] = [*map(number, head), *label, *salt, *pixels]
        chaining = [word(value) for value in INITIAL]
        parameters = {0: 0x01010020, 6: int.from_bytes(b"zkwm", "little")}
        parameters[7] = int.from_bytes(b"leaf", "little")
        for i, value in parameters.items():
            chaining[i] = word(INITIAL[i] ^ value)
        blocks = -(-len(data) // 64)
        padded = data + [number(0)] * (64 * blocks - len(data))
        for block in range(blocks):
            last = block == blocks - 1
            message = padded[64 * block : 64 * block + 64]
            end = len(data) if last else 64 * (block + 1)
            chaining = self._compress(chaining, message, end, last)

    def _compress(self, h: list[Word], message: list[Affine], end: int, last: bool) -> list[Word]:
        tail = list(INITIAL)
        tail[4] ^= end % 2**32
        tail[5] ^= end >> 32
        tail[6] ^= 0xFFFFFFFF if last else 0
        v = [*h, *map(word, tail)]
        words = [message[i : i + 4] for i in range(0, 64, 4)]
        for schedule in SCHEDULE:
            for i, (a, b, c, d) in enumerate(MIXED):
                x, y = words[schedule[2 * i]], words[schedule[2 * i + 1]]
                v[a], v[b], v[c], v[d] = self._mix(v[a], v[b], v[c], v[d], x, y)
        halves = self._words(8)
        digest: list[Word] = [[{("public", 2 + 4 * i + k): 1} for k in range(4)] for i in range(8)]
        new = digest if last else self._words(8)
        for i in range(8):
            for k in range(4):
                self._lookup(XOR, v[i][k], v[i + 8][k], halves[i][k])
        for i in range(8):
            for k in range(4):
                self._lookup(XOR, h[i][k], halves[i][k], new[i][k])
        return new

    def _words(self, count: int) -> list[Word]:
        return [self._cells(4) for _ in range(count)]

    def _mix(self, a: Word, b: Word, c: Word, d: Word, x: Word, y: Word) -> tuple[Word, ...]:
        a1, d1, c1, low1, high1, a2, d2, c2, low2, high2 = self._words(10)
        for k in range(4):
            self._lookup(XOR, d[k], a1[k], d1[k])
        for k in range(4):
            self._lookup(XOR12, b[k], c1[k], low1[k], high1[k])
        half_d = [d1[(k + 2) % 4] for k in range(4)]
        half_b = [weighted([(1, high1[(k + 1) % 4]), (16, low1[(k + 2) % 4])]) for k in range(4)]
        for k in range(4):
            self._lookup(XOR, half_d[k], a2[k], d2[k])
        for k in range(4):
            self._lookup(XOR7, half_b[k], c2[k], low2[k], high2[k])
        new_d = [d2[(k + 1) % 4] for k in range(4)]
        new_b = [weighted([(2, low2[(k + 1) % 4]), (1, high2[k])]) for k in range(4)]
        sums = [_carries([a, b, x], a1), _carries([c, half_d], c1)]
        sums += [_carries([a1, half_b, y], a2), _carries([c1, new_d], c2)]
        self._lookup(CARRIES, *(carry for pair in sums for carry in pair))
        return a2, new_b, c2, new_d

    # --- the network ---

    def _logits(self, pixels: list[Affine]) -> list[Affine]:
        shapes = self.network.shapes
        values = [pixels]
        for node in self.network.nodes:
            read = sources(node)
            first = values[read[0]]
            if node["kind"] == "activation":
                values.append(self._activation(first, node["shift"], ("network", node["table"])))
            elif node["kind"] == "maximum":
                under = windows(shapes[read[0]], node["kernel"], node, [1, 1])
                values.append(self._maximum(first, shapes[read[0]], under))
            else:
                given = [values[source] for source in read]
                values.append(linear(node, [shapes[s] for s in read], given, weighted))
        return values[-1]

    def _activation(self, source: list[Affine], shift: int, table: Table) -> list[Affine]:
        remainders = self._cells(len(source)) if shift else []
        results = self._cells(len(source))
        for remainder in remainders:
            self._lookup(("range", shift), remainder)
        quotients: list[Affine] = source
        if shift:
            fraction = pow(2**shift, -1, P)
            quotients = [
                weighted([(fraction, z), (-fraction, r)], fraction * 2 ** (shift - 1))
                for z, r in zip(source, remainders, strict=True)
            ]
        for quotient, result in zip(quotients, results, strict=True):
            self._lookup(table, quotient, result)
        return results

    def _maximum(
        self,
        source: list[Affine],
        shape: tuple[int, int, int],
        under: list[list[tuple[int, int] | None]],
    ) -> list[Affine]:
        entries = []  # of every window in turn
        for channel in range(shape[0]):
            for places in under:
                start = channel * shape[1] * shape[2]
                at = [None if p is None else start + p[0] * shape[2] + p[1] for p in places]
                entries.append([number(0) if i is None else source[i] for i in at])
        largest = [window[0] for window in entries]
        for i in range(1, len(under[0])):
            growth = self._cells(len(entries))
            for place, window in enumerate(entries):
                excess = weighted([(1, window[i]), (-1, largest[place])])
                self._lookup(POSITIVE, excess, growth[place])
                largest[place] = weighted([(1, largest[place]), (1, growth[place])])
        return largest

    # --- the largest logit ---

    def _largest(self, logits: list[Affine]) -> None:
        count = len(logits)
        bits = max(1, (2 * count * self.network.largest_logit + count - 1).bit_length())
        limbs = -(-bits // 8)
        distinct = [weighted([(count, z)], count - 1 - i) for i, z in enumerate(logits)]
        (top,) = self._cells(1)
        self.match_cells = list(range(self.cell_count, self.cell_count + count))
        matches = self._cells(count)
        first = [self._cells(count) for _ in range(limbs - 1)]
        second = [self._cells(count) for _ in range(limbs - 1)]
        for match in matches:
            self._lookup(("range", 1), match)
        slack = [weighted([(1, top), (-1, z)]) for z in distinct]
        full = 2**bits - 1
        reverse = [
            weighted([(-full, match), (-1, s)], full)
            for match, s in zip(matches, slack, strict=True)
        ]
        for cells, wholes in ((first, slack), (second, reverse)):
            for limb in cells:
                for cell in limb:
                    self._lookup(("range", 8), cell)
            fraction = pow(256 ** (limbs - 1), -1, P)
            for i, whole in enumerate(wholes):
                lower = [(-(256**e) * fraction, limb[i]) for e, limb in enumerate(cells)]
                highest = weighted([(fraction, whole), *lower])
                self._lookup(("range", bits - 8 * (limbs - 1)), highest)

    # --- the gradient ---

    def gradient(self, weights: Sequence[Element], alpha: Element) -> dict[Key, Element]:
        """The sum over lookups u of weights[u] (tag + alpha v_1 + alpha^2 v_2 + ...), as an
        expression over K; what stands at the key ("one", 0) is its constant.

        The tag of a table is its place in ``tables``, from 1.
        """
        tags = {table: tag for tag, table in enumerate(self.tables, start=1)}
        result: dict[Key, Element] = {}

        def accumulate(key: Key, value: Element) -> None:
            result[key] = add(result[key], value) if key in result else value

        for weight, item in zip(weights, self.lookups, strict=True):
            accumulate(UNIT, scale(tags[item.table], weight))
            for value in item.values:
                weight = multiply(weight, alpha)
                for key, coefficient in value.items():
                    accumulate(key, scale(coefficient, weight))
        return result

    def rows(self) -> list[Row]:
        """All table rows in sequence, each with the tag of its table in front."""
        return [(tag, *row) for tag, rows in enumerate(self.tables.values(), 1) for row in rows]


def _carries(operands: list[Word], result: Word) -> tuple[Affine, Affine]:
    """The carries out of the low and the high half of a sum of words."""
    fraction = pow(2**16, -1, P)
    low = [(factor, w[k]) for w in operands for k, factor in ((0, fraction), (1, 256 * fraction))]
    high = [(factor, w[k]) for w in operands for k, factor in ((2, fraction), (3, 256 * fraction))]
    low += [(-fraction, result[0]), (-256 * fraction, result[1])]
    high += [(-fraction, result[2]), (-256 * fraction, result[3])]
    first = weighted(low)
    return first, weighted([*high, (fraction, first)])
