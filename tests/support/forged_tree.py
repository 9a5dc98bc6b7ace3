"""A fraction tree whose lookups are not what their table rows say: a cheating prover's."""

from __future__ import annotations

from typing import Any

import numpy as np

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
        self.leaves = leaves
        super().__init__(rows, *arguments)

    def lookup_denominators(self, part: slice) -> Residues:
        """The forged leaves, with the padding of the honest ones."""
        d = super().lookup_denominators(part)
        leaves = np.ascontiguousarray(self.leaves[:, part].transpose(1, 0, 2))
        d[:, :, : leaves.shape[2]] = to_montgomery(leaves)
        return d
