"""The column tree over codewords that come in strips of rows and never exist at once.

::

    message of a column     49 bytes | 3 bytes of row 0 .. | ... one byte of the last row
    blocks of SHA-256       |  first block: rows 0 - 3   |  16 rows  |  16 rows  | ...   rest

    between strips          8 words of hash value and one byte, for every column

The leaves are those of ``hashing``, bit for bit. SPEC.md 17.7.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.column_tree import (
    DIGEST_BYTES,
    LEAF_PREFIX,
    NONCE_BYTES,
    ColumnTree,
)
from zkwm_protocols.argument.ligero.hashing import tree_of
from zkwm_protocols.field.kernels.native import LEVEL, require
from zkwm_protocols.field.kernels.ntt import ALL_COLUMNS, Coset

if LEVEL is not None:
    from zkwm_protocols.argument.ligero.strips_native import hash_strip
else:
    from zkwm_protocols.argument.ligero.strips_numba import hash_strip

_STATE_WORDS = 9
_ROWS_OF_A_BLOCK = 16
_ROWS_OF_THE_FIRST = 4


def strip_bounds(rows: int, most: int) -> list[tuple[int, int]]:
    """Where strips of at most ``most`` rows (16 or more) begin and end: behind whole blocks."""
    whole = most // _ROWS_OF_A_BLOCK * _ROWS_OF_A_BLOCK
    first = whole - _ROWS_OF_A_BLOCK + _ROWS_OF_THE_FIRST
    starts = [0, *range(first, rows, whole)]
    return list(zip(starts, [*starts[1:], rows], strict=True))


class StripHasher:
    """Takes strips in order, then gives the tree.

    Args:
        rows: of all codewords.
        nonces: 32 N bytes, N a power of two.
        prefix: of the leaves, 13 bytes.
        columns: which of the codewords' the N columns are.

    Raises:
        UsageError: sizes that do not fit.
    """

    def __init__(
        self,
        rows: int,
        nonces: bytes,
        prefix: bytes = LEAF_PREFIX,
        columns: Coset = ALL_COLUMNS,
    ) -> None:
        length = len(nonces) // NONCE_BYTES
        fits = len(nonces) == NONCE_BYTES * length and 0 < length < 1 << 32
        require(rows > 0 and fits, "strips of columns and nonces")
        self._rows, self._length, self._done = rows, length, 0
        self._columns = columns
        self._prefix = np.frombuffer(prefix, dtype=np.uint8)
        self._nonces = np.frombuffer(nonces, dtype=np.uint8).reshape(length, NONCE_BYTES)
        self._states = np.empty((_STATE_WORDS, length), dtype=np.uint32)
        self._digests = np.empty((length, DIGEST_BYTES), dtype=np.uint8)

    def __repr__(self) -> str:
        return "StripHasher()"

    def add(self, strip: NDArray[np.uint32]) -> None:
        """Hash the next rows, uint32 (m, N), canonical.

        Raises:
            UsageError: a strip that does not end where ``strip_bounds`` says, or of another length.
        """
        done = self._done + len(strip)
        whole = done % _ROWS_OF_A_BLOCK == _ROWS_OF_THE_FIRST
        ends = done == self._rows or (whole and done < self._rows)
        require(len(strip) > 0 and strip.shape[1] == self._length and ends, "a strip of columns")
        hash_strip(
            self._prefix, self._nonces, strip, self._columns, self._done, self._rows, self._states,
            self._digests,
        )  # fmt: skip
        self._done = done

    def leaves(self) -> NDArray[np.uint8]:
        """The digests of all columns, (N, 32), once all rows are added.

        Raises:
            UsageError: rows are missing.
        """
        require(self._done == self._rows, "all rows of the columns")
        self._states = self._states[:, :0].copy()  # they are longer than a level of the tree
        return self._digests

    def tree(self) -> ColumnTree:
        """The tree over all columns, once all rows are added. Raises what ``leaves`` does."""
        return tree_of(self.leaves())
