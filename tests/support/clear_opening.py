"""The equations of SPEC.md 17.7 on combined rows in clear: which of them fails, by name.

A proof shows them in one equation (17.11), which cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.messages import CombinationChallenge, CombinedRows
from zkwm_protocols.argument.ligero.verifier import ColumnEquations, OpenedRows
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.field.scalar import add, constant, multiply
from zkwm_protocols.field.vector import sum_all, to_element


def failing_equations(
    layout: Layout,
    challenge: CombinationChallenge,
    combined: CombinedRows,
    cells: NDArray[np.uint32],
    indices: NDArray[np.integer],
) -> list[str]:
    """Of ``relations``, ``low``, ``dot``, ``pads``, ``product`` those that do not hold."""
    return list(_failing(layout, challenge, combined, cells, indices))


def _failing(
    layout: Layout,
    challenge: CombinationChallenge,
    combined: CombinedRows,
    cells: NDArray[np.uint32],
    indices: NDArray[np.integer],
) -> Iterator[str]:
    of_cells = to_element(combined.dot[:, layout.row_length - 1])
    of_pads = sum_all(combined.pads[:, :: layout.pad_row])
    if add(of_cells, multiply(constant(layout.pad_row), of_pads)) != challenge.claim.constant:
        yield "relations"
    equations = ColumnEquations(layout, challenge, np.asarray(indices, dtype=np.int64))
    rows = OpenedRows.of(layout, cells)
    for name in ("low", "dot", "pads", "product"):
        sent = equations.points.evaluate(getattr(combined, name))
        if not np.array_equal(sent, getattr(equations, name)(rows)):
            yield name
