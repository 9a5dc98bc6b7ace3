"""A malleability sweep over the witness: change any one cell, and some lookup leaves its table.

All cells of one trigger, several kinds of change. A cell that could be changed alone would be a
freedom that the relation leaves to a prover.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.argument_case import ArgumentCase, argument_case
from tests.support.relation_values import lookup_values
from zkwm_protocols.field.scalar import P

pytestmark = pytest.mark.slow

_AT_ONCE = 1_000


@pytest.fixture(scope="module")
def case() -> ArgumentCase:
    return argument_case(1)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["one more", "256 more", "negated", "halved", "random"])
def test_no_cell_can_be_changed_alone(case: ArgumentCase, change: str) -> None:
    honest = case.witness.cells[:, 0].astype(np.int64)
    random = np.random.default_rng(3).integers(0, P, len(honest))
    changed = {
        "one more": honest + 1,
        "256 more": honest + 256,
        "negated": -honest - 1,
        "halved": honest + pow(2, -1, P),
        "random": random,
    }[change] % P
    expected = case.lookup_values(case.witness.cells)
    free: list[int] = []
    for start in range(0, len(honest), _AT_ONCE):
        places = np.arange(start, min(start + _AT_ONCE, len(honest)))
        cells = np.repeat(honest[:, None], len(places), axis=1)
        cells[places, np.arange(len(places))] = changed[places]
        refused = _refused(case, cells.astype(np.uint32), expected)
        free += [int(place) for place in places[~refused & (changed[places] != honest[places])]]
    assert free == []


def _refused(case: ArgumentCase, cells: np.ndarray, expected: list[np.ndarray]) -> np.ndarray:
    """For each column of cells whether some lookup's values are no row of its table."""
    relation, count = case.relation, cells.shape[1]
    public = np.repeat(case.public(), count, axis=1)
    values = lookup_values(relation, cells, public)
    refused = np.zeros(count, dtype=bool)
    rows: dict[str, set[tuple[int, ...]]] = {}
    index = 0
    for group in relation.groups:
        table = rows.get(group.table)
        if table is None:
            table = set(map(tuple, relation.tables.columns(group.table).tolist()))
            rows[group.table] = table
        for _ in range(group.count):
            touched = np.flatnonzero((values[index] != expected[index]).any(axis=0))
            for column in touched[~refused[touched]]:
                refused[column] = tuple(values[index][:, column].tolist()) not in table
            index += 1
    return refused
