"""The Ligero commitment of SPEC.md 17.7: honest ones pass, every deviation fails its own check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.commitment_case import (
    SIZES,
    Case,
    Exchange,
    SeededStream,
    make_case,
    run_exchange,
)
from zkwm_protocols.argument.ligero import rows as tableau
from zkwm_protocols.argument.parameters import MASK_DOT_A, MASK_LOW, MASK_PADS_B, PRODUCT
from zkwm_protocols.argument.prover_randomness import RandomStream
from zkwm_protocols.errors import InvalidOpening, UsageError
from zkwm_protocols.field.polynomial import Points
from zkwm_protocols.field.scalar import P, root_of_unity
from zkwm_protocols.field.vector import powers_base, to_element


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case()


@pytest.fixture(scope="module")
def honest(case: Case) -> Exchange:
    return run_exchange(case)


def assert_fails(exchange: Exchange, equation: str) -> None:
    """The columns are those of the root, and this equation is the first that does not hold."""
    exchange.check_columns()
    assert exchange.failing()[0] == equation


def assert_holds(exchange: Exchange) -> None:
    exchange.check_columns()
    assert exchange.failing() == []


def assert_other_columns(exchange: Exchange) -> None:
    with pytest.raises(InvalidOpening) as caught:
        exchange.check_columns()
    assert caught.value.check == "argument.columns"


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("seed", [1, 2])
def test_honest_commitments_are_accepted(size: Any, seed: int) -> None:
    case = make_case(size, seed)
    assert_holds(run_exchange(case, RandomStream(bytes(32), b"statement", b"witness")))


def test_boundary_values_are_accepted() -> None:
    case = make_case()
    for value in (0, P - 1):
        extreme = replace(
            case,
            cells=np.full_like(case.cells, value),
            multiplicities=np.full_like(case.multiplicities, value),
            pads=np.full_like(case.pads, value),
            left=np.full_like(case.left, value),
            right=np.full_like(case.right, value),
        ).with_constant_of()
        assert_holds(run_exchange(extreme))


@pytest.mark.parametrize("size", SIZES[1:3], ids=str)
def test_the_committed_columns_are_values_of_the_rows(size: Any) -> None:
    """Row i has cell (b, j) at coefficient b + n (j - i 2^a); its codeword is at 3 w^c."""
    case = make_case(size)
    layout = case.layout
    exchange = run_exchange(case)
    rows = tableau.CommittedRows(layout, case.values, SeededStream(1))
    tails = SeededStream(1).elements(layout.witness_rows * layout.columns)
    terms = layout.row_length + layout.columns
    expected = np.zeros((layout.witness_rows, terms), dtype=np.uint64)
    for j in range(layout.cells):
        i, p = divmod(j, 1 << layout.row_positions_log)
        for b in range(layout.triggers):
            expected[i, b + layout.triggers * p] = case.cells[j, b]
    expected[:, layout.row_length :] = tails.reshape(layout.witness_rows, -1)
    places = [3 * pow(root_of_unity(layout.code_log), int(c), P) % P for c in exchange.indices]
    points = Points(np.array(places, dtype=np.uint64), terms)
    found = exchange.opened.cells.T
    assert np.array_equal(points.evaluate(expected), found[: layout.witness_rows])
    for i, row in enumerate(rows.extension):
        start = layout.base_rows - 50 + 5 * i
        assert np.array_equal(points.evaluate(row), found[start : start + 5])
    values = Points(powers_base(_root(layout.pad_row), layout.pad_row)[:, 0], terms)
    for i, cells in ((6, case.pads), (7, case.left), (8, case.right)):
        assert np.array_equal(values.evaluate(rows.extension[i]), cells)


def _root(h: int) -> Any:
    return np.array([root_of_unity(h.bit_length() - 1)], dtype=np.uint64)


@pytest.mark.parametrize("field", ["cells", "multiplicities", "pads", "left", "right"])
def test_a_wrong_cell_is_refused(case: Case, field: str) -> None:
    changed = getattr(case, field).copy()
    changed[(0,) * changed.ndim] = (int(changed[(0,) * changed.ndim]) + 1) % P
    assert_fails(run_exchange(replace(case, **{field: changed})), "relations")


def test_the_last_cells_count(case: Case) -> None:
    for field in ("cells", "multiplicities"):
        changed = getattr(case, field).copy()
        changed[(-1,) * changed.ndim] = (int(changed[(-1,) * changed.ndim]) + 1) % P
        assert_fails(run_exchange(replace(case, **{field: changed})), "relations")


def test_another_constant_is_refused(honest: Exchange) -> None:
    claim = honest.case.claim
    other = replace(claim, constant=((claim.constant[0] + 1) % P, *claim.constant[1:]))
    assert_fails(replace(honest, case=replace(honest.case, claim=other)), "relations")


@pytest.mark.parametrize(
    ("field", "place", "check"),
    [
        ("low", 0, "low"),
        ("low", -1, "low"),
        ("dot", 0, "dot"),
        ("dot", -1, "dot"),
        ("pads", 1, "pads"),
        ("pads", -1, "pads"),
        ("product", 0, "product"),
        ("product", -1, "product"),
    ],
)
def test_a_wrong_polynomial_is_refused(
    honest: Exchange, field: str, place: int, check: str
) -> None:
    for coefficient in range(5):
        changed = getattr(honest.combined, field).copy()
        changed[coefficient, place] = (changed[coefficient, place] + np.uint64(1)) % np.uint64(P)
        assert_fails(honest.with_combined(**{field: changed}), check)


def test_the_claim_cannot_be_repaired_in_the_polynomials(case: Case) -> None:
    """With a wrong cell and ``dot`` or ``pads`` changed so that the relations hold."""
    changed = case.cells.copy()
    changed[0, 0] = (int(changed[0, 0]) + 1) % P
    exchange = run_exchange(replace(case, cells=changed))
    h, r = case.layout.pad_row, case.layout.row_length
    sent = exchange.combined
    found = [int(sent.dot[c, r - 1]) + h * int(sent.pads[c, ::h].sum()) for c in range(5)]
    missing = np.array(
        [(want - have) % P for want, have in zip(case.claim.constant, found, strict=True)],
        dtype=np.uint64,
    )
    dot = sent.dot.copy()
    dot[:, r - 1] = (dot[:, r - 1] + missing) % np.uint64(P)
    assert_fails(exchange.with_combined(dot=dot), "dot")
    for place in (0, h, 2 * h):
        pads = sent.pads.copy()
        share = missing * np.uint64(pow(h, -1, P)) % np.uint64(P)
        pads[:, place] = (pads[:, place] + share) % np.uint64(P)
        assert_fails(exchange.with_combined(pads=pads), "pads")


@pytest.mark.parametrize("row", [0, 3, -51, -1])
def test_a_changed_column_element_is_refused(honest: Exchange, row: int) -> None:
    cells = honest.opened.cells.copy()
    cells[2, row] = (int(cells[2, row]) + 1) % P
    assert_other_columns(honest.with_opened(cells=cells))


def test_a_changed_nonce_node_or_root_is_refused(honest: Exchange) -> None:
    for field in ("nonces", "nodes"):
        values = list(getattr(honest.opened, field))
        values[1] = bytes([values[1][0] ^ 1]) + values[1][1:]
        assert_other_columns(honest.with_opened(**{field: tuple(values)}))
    assert_other_columns(replace(honest, root=bytes(32)))


def test_nodes_in_surplus_or_missing_are_refused(honest: Exchange) -> None:
    nodes = honest.opened.nodes
    for changed in (nodes[:-1], nodes + nodes[-1:], ()):
        assert_other_columns(honest.with_opened(nodes=changed))


def test_columns_at_other_places_are_refused(honest: Exchange) -> None:
    indices = honest.indices.copy()
    indices[0] ^= 1
    assert_other_columns(replace(honest, indices=indices))


def _replace_extension_rows(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[list[Any]], None]
) -> None:
    honest_rows = tableau.extension_rows

    def changed(*arguments: Any) -> tuple[Any, ...]:
        rows = list(honest_rows(*arguments))
        change(rows)
        return tuple(rows)

    monkeypatch.setattr(tableau, "extension_rows", changed)


def test_a_product_row_that_is_not_the_product_is_refused(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(rows: list[Any]) -> None:
        rows[PRODUCT][0, 0] = (rows[PRODUCT][0, 0] + np.uint64(1)) % np.uint64(P)

    _replace_extension_rows(monkeypatch, change)
    values = powers_base(_root(case.layout.pad_row), case.layout.pad_row)[:, 0]
    rows = tableau.CommittedRows(case.layout, case.values, SeededStream(1))
    false = Points(values, rows.extension[PRODUCT].shape[1]).evaluate(rows.extension[PRODUCT])
    consistent = case.with_constant_of([to_element(false[:, i]) for i in range(len(values))])
    assert_fails(run_exchange(consistent), "product")


@pytest.mark.parametrize("row", [MASK_DOT_A, MASK_PADS_B])
def test_mask_offsets_that_are_not_zero_are_refused(
    case: Case, monkeypatch: pytest.MonkeyPatch, row: int
) -> None:
    place = case.layout.row_length - 1 if row == MASK_DOT_A else 0

    def change(rows: list[Any]) -> None:
        rows[row][0, place] = (rows[row][0, place] + np.uint64(1)) % np.uint64(P)

    _replace_extension_rows(monkeypatch, change)
    assert_fails(run_exchange(case), "relations")


@pytest.mark.parametrize("row", ["witness", "multiplicities", "mask_low", "product"])
def test_a_row_of_too_high_degree_is_refused(
    case: Case, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    layout = case.layout
    index = {
        "witness": 0,
        "multiplicities": layout.witness_rows,
        "mask_low": layout.base_rows - 50 + 5 * MASK_LOW,
        "product": layout.base_rows - 1,
    }[row]
    honest_encode = tableau.CommittedRows.encode

    def encode(self: Any) -> Any:
        codewords = honest_encode(self)
        root = np.array([root_of_unity(layout.code_log)], dtype=np.uint64)
        places = powers_base(root, layout.code_length)[:, 0] * np.uint64(3) % np.uint64(P)
        term = Points(places, layout.code_length).power(
            np.array([layout.row_length + layout.columns])
        )
        codewords[index] = (codewords[index] + term[0]) % np.uint64(P)
        return codewords

    monkeypatch.setattr(tableau.CommittedRows, "encode", encode)
    assert_fails(run_exchange(case), "low")


def test_a_commitment_answers_once(case: Case) -> None:
    commitment = case.commit(SeededStream(1))
    commitment.combine(case.challenge)
    with pytest.raises(UsageError):
        commitment.combine(case.challenge)
    columns = np.arange(case.layout.columns)
    commitment.open(columns)
    with pytest.raises(UsageError):
        commitment.open(columns)


def test_only_columns_of_a_challenge_are_opened(case: Case) -> None:
    commitment = case.commit(SeededStream(1))
    t, length = case.layout.columns, case.layout.code_length
    for columns in (
        np.arange(t - 1),
        np.arange(t + 1),
        np.arange(t) - 1,
        np.arange(t)[::-1],
        np.zeros(t, dtype=int),
        np.arange(t) + length - t + 1,
    ):
        with pytest.raises(UsageError):
            commitment.open(columns)


def test_a_witness_of_other_sizes_is_refused(case: Case) -> None:
    for field in ("cells", "multiplicities", "pads", "left", "right"):
        with pytest.raises(UsageError):
            replace(case, **{field: getattr(case, field)[..., :-1]}).commit(SeededStream(1))


def test_the_commitment_shows_nothing(case: Case) -> None:
    """Nor do its private parts, which a traceback with locals would print."""
    commitment = case.commit(SeededStream(1))
    assert repr(commitment) == "WitnessCommitment()"
    assert repr(commitment._rows) == "CommittedRows()"
    assert repr(commitment._codewords.tree) == object.__repr__(commitment._codewords.tree)
