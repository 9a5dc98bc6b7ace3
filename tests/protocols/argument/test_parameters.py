"""Layouts: limits, soundness as exact fractions, the honest choice."""

from __future__ import annotations

from fractions import Fraction
from math import log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkwm_protocols.argument.layout_choice import choose_layout
from zkwm_protocols.argument.parameters import MAXIMUM_PROOF_BYTES, Layout
from zkwm_protocols.argument.recursive_opening.sizes import Fold
from zkwm_protocols.errors import InvalidOpening, UsageError
from zkwm_protocols.field.scalar import P

GOOD = {"triggers": 100, "cells": 60_000, "lookups": 37_000, "rows": 350_000}
FOLDS = (Fold(4, 14, 150), Fold(3, 11, 150))
SIZES = {"row_positions_log": 6, "code_log": 15, "columns": 170, "folds": FOLDS}


def test_the_example_of_the_design() -> None:
    layout = Layout(**GOOD, **SIZES)
    assert layout.row_length == 6_400
    assert layout.witness_rows == 938
    assert layout.multiplicity_log == 12
    assert layout.multiplicity_rows == 86
    assert layout.table_rows == 86 << 12
    assert layout.tree_columns_log == 16
    assert layout.table_chunks == 6
    assert layout.tree_rows_log == 7
    assert layout.levels == 23
    assert layout.position_rounds == 16
    assert layout.pad_count == 1 + 23 * 22 + 32 + 1
    assert layout.pad_row == 1024
    assert layout.base_rows == 938 + 86 + 50
    layout.require_sound()


def test_terms_add_up_and_are_what_they_say() -> None:
    layout = Layout(**GOOD, **SIZES)
    terms = {term.name: term for term in layout.soundness()}
    assert sum(term.bound for term in terms.values()) == layout.soundness_error()
    order = (2**31 - 2**24 + 1) ** 5
    assert terms["look-ups"].bound == Fraction(8 * (3_700_000 + 86 * 4096), order)
    assert terms["tree"].bound == Fraction(sum(3 * level + 2 for level in range(23)), order)
    columns = Fraction(32_768 + 6_400 + 170, 65_536) ** 170
    assert terms["proximity, columns"].bound == columns
    assert layout.soundness_bits == pytest.approx(-log2(layout.soundness_error()))
    assert all(term.theorem for term in terms.values())


@pytest.mark.parametrize("columns", [100, 150, 162])
def test_too_few_columns_are_refused_by_name(columns: int) -> None:
    layout = Layout(**GOOD, **{**SIZES, "columns": columns})
    with pytest.raises(InvalidOpening) as caught:
        layout.require_sound()
    assert caught.value.check == "argument.soundness"


@pytest.mark.parametrize(
    "change",
    [
        {"row_positions_log": 17},
        {"row_positions_log": -1},
        {"row_positions_log": 3},  # a row shorter than pads and columns need
        {"code_log": 23},
        {"code_log": 13},  # a code shorter than the product's degree
        {"columns": 0},
        {"columns": 1_001},
        {"lookups": 2**25},  # as many lookups as the field has elements
        {"triggers": 10_000, "row_positions_log": 10},
    ],
)
def test_parameters_outside_the_limits(change: dict[str, int]) -> None:
    with pytest.raises(InvalidOpening) as caught:
        Layout(**{**GOOD, **SIZES, **change})
    assert caught.value.check == "argument.format"


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 10_000),
    st.integers(100, 500_000),
    st.integers(100, 200_000),
    st.integers(200_000, 600_000),
)
def test_the_honest_choice_is_sound(triggers: int, cells: int, lookups: int, rows: int) -> None:
    layout = choose_layout(triggers=triggers, cells=cells, lookups=lookups, rows=rows)
    layout.require_sound()
    assert layout.soundness_bits >= 120
    assert layout.row_length >= layout.pad_row + 2 * layout.columns
    assert layout.witness_rows << layout.row_positions_log >= cells
    assert 1 << layout.position_rounds >= layout.witness_rows << layout.row_positions_log
    assert layout.table_rows >= rows
    assert 1 << layout.tree_rows_log >= triggers + layout.table_chunks


def test_a_statement_that_no_parameters_fit() -> None:
    with pytest.raises(UsageError, match="no parameters"):
        choose_layout(triggers=10_000, cells=100, lookups=2**24, rows=200_000)


@pytest.mark.parametrize(
    ("triggers", "cells", "lookups", "served"),
    [
        (1, 2**25, 2**25, True),
        (63, 2**25, 2**25, True),  # 63.5 * 2^25 is p - 1
        (64, 2**25, 2**25, False),
        (127, 2**25, 2**24, True),
        (128, 2**25, 2**24, False),
        (1_000, 2**25, 2_000_000, True),
        (10_000, 2**25, 200_000, False),  # no proof of at most 64 MiB
        (10_000, 500_000, 213_000, True),
        (10_000, 500_000, 213_100, False),
    ],
)
def test_sizes_at_the_limits(triggers: int, cells: int, lookups: int, served: bool) -> None:
    sizes = {"triggers": triggers, "cells": cells, "lookups": lookups, "rows": 2**22}
    if not served:
        with pytest.raises(UsageError, match="no parameters"):
            choose_layout(**sizes)
        return
    layout = choose_layout(**sizes)
    layout.require_sound()
    assert layout.proof_bytes <= MAXIMUM_PROOF_BYTES
    assert layout.triggers * layout.lookups < P
