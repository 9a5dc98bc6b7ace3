"""Codewords whose columns are encoded and hashed by workers, every 2^s-th column by one of them.

::

    columns 0 .. N - 1       0 1 2 3 0 1 2 3 ...       every column is whole at one worker
    coset k                  c = k mod 2^s             points 3 w^k (w^(2^s))^j: a shorter transform

A transform of N / 2^s points is all that a coset takes, so the parts together cost what the whole
does; more than N / R cosets have rows longer than they are, which are reduced first. All rows go to
every machine, which holds a strip of codewords at a time and sends leaves back. Opened columns are
evaluated afterwards, each worker some rows. Root and columns are those of ``ligero.codewords``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.column_tree import DIGEST_BYTES, NONCE_BYTES, ColumnTree
from zkwm_protocols.argument.ligero.hashing import tree_of
from zkwm_protocols.argument.ligero.rows import CommittedRows
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.sharding.crew import Crew, even_parts
from zkwm_protocols.field.kernels.ntt import Coset


class ShardedCodewords:
    """As ``ligero.codewords.Codewords``.

    Args:
        crew: the workers.
        cells: what the crew shares of the witness, (J, n).
        layout: all sizes.
        rows: the tableau of these cells.
        nonces: 32 N bytes.
    """

    def __init__(
        self, crew: Crew, cells: object, layout: Layout, rows: CommittedRows, nonces: bytes
    ) -> None:
        self._crew = crew
        self._layout = layout
        self._shared = cells, crew.share(rows.without_cells())
        self.rows = rows
        self.tree: ColumnTree = tree_of(self._leaves(nonces))

    def __repr__(self) -> str:
        return "ShardedCodewords()"

    def _leaves(self, nonces: bytes) -> NDArray[np.uint8]:
        """All leaves, (N, 32)."""
        crew, layout = self._crew, self._layout
        drawn = np.frombuffer(nonces, dtype=np.uint8).reshape(-1, NONCE_BYTES)
        step_log = min(cosets_log(crew.size), layout.code_log)
        step = 1 << step_log
        cosets = [
            tuple(Coset(first, step_log) for first in range(worker, step, crew.size))
            for worker in range(crew.size)
        ]
        calls = [
            (
                *self._shared,
                layout,
                own,
                tuple(drawn[coset.first :: step].tobytes() for coset in own),
            )
            for own in cosets
        ]
        leaves = np.empty((layout.code_length, DIGEST_BYTES), dtype=np.uint8)
        for own, found in zip(cosets, crew.call("leaves", calls), strict=True):
            for coset, digests in zip(own, found, strict=True):
                leaves[coset.first :: step] = digests
        return leaves

    def columns(self, indices: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Columns by their places int64 (t,), uint32 (t, base_rows)."""
        parts = even_parts(self._layout.base_rows, self._crew.size)
        calls = [(*self._shared, indices, first, last) for first, last in parts]
        return np.ascontiguousarray(np.concatenate(self._crew.call("columns", calls)).T)


def cosets_log(workers: int) -> int:
    """Of the number of cosets: one a worker, or two and more where workers are no power of two."""
    log = (workers - 1).bit_length()
    return log if workers == 1 << log else log + 1
