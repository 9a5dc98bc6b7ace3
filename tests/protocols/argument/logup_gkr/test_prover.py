"""The tree's prover against a slow tree and sumcheck over 5-tuples, and an honest verification."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
import pytest

from tests.support.forged_tree import ForgedTree
from zkwm_protocols.argument.logup_gkr.blocks import (
    Lookups,
    lookup_table,
    table_block,
)
from zkwm_protocols.argument.logup_gkr.level import LevelProver
from zkwm_protocols.argument.logup_gkr.prover import TreeProver
from zkwm_protocols.field import scalar, vector
from zkwm_protocols.field.kernels.montgomery import to_montgomery
from zkwm_protocols.field.scalar import ONE, ZERO, Element, P, add, constant, multiply, subtract

Node = tuple[Element, Element]


class Case:
    """Random lookups of random rows; U and b' as small as fits, or with ``spare`` bits in U."""

    def __init__(
        self, triggers: int, lookups: int, table_rows: int, seed: int, spare: int = 0
    ) -> None:
        self.random = random.Random(seed)
        generator = np.random.default_rng(seed)
        self.rows = generator.integers(0, table_rows, (triggers, lookups)).astype(np.int32)
        self.table = generator.integers(0, P, (5, table_rows), dtype=np.uint64)
        self.table[:, 0] = P - 1
        self.multiplicities = np.bincount(self.rows.ravel(), minlength=table_rows)
        self.columns_log = max(1, (lookups - 1).bit_length()) + spare
        self.chunks = -(-table_rows // (1 << self.columns_log))
        self.rows_log = (triggers + self.chunks - 1).bit_length()
        self.leaves: vector.Array | None = None

    def element(self) -> Element:
        a = [self.random.randrange(P) for _ in range(5)]
        return (a[0], a[1], a[2], a[3], a[4])

    def prover(self) -> TreeProver:
        arguments = (self.rows, self.table, self.multiplicities, self.columns_log, self.rows_log)
        return (
            TreeProver(*arguments) if self.leaves is None else ForgedTree(self.leaves, *arguments)
        )

    def slow_leaves(self) -> list[Node]:
        """Leaf u + 2^U b, with all padding."""
        triggers, lookups = self.rows.shape
        size = 1 << self.columns_log
        nodes = [(ZERO, ZERO)] * (size << self.rows_log)
        for b in range(triggers):
            for u in range(lookups):
                d = self.table[:, self.rows[b, u]]
                if self.leaves is not None:
                    d = self.leaves[:, b, u]
                nodes[u + size * b] = (ONE, vector.to_element(d))
        for j in range(self.table.shape[1]):
            n = constant(-int(self.multiplicities[j]))
            nodes[size * triggers + j] = (n, vector.to_element(self.table[:, j]))
        return nodes


def slow_parent(left: Node, right: Node) -> Node:
    (n0, d0), (n1, d1) = left, right
    n = add(multiply(n0, add(ONE, d1)), multiply(n1, add(ONE, d0)))
    return n, add(add(d0, d1), multiply(d0, d1))


def slow_tree(leaves: list[Node]) -> list[list[Node]]:
    """Levels from the root."""
    levels = [leaves]
    while len(levels[0]) > 1:
        below = levels[0]
        levels.insert(0, [slow_parent(*below[i : i + 2]) for i in range(0, len(below), 2)])
    return levels


def extension(values: list[Element], point: list[Element]) -> Element:
    for r in point:
        values = [
            add(low, multiply(r, subtract(high, low)))
            for low, high in zip(values[::2], values[1::2], strict=True)
        ]
    return values[0]


def gate(n0: Element, d0: Element, n1: Element, d1: Element, challenge: Element) -> Element:
    """F of SPEC.md 17.5."""
    f = add(add(n0, n1), multiply(challenge, add(d0, d1)))
    f = add(f, add(multiply(n0, d1), multiply(n1, d0)))
    return add(f, multiply(challenge, multiply(d0, d1)))


def slow_round(
    arrays: list[list[Element]], later: list[Element], challenge: Element
) -> tuple[Element, Element]:
    """h(0) and the coefficient of X^2, from h(0), h(1) and h(2)."""
    table = vector.equality_table(later)
    values = []
    for x in (0, 1, 2):
        total = ZERO
        for i in range(table.shape[1]):
            at = [
                add(array[2 * i], scalar.scale(subtract(array[2 * i + 1], array[2 * i]), x))
                for array in arrays
            ]
            weight = vector.to_element(table[:, i])
            total = add(total, multiply(weight, gate(at[0], at[1], at[2], at[3], challenge)))
        values.append(total)
    second = add(subtract(values[2], scalar.scale(values[1], 2)), values[0])
    return values[0], scalar.scale(second, (P + 1) // 2)


def check_level(
    case: Case,
    prover: TreeProver,
    below: list[Node],
    point: list[Element],
    challenge: Element | None = None,
) -> Node:
    """One level, message by message; returns what the children's claims must be checked against."""
    challenge = challenge or case.element()
    level = prover.level(len(point), point, challenge)
    arrays = [
        [node[0] for node in below[::2]], [node[1] for node in below[::2]],
        [node[0] for node in below[1::2]], [node[1] for node in below[1::2]],
    ]  # fmt: skip
    claim = ZERO
    table = vector.equality_table(point)
    for i in range(len(below) // 2):
        parent = slow_parent(below[2 * i], below[2 * i + 1])
        combined = add(parent[0], multiply(challenge, parent[1]))
        claim = add(claim, multiply(vector.to_element(table[:, i]), combined))
    challenges = []
    for j in range(len(point)):
        at_zero, at_infinity = level.round()
        assert (at_zero, at_infinity) == slow_round(arrays, point[j + 1 :], challenge)
        # the verifier's step
        at_one = multiply(
            subtract(claim, multiply(subtract(ONE, point[j]), at_zero)), scalar.inverse(point[j])
        )
        linear = subtract(subtract(at_one, at_zero), at_infinity)
        r = case.element()
        claim = add(at_zero, multiply(r, add(linear, multiply(r, at_infinity))))
        level.bind(r)
        arrays = [
            [
                add(array[i], multiply(r, subtract(array[i + 1], array[i])))
                for i in range(0, len(array), 2)
            ]
            for array in arrays
        ]
        challenges.append(r)
    n0, d0, n1, d1 = level.children()
    assert (n0, d0, n1, d1) == tuple(array[0] for array in arrays)
    assert claim == gate(n0, d0, n1, d1, challenge)
    mu = case.element()
    point[:] = [mu, *challenges]
    return (
        add(n0, multiply(mu, subtract(n1, n0))),
        add(d0, multiply(mu, subtract(d1, d0))),
    )


def check(case: Case) -> TreeProver:
    levels = slow_tree(case.slow_leaves())
    prover = case.prover()
    assert (prover.root_numerator(), prover.root_denominator()) == levels[0][0]
    point: list[Element] = []
    claims = levels[0][0]
    for level in range(case.columns_log + case.rows_log):
        claims = check_level(case, prover, levels[level + 1], point)
        assert claims[0] == extension([node[0] for node in levels[level + 1]], point)
    assert claims[1] == extension([node[1] for node in levels[-1]], point)
    return prover


@pytest.mark.parametrize(
    ("triggers", "lookups", "table_rows", "spare"),
    [
        (1, 1, 1, 0), (1, 2, 1, 0), (2, 1, 3, 1), (1, 3, 2, 2), (3, 2, 7, 0), (2, 5, 5, 0),
        (5, 7, 9, 0), (7, 8, 40, 0), (8, 3, 5, 3), (3, 13, 64, 0),
        # rows longer than those that are joined: numerators 1 at the leaves, and their edges
        (1, 1, 2, 6), (2, 3, 2, 5), (1, 50, 3, 0), (3, 63, 70, 0), (1, 64, 2, 0), (1, 127, 9, 0),
        (1, 128, 9, 0), (2, 129, 30, 0),
    ],
)  # fmt: skip
def test_every_message_is_the_slow_provers(
    triggers: int, lookups: int, table_rows: int, spare: int
) -> None:
    prover = check(Case(triggers, lookups, table_rows, 1000 * triggers + lookups, spare))
    assert prover.root_numerator() == ZERO


@pytest.mark.parametrize("lookups", [1, 2, 1021, 1024, 4095, 4097, 8190])
@pytest.mark.parametrize("triggers", [1, 5])
def test_numerators_1_give_the_general_messages(triggers: int, lookups: int) -> None:
    """The leaf level both ways, at lengths around a line and a chunk, and in rows hardly filled."""
    case = Case(triggers, lookups, 700, lookups, 13 - max(1, (lookups - 1).bit_length()))
    lookup_d = Lookups(case.rows, lookup_table(to_montgomery(case.table)))
    tables = table_block(to_montgomery(case.table), case.multiplicities, 1, 13)
    point = [case.element() for _ in range(12 + case.rows_log)]
    challenge = case.element()
    short, general = (
        LevelProver([lookup_d, tables], 0, point, challenge, case.rows_log, general=way)
        for way in (False, True)
    )
    for _ in point:
        assert short.round() == general.round()
        r = case.element()
        short.bind(r)
        general.bind(r)
    assert short.children() == general.children()


def test_a_challenge_of_0_needs_the_general_form() -> None:
    """lambda = 0 has no inverse; no transcript draws it, but no prover may stumble."""
    case = Case(2, 50, 9, 3)
    prover = case.prover()
    below = slow_tree(case.slow_leaves())[-1]
    for level in range(case.columns_log + case.rows_log):
        point = [case.element() for _ in range(level)]
        if level == case.columns_log + case.rows_log - 1:
            check_level(case, prover, below, point, ZERO)
        else:
            prover.level(level, point, ONE)


def test_memory_a_lookup() -> None:
    """The estimate counts 11 bytes a lookup for the tree, beside its row number."""
    case = Case(8, 30_000, 50, 2)
    tracemalloc.start()
    try:
        prover = case.prover()
        for level in range(case.columns_log + case.rows_log):
            point = [case.element() for _ in range(level)]
            proving = prover.level(level, point, case.element())
            for r in point:
                proving.bind(r)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12.5 * case.rows.size, peak / case.rows.size


def test_lines_and_tasks_join() -> None:
    """More columns than a line and than a task's chunk, against the verifier's checks alone."""
    case = Case(3, 5001, 300, 1)
    prover = case.prover()
    point: list[Element] = []
    n, d = prover.root_numerator(), prover.root_denominator()
    assert n == ZERO
    for number in range(case.columns_log + case.rows_log):
        challenge = case.element()
        level = prover.level(number, point, challenge)
        claim = add(n, multiply(challenge, d))
        challenges = []
        for q in point:
            at_zero, at_infinity = level.round()
            at_one = multiply(
                subtract(claim, multiply(subtract(ONE, q), at_zero)), scalar.inverse(q)
            )
            linear = subtract(subtract(at_one, at_zero), at_infinity)
            r = case.element()
            claim = add(at_zero, multiply(r, add(linear, multiply(r, at_infinity))))
            level.bind(r)
            challenges.append(r)
        n0, d0, n1, d1 = level.children()
        assert claim == gate(n0, d0, n1, d1, challenge)
        mu = case.element()
        point = [mu, *challenges]
        n = add(n0, multiply(mu, subtract(n1, n0)))
        d = add(d0, multiply(mu, subtract(d1, d0)))
    columns = vector.equality_table(point[: case.columns_log])
    rows = vector.equality_table(point[case.columns_log :])
    expected = ZERO
    ones = ZERO
    for b in range(3):
        part = columns[:, :5001]
        weight = vector.to_element(rows[:, b])
        both = vector.multiply(part, case.table[:, case.rows[b]])
        expected = add(expected, multiply(weight, vector.sum_all(both)))
        ones = add(ones, multiply(weight, vector.sum_all(part)))
    weight = vector.to_element(rows[:, 3])
    part = columns[:, :300]
    table = vector.sum_all(vector.multiply(part, case.table))
    counts = vector.multiply_base(part, vector.from_integers(-case.multiplicities))
    assert d == add(expected, multiply(weight, table))
    assert n == add(ones, multiply(weight, vector.sum_all(counts)))


def test_a_wrong_multiplicity_shows_in_the_root() -> None:
    case = Case(3, 5, 7, 5)
    case.multiplicities[2] += 1
    prover = check(case)
    assert prover.root_numerator() != ZERO


def test_a_false_lookup_shows_in_the_root() -> None:
    case = Case(3, 5, 7, 6)
    case.leaves = case.table[:, case.rows].copy()
    assert case.prover().root_numerator() == ZERO
    case.leaves[0, 1, 2] = (case.leaves[0, 1, 2] + 1) % P
    prover = check(case)
    assert prover.root_numerator() != ZERO


def test_numerators_near_p() -> None:
    case = Case(2, 4, 4, 7)
    case.multiplicities = np.array([P - 1, 0, 1, P - 2])
    case.table[:] = P - 1
    check(case)


def test_levels_come_in_order_and_once() -> None:
    prover = Case(2, 3, 4, 8).prover()
    with pytest.raises(ValueError, match="next"):
        prover.level(1, [ONE], ONE)
    with pytest.raises(ValueError, match="next"):
        prover.level(0, [ONE], ONE)
    root = prover.level(0, [], ONE)
    for step in (root.round, lambda: root.bind(ONE)):
        with pytest.raises(ValueError, match="over"):
            step()
    with pytest.raises(ValueError, match="next"):
        prover.level(0, [], ONE)
    with pytest.raises(ValueError, match="left"):
        prover.level(1, [ONE], ONE).children()


@pytest.mark.parametrize("fault", ["columns", "rows", "leaves", "row", "negative"])
def test_what_does_not_fit_is_refused(fault: str) -> None:
    case = Case(2, 3, 4, 9)
    if fault == "columns":
        case.columns_log = 1
    if fault == "rows":
        case.rows_log = 1
    if fault == "leaves":
        case.leaves = np.zeros((5, 2, 4), dtype=np.uint64)
    if fault in {"row", "negative"}:
        case.rows[1, 1] = 4 if fault == "row" else -1
    with pytest.raises(ValueError):
        case.prover()
