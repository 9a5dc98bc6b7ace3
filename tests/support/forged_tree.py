"""A fraction tree whose lookups are not what their table rows say: a cheating prover's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.logup_gkr.blocks import Lookups, lookup_table
from zkwm_protocols.argument.logup_gkr.prover import TreeProver
from zkwm_protocols.field.kernels.layout import Residues
from zkwm_protocols.field.kernels.montgomery import to_montgomery
from zkwm_protocols.field.vector import Array


class ForgedTree(TreeProver):
    """The tree of ``leaves`` (5, n, M), canonical, instead of the table rows' denominators.

    ``rows`` still gives n and M.
    """

    def __init__(self, leaves: Array, rows: np.ndarray, *arguments: Any) -> None:
        if leaves.shape != (5, *rows.shape):
            raise ValueError(f"expected leaves for {rows.shape}, got shape {leaves.shape}")
        self.forged = leaves
        super().__init__(rows, *arguments)

    def leaves(self, rows: NDArray[np.int32], d: Residues) -> Lookups:
        """The forged leaves, each a table row of its own."""
        own = np.arange(rows.size, dtype=np.int32).reshape(rows.shape)
        return Lookups(own, lookup_table(to_montgomery(self.forged.reshape(5, -1))))
