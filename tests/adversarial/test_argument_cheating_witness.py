"""One cheating prover for every kind of lookup: everything is consistent but what it breaks.

The evaluator names what is broken (and that nothing else is), the verifier refuses the proof: the
fractions do not add up to zero, so that the relations on the committed cells do not hold.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.argument_case import ArgumentCase, argument_case
from tests.support.small_networks import NetworkBuilder
from zkwm_protocols.argument.ligero.rows import CommittedRows
from zkwm_protocols.argument.relation.blake2s_lookups import BLOCK_CELLS
from zkwm_protocols.argument.verifier import verify
from zkwm_protocols.errors import InvalidOpening
from zkwm_protocols.field.scalar import P
from zkwm_protocols.integer_network.evaluate import walk

Cells = NDArray[np.uint32]
A1, D1, C1, BL1, BH1, A2, D2, C2, BL2, BH2 = range(0, 40, 4)


@pytest.fixture(scope="module")
def case() -> ArgumentCase:
    return argument_case(2)


def leaf_cell(case: ArgumentCase, offset: int, *, block: int = 0, mix: int = 5) -> int:
    return case.relation.leaf.first_cell + BLOCK_CELLS * block + 40 * mix + offset


def network_cell(case: ArgumentCase, node: int, offset: int = 0) -> int:
    return case.relation.network.places[node].cell + offset


def entries(case: ArgumentCase, node: int) -> int:
    return case.relation.network.places[node].entries


def reject(
    case: ArgumentCase,
    change: Callable[[Cells], None],
    intended: tuple[str, str],
    *others: tuple[str, str],
) -> None:
    """The intended lookup is broken, perhaps ``others``, nothing else; the proof is refused."""
    witness = case.with_cells(change)
    broken = {case.place_of(lookup) for lookup, _ in case.violations(witness.cells)}
    assert broken, "the change breaks nothing"
    assert intended in broken, broken
    assert broken <= {intended, *others}, broken
    with pytest.raises(InvalidOpening) as caught:
        verify(case.statement, case.prove(witness).to_bytes())
    assert caught.value.check == "argument.relations"


def add_to(cell: int, amount: int, trigger: int = 1) -> Callable[[Cells], None]:
    def change(cells: Cells) -> None:
        cells[cell, trigger] = (int(cells[cell, trigger]) + amount) % P

    return change


def test_the_honest_witness_breaks_nothing(case: ArgumentCase) -> None:
    assert case.violations(case.witness.cells) == []
    verify(case.statement, case.prove().to_bytes())
    verify(case.statement, case.prove(case.witness).to_bytes())


def test_a_pixel_that_is_no_byte(case: ArgumentCase) -> None:
    reject(
        case,
        add_to(7, 256),
        ("image", "range:8"),
        ("leaf", "carries"),
        *network_tables(case),
    )


def network_tables(case: ArgumentCase) -> list[tuple[str, str]]:
    return [(part, group.table) for part in ("network", "argmax") for group in case.relation.groups]


def test_another_pixel_than_the_committed_one(case: ArgumentCase) -> None:
    change = 1 if case.witness.cells[7, 1] < 255 else -1
    reject(case, add_to(7, change), ("leaf", "carries"), *network_tables(case))


def test_another_salt(case: ArgumentCase) -> None:
    cell = case.relation.image.cell_count - 32
    change = 1 if case.witness.cells[cell, 1] < 255 else -1
    reject(case, add_to(cell, change), ("leaf", "carries"))


def test_a_salt_that_is_no_byte(case: ArgumentCase) -> None:
    cell = case.relation.image.cell_count - 32
    reject(case, add_to(cell, 300), ("image", "range:8"), ("leaf", "carries"))


@pytest.mark.parametrize("offset", [A1, C1, A2, C2])
def test_a_sum_with_a_wrong_carry(case: ArgumentCase, offset: int) -> None:
    """A sum off by 2^16 in its low half: in range only for another carry."""
    cell = leaf_cell(case, offset + 1)

    def change(cells: Cells) -> None:
        cells[cell, 0] = (int(cells[cell, 0]) + 1) % 256

    reject(case, change, ("leaf", "carries"), ("leaf", "xor"), ("leaf", "xor12"), ("leaf", "xor7"))


@pytest.mark.parametrize(
    ("offset", "table"), [(D1, "xor"), (D2, "xor"), (BL1, "xor12"), (BH2, "xor7")]
)
def test_a_wrong_exclusive_or(case: ArgumentCase, offset: int, table: str) -> None:
    # of the last round, so that its result is read by few
    reject(
        case,
        add_to(leaf_cell(case, offset, mix=79), 1),
        ("leaf", table),
        ("leaf", "xor"),
        ("leaf", "xor7"),
        ("leaf", "carries"),
    )


def test_a_split_that_is_only_right_as_a_sum(case: ArgumentCase) -> None:
    """low + 16 high is right, but low is not below 16."""
    low, high = leaf_cell(case, BL1, mix=79), leaf_cell(case, BH1, mix=79)

    def change(cells: Cells) -> None:
        cells[low, 0] = (int(cells[low, 0]) + 16) % P
        cells[high, 0] = (int(cells[high, 0]) - 1) % P

    reject(case, change, ("leaf", "xor12"), ("leaf", "xor7"), ("leaf", "carries"))


def test_a_chaining_value_that_is_not_the_last_blocks(case: ArgumentCase) -> None:
    cell = case.relation.leaf.first_cell + 80 * 40 + 32 + 5

    def change(cells: Cells) -> None:
        cells[cell, 0] ^= 1

    reject(case, change, ("leaf", "xor"), ("leaf", "xor12"), ("leaf", "carries"))


def test_an_image_that_does_not_hash_to_its_leaf(case: ArgumentCase) -> None:
    """All cells are those of another image, hashed honestly: only the leaf is wrong."""
    other = argument_case(2, seed=99, network=case.statement.network)
    with pytest.raises(AssertionError, match="breaks nothing"):
        reject(case, lambda cells: None, ("leaf", "xor"))
    reject(
        case,
        lambda cells: np.copyto(cells[:, 1], other.witness.cells[:, 1]),
        ("leaf", "xor"),
    )


@pytest.mark.parametrize("node", [2, 5])
def test_a_wrong_remainder(case: ArgumentCase, node: int) -> None:
    activation = case.statement.network.nodes[node - 1]
    quotient, remainder = f"network:{activation.table}", f"range:{activation.shift}"
    cell, others = network_cell(case, node), network_tables(case)
    reject(case, add_to(cell, 1), ("network", quotient), *others)
    reject(case, add_to(cell, 1 << activation.shift), ("network", remainder), *others)


def test_a_wrong_activation(case: ArgumentCase) -> None:
    node = 9  # the last activation, without a shift: read by the logits only
    reject(case, add_to(network_cell(case, node), 1), ("network", "network:2"), *argmax(case))


def argmax(case: ArgumentCase) -> list[tuple[str, str]]:
    return [("argmax", group.table) for group in case.relation.argmax.groups]


def test_a_remainder_out_of_range_that_names_another_quotient(case: ArgumentCase) -> None:
    """r + 2^s and q - 1: the same Z, a table entry that exists, a remainder that must not."""
    place = case.relation.network.places[5]
    network = case.statement.network
    shift, table = network.nodes[4].shift, network.tables[network.nodes[4].table]
    values = case.lookup_values(case.witness.cells)
    first = case.relation.first_lookups["network"] + place.lookup + place.entries
    quotients = [int(value[0, 0]) for value in values[first : first + place.entries]]
    signed = [q - P if q > P // 2 else q for q in quotients]
    entry = next(i for i, q in enumerate(signed) if q > table.first)

    def change(cells: Cells) -> None:
        cells[place.cell + entry, 0] += 1 << shift
        cells[place.cell + place.entries + entry, 0] = table.values[signed[entry] - 1 - table.first]

    reject(case, change, ("network", f"range:{shift}"), *network_tables(case))


def test_a_maximum_that_is_too_large(case: ArgumentCase) -> None:
    reject(case, add_to(network_cell(case, 7), 1), ("network", "positive"), *network_tables(case))


@pytest.fixture(scope="module")
def pooled() -> ArgumentCase:
    """A pool of 3 by 3 with stride 2 and pad 1, taken across (node 3) and down (node 4)."""
    builder = NetworkBuilder((1, 7, 8), seed=3)
    first = builder.activation(builder.convolution(0, 2, (2, 2)), 4)
    across = builder.maximum(first, (1, 3), (1, 2), (0, 1, 0, 1))
    down = builder.maximum(across, (3, 1), (2, 1), (1, 0, 1, 0))
    builder.convolution(builder.flatten(down), 3)
    return argument_case(2, network=builder.build())


POSITIVE = ("network", "positive")


@pytest.mark.parametrize(("node", "step", "amount"), [(3, 0, -1), (3, 1, 1), (4, 0, 1), (4, 1, -1)])
def test_a_pool_in_two_steps_with_another_maximum(
    pooled: ArgumentCase, node: int, step: int, amount: int
) -> None:
    """Either step, either difference, more or less than the truth."""
    cell = network_cell(pooled, node, step * entries(pooled, node) + 5)
    reject(pooled, add_to(cell, amount), POSITIVE, *argmax(pooled))


def test_two_differences_of_a_pool_that_are_only_right_as_a_sum(pooled: ArgumentCase) -> None:
    """The maximum, and all that reads it, is the true one."""
    cell = network_cell(pooled, 3, 2)

    def change(cells: Cells) -> None:
        for place, amount in ((cell, 1), (cell + entries(pooled, 3), -1)):
            cells[place, 0] = (int(cells[place, 0]) + amount) % P

    witness = pooled.with_cells(change)
    before, after = (pooled.lookup_values(one.cells) for one in (pooled.witness, witness))
    outside = [
        i for i, pair in enumerate(zip(before, after, strict=True)) if (pair[0] != pair[1]).any()
    ]
    assert {pooled.place_of(lookup) for lookup in outside} == {POSITIVE}
    reject(pooled, change, POSITIVE)


def test_a_false_maximum_across_that_the_step_down_hides(pooled: ArgumentCase) -> None:
    """An entry below its window's maximum is raised: of all lookups only its own is wrong."""
    place = pooled.relation.network.places[3]
    images = pooled.images
    value = {number: found for number, _, found in walk(pooled.statement.network, images)}[3]
    channels, height, width, _ = value.shape
    # an entry of an even row is read by one window down, as its second
    hidden = [
        (c, row, x)
        for c in range(channels)
        for row in range(2, height, 2)
        for x in range(width)
        if value[c, row, x, 0] < value[c, row - 1, x, 0]
    ]
    c, row, x = hidden[0]
    cell = place.cell + place.entries + (c * height + row) * width + x
    witness = pooled.with_cells(add_to(cell, 1, trigger=0))
    assert len(pooled.violations(witness.cells)) == 1
    reject(pooled, add_to(cell, 1, trigger=0), POSITIVE)


def test_a_match_bit_that_is_no_bit(case: ArgumentCase) -> None:
    """g = 2 for one trigger instead of two matches."""
    g = case.relation.argmax.g_cell(case.statement.outputs[0])
    reject(case, add_to(g, 1, trigger=0), ("argmax", "range:1"), *argmax(case))


def test_a_margin_that_is_negative(case: ArgumentCase) -> None:
    """V is below the largest logit, so that its s is -1."""
    highest = argmax(case)[-1]
    reject(case, add_to(case.relation.argmax.first_cell, P - 1), highest, *argmax(case))


def test_a_loser_that_is_claimed_to_win() -> None:
    """g is set for an output that is not the label; all else is consistent."""
    case = argument_case(2, wrong=1)
    g = case.relation.argmax.g_cell(case.statement.outputs[0])
    reject(case, add_to(g, 1, trigger=0), argmax(case)[-1], *argmax(case))


def test_phantom_cells(case: ArgumentCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells behind the last one of a partly filled row, which no lookup reads.

    The row is private: an honest prover has no way to fill it, and should have none.
    """
    layout = case.layout
    assert layout.witness_rows << layout.row_positions_log > layout.cells
    original = CommittedRows.encode

    def fill(rows: CommittedRows) -> NDArray[np.uint32]:
        start = layout.cells % (1 << layout.row_positions_log) * layout.triggers
        rows._last_row[-1, start:] = 12_345
        return original(rows)

    monkeypatch.setattr(CommittedRows, "encode", fill)
    with pytest.raises(InvalidOpening) as caught:
        verify(case.statement, case.prove().to_bytes())
    assert caught.value.check == "argument.relations"
