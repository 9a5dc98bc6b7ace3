"""Messages of a recursive opening: for every fold a root, round values and opened columns.

::

    prover                                                          verifier
      root of the first fold's tree                         ---->
      for each fold: two values a round                     <--->   one challenge a round
                     root of the next fold, or ``last``     ---->
                     columns with the nodes they lack       <---    their indices; then factors

The arrows to the left are drawn from the Fiat-Shamir transcript. SPEC.md 17.11.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.scalar import Element
from zkwm_protocols.field.vector import Array


@dataclass(frozen=True)
class FoldMessages:
    """What is sent for one fold.

    Args:
        root: of its column tree, 32 bytes.
        rounds: s(0) and s(inf) of each round.
        columns (uint32, (t, 5 2^a)): the opened columns, elements of K row by row.
        nodes: the nodes of the tree that the verifier cannot compute, 32 bytes each.
    """

    root: bytes
    rounds: tuple[tuple[Element, Element], ...]
    columns: NDArray[np.uint32]
    nodes: tuple[bytes, ...]


@dataclass(frozen=True)
class RecursiveOpening:
    """What is sent for one vector.

    Args:
        folds: the messages of each.
        last (uint64, (5, F)): the vector behind the last fold.
    """

    folds: tuple[FoldMessages, ...]
    last: Array
