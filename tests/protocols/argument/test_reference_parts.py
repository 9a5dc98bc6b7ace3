"""The reference verifier piece by piece: field, transcript, relation."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import argument_field as field
from tests.reference.argument_field import ONE, ORDER, ZERO, Element, P
from tests.reference.argument_network import NetworkError, argument_of_largest, read_network, signed
from tests.reference.argument_parameters import Rejected, Sizes
from tests.reference.argument_relation import Relation, evaluate
from tests.reference.argument_replay import Replay
from tests.reference.argument_transcript import Transcript
from tests.reference.argument_witness import fill, leaf_cells, network_cells
from tests.support.reference_networks import (
    convolution,
    every_kind,
    packed,
    public_cells,
    tiny,
)

elements = st.tuples(*[st.integers(0, P - 1)] * 5)


@cache
def rows_of(relation: Relation, table: tuple[str, int]) -> set[tuple[int, ...]]:
    return set(relation.tables[table])


@cache
def readers(relation: Relation) -> dict[int, list[int]]:
    """The lookups that read a cell."""
    result: dict[int, list[int]] = {}
    for u, item in enumerate(relation.lookups):
        for kind, cell in {key for value in item.values for key in value}:
            if kind == "cell":
                result.setdefault(cell, []).append(u)
    return result


def broken(
    relation: Relation, cells: list[int], public: list[int], places: list[int] | None = None
) -> list[int]:
    """The lookups that are not rows of their tables (only those that read one of the places)."""
    assert len(cells) == relation.cell_count
    every: Iterable[int] = range(len(relation.lookups))
    if places is not None:
        every = sorted({u for place in places for u in readers(relation)[place]})
    items = [(u, relation.lookups[u]) for u in every]
    return [
        u
        for u, item in items
        if tuple(evaluate(value, cells, public) for value in item.values)
        not in rows_of(relation, item.table)
    ]


@given(elements, elements, elements)
def test_arithmetic_of_k_obeys_the_axioms(x: Element, y: Element, z: Element):
    assert field.multiply(x, y) == field.multiply(y, x)
    assert field.multiply(field.multiply(x, y), z) == field.multiply(x, field.multiply(y, z))
    products = field.add(field.multiply(x, y), field.multiply(x, z))
    assert field.multiply(x, field.add(y, z)) == products
    assert field.subtract(field.add(x, y), y) == x
    assert field.multiply(x, ONE) == x
    if x != ZERO:
        assert field.multiply(x, field.inverse(x)) == ONE


def test_zero_has_no_inverse():
    with pytest.raises(ZeroDivisionError):
        field.inverse(ZERO)


def test_k_is_a_field_of_p_to_the_fifth():
    x = (0, 1, 0, 0, 0)
    fifth = field.power(x, 5)
    assert field.add(fifth, field.power(x, 2)) == ONE
    # X^5 + X^2 - 1 divides X^(p^5) - X and has no root in F_p: it is irreducible, as 5 is prime,
    # unless it had a factor of degree 1, which the greatest common divisor with X^p - X shows
    assert field.power(x, ORDER) == x
    assert field.power(x, P) != x
    image = field.subtract(field.power(x, P), x)
    assert field.multiply(image, field.inverse(image)) == ONE


def test_roots_of_unity():
    for log in (0, 1, 5, 24):
        root = field.root_of_unity(log)
        assert pow(root, 2**log, P) == 1
        assert log == 0 or pow(root, 2 ** (log - 1), P) == P - 1


@given(st.lists(elements, min_size=3, max_size=3), st.integers(0, 7))
def test_equality_table_numbers_bits_from_the_lowest(point: list[Element], index: int):
    expected = ONE
    for i, coordinate in enumerate(point):
        one = index >> i & 1
        factor = coordinate if one else field.subtract(ONE, coordinate)
        expected = field.multiply(expected, factor)
    assert field.equality_table(point)[index] == expected


@given(st.lists(st.tuples(elements, st.integers(0, P - 1)), max_size=5))
def test_packed_combination_is_the_sum_of_multiples(pairs: list[tuple[Element, int]]):
    expected = field.total(field.scale(factor, x) for x, factor in pairs)
    assert field.combine([field.pack(x) for x, _ in pairs], [f for _, f in pairs]) == expected


def test_elements_in_a_file_are_canonical():
    x = (1, 2, 3, 4, P - 1)
    assert field.elements(field.encode([x, ONE])) == [x, ONE]
    for data in (P.to_bytes(4, "little") * 5, bytes(19), bytes(16)):
        with pytest.raises(ValueError):
            field.elements(data)


def conversation(*, label: str = "round", data: bytes = bytes(40)) -> Transcript:
    transcript = Transcript()
    transcript.say_bytes("protocol", b"zkwm-argument-2")
    transcript.say_elements(label, data)
    return transcript


def test_challenges_depend_on_everything_said_and_on_nothing_else():
    first = conversation().challenge("side", 2)
    assert first == conversation().challenge("side", 2)
    others = [
        conversation(label="rounds").challenge("side", 2),
        conversation(data=bytes(41)).challenge("side", 2),
        conversation().challenge("level", 2),
        conversation().challenge("side", 3)[:2],
    ]
    twice = conversation()
    twice.challenge("side", 2)
    others.append(twice.challenge("side", 2))
    assert all(other != first for other in others)


def test_a_challenge_by_hand():
    said = b"\x01\x01a" + (1).to_bytes(8, "big") + b"x"
    said += b"\x03\x01b" + (8).to_bytes(8, "big") + (1).to_bytes(8, "big")
    stream = hashlib.shake_256(b"zkwm-challenge-1" + hashlib.sha256(said).digest()).digest(400)
    every = (int.from_bytes(stream[i : i + 4], "little") & 0x7FFFFFFF for i in range(0, 400, 4))
    transcript = Transcript()
    transcript.say_bytes("a", b"x")
    assert list(transcript.challenge("b", 1)[0]) == [word for word in every if word < P][:5]


def test_a_coordinate_that_is_zero_is_rejected():
    """q_j = 0 of 17.5, which happens with probability 2^-155 and never to an honest prover."""

    class Zeros(Transcript):
        def challenge(self, label: str, count: int) -> list[Element]:
            return [ZERO if label == "side" else ONE] * count

    with pytest.raises(Rejected, match=r"argument\.tree"):
        Replay(Zeros(), bytes(4000)).tree(2)


def test_indices_are_different_and_ascending():
    indices = conversation().indices("columns", 16, 4)
    assert indices == list(range(16))
    assert len(set(conversation().indices("columns", 100, 10))) == 100


@pytest.mark.parametrize("pixels", [0, 21, 22, 23, 86, 87, 200])
def test_cells_of_the_leaf_end_in_blake2s(pixels: int):
    data = random.Random(pixels).randbytes(42 + pixels)
    assert leaf_cells(data)[1] == hashlib.blake2s(data, person=b"zkwmleaf").digest()


@pytest.mark.parametrize("shape", [[1, 4, 4], [3, 4, 2]])
def test_honest_cells_obey_every_lookup_and_a_wrong_leaf_does_not(shape: list[int]):
    drawn = random.Random(7)
    size = shape[0] * shape[1] * shape[2]
    node = convolution(0, [2, shape[0], shape[1], shape[2]], 6)
    head = {"type": "zkwm-network", "version": 1}
    network = {**head, "shape": shape, "tables": [], "nodes": [node]}
    relation = Relation(read_network(network))
    image, salt = drawn.randbytes(size), drawn.randbytes(32)
    cells = fill(relation.network, image, salt, 0xFFFF, 0)
    public = public_cells(network, 0xFFFF, salt, image)
    assert broken(relation, cells, public) == []
    for place in (0, 1, 2, 33):
        wrong = [byte ^ (i == place) for i, byte in enumerate(public)]
        assert broken(relation, cells, wrong)
    for place in random.Random(1).sample(range(relation.cell_count - 8), 40):
        changed = [cell + (i == place) for i, cell in enumerate(cells)]
        assert broken(relation, changed, public, [place]), place


def test_network_with_every_kind_of_node():
    value = every_kind()
    network = read_network(value)
    relation = Relation(network)
    for seed in range(3):
        drawn = random.Random(seed)
        image, salt = drawn.randbytes(16), drawn.randbytes(32)
        label = argument_of_largest(network_cells(network, image)[1])
        public = public_cells(value, seed, salt, image)
        for output in range(3):
            cells = fill(network, image, salt, seed, output)
            assert broken(relation, cells, public) == []
            assert cells[relation.match_cells[output]] == (output == label)
    cells = fill(network, image, salt, seed, label)
    for place in range(16 + 32 + 3232, relation.cell_count, 5):
        changed = [cell + (i == place) for i, cell in enumerate(cells)]
        assert broken(relation, changed, public, [place]), place


def test_convolution_is_that_of_a_loop():
    """Cross-correlation with padding, stride, dilation and groups, from its definition."""
    value = every_kind()
    network = read_network(value)
    image = bytes(range(0, 160, 10))
    weights = signed(value["nodes"][0]["weights"], 2)

    def pixel(y: int, x: int) -> int:
        return image[4 * y + x] if 0 <= y < 4 and 0 <= x < 4 else 0

    places = [(i, j) for i in range(3) for j in range(2)]
    expected = [
        sum(weights[6 * o + 2 * i + j] * pixel(y + i - 1, x + 2 * j) for i, j in places)
        + 17 * (12 * o + 3 * y + x)
        - 300
        for o in range(2)
        for y in range(4)
        for x in range(3)
    ]
    cells, _ = network_cells(network, image)
    assert cells[:24] == [(z + 16) % 32 for z in expected]
    assert cells[24:48] == [max(0, min(255, (z + 16) // 32)) for z in expected]


@pytest.mark.parametrize("weights", [[1, 1], [2, 3, 3], [0, 0, 0, 0, 0], [-1, -2, -1], [5, 4]])
def test_only_the_first_of_the_largest_logits_can_match(weights: list[int]):
    value = tiny(len(weights), weights)
    network = read_network(value)
    relation = Relation(network)
    image, salt = bytes([7]), bytes(32)
    public = public_cells(value, 3, salt, image)
    label = weights.index(max(weights))
    for output in range(len(weights)):
        cells = fill(network, image, salt, 3, output)
        assert broken(relation, cells, public) == []
        assert cells[relation.match_cells[output]] == (output == label)
        if output != label:
            forged = list(cells)
            forged[relation.match_cells[output]] = 1
            assert broken(relation, forged, public)


def test_the_claimed_top_cannot_be_another():
    value = tiny(3, [1, 2, 3])
    network = read_network(value)
    relation = Relation(network)
    public = public_cells(value, 0, bytes(32), b"\x09")
    top = relation.match_cells[0] - 1
    for output, place in ((0, 0), (1, 1)):
        cells = fill(network, b"\x09", bytes(32), 0, output)
        cells[relation.match_cells[place]] = 1
        for claimed in range(100):
            cells[top] = claimed
            assert broken(relation, cells, public, [top])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "network"}, "another type"),
        ({"version": 2}, "out of range"),
        ({"shape": [2, 4, 4]}, "1 or 3"),
        ({"nodes": []}, "nodes"),
    ],
)
def test_networks_that_are_refused(change: dict[str, Any], message: str):
    with pytest.raises(NetworkError, match=message):
        read_network({**every_kind(), **change})


@pytest.mark.parametrize(
    ("node", "change", "message"),
    [
        (0, {"weights": packed([512] * 12, 2)}, "too large"),
        (0, {"bias": bytes(4)}, "biases"),
        (0, {"groups": 2}, "channels"),
        (0, {"dilation": [9, 1]}, "larger than its source"),
        (1, {"table": 1}, "begins too late"),
        (1, {"source": 2}, "out of range"),
        (2, {"source": 1}, "not bytes"),
        (3, {"shift": 17}, "out of range"),
        (9, {"sources": [8, 6]}, "shapes of a sum"),
        (9, {"sources": [8, 8]}, "not used"),
        (10, {"shape": [12, 1, 1]}, "entries"),
        (11, {"bias": packed([2**30] * 3, 4)}, "too large"),
        (11, {"bias": packed([2**27] * 3, 4)}, "logits"),
    ],
)
def test_nodes_that_are_refused(node: int, change: dict[str, Any], message: str):
    value = every_kind()
    value["nodes"][node].update(change)
    with pytest.raises(NetworkError, match=message):
        read_network(value)


def test_sizes_of_a_small_statement():
    folds = ((3, 12, 160), (2, 10, 160))
    sizes = Sizes(2, cells=3400, lookups=1500, rows=200_000, a=9, k=13, t=170, folds=folds)
    assert (sizes.row_length, sizes.witness_rows, sizes.multiplicity_log) == (1024, 7, 10)
    assert (sizes.u, sizes.chunks, sizes.levels, sizes.h) == (11, 98, 18, 512)
    assert sizes.table_rows == 196 * 1024
    assert sizes.within_limits()
    assert not replace(sizes, a=8).within_limits()
    assert not replace(sizes, k=11).within_limits()
    wide = replace(sizes, a=11, k=14, t=512)
    assert wide.h == 512
    assert wide.within_limits()
    assert not replace(wide, t=513).within_limits()
    assert sizes.soundness() < Fraction(1, 2**120) < replace(sizes, t=140).soundness()
