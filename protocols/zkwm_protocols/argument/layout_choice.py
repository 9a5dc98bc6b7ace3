"""The choice of an honest prover: the parameters a, k and t of a proof.

::

    for every a with R = n 2^a <= 2^20:
      for the four smallest k with N = 2^k > 2R:
        t = the fewest columns that are sound        ((N + R + t) / 2N)^t: the chance that the
                                                     low-degree test misses a word that is far
        score = bytes of the proof + bytes of all codewords / 200
    the lowest score wins

A verifier accepts any sound parameters within the limits of ``parameters``. SPEC.md 17.9.
"""

from __future__ import annotations

from math import log2

from zkwm_protocols.argument.parameters import (
    MAXIMUM_CODE_LOG,
    MAXIMUM_PROOF_BYTES,
    MAXIMUM_ROW_LENGTH,
    MAXIMUM_ROW_POSITIONS_LOG,
    SOUNDNESS_BITS,
    Layout,
)
from zkwm_protocols.errors import InvalidOpening, UsageError

_LONGEST_PROOF = MAXIMUM_PROOF_BYTES * 31 // 32
"""The length of a proof is known within a few percent."""


def choose_layout(*, triggers: int, cells: int, lookups: int, rows: int) -> Layout:
    """The layout of an honest prover: sound, and a good balance of length and encoding time.

    Args:
        triggers: n.
        cells: J, of one trigger.
        lookups: M, of one trigger.
        rows: of all tables together.

    Raises:
        UsageError: no parameters within the limits are sound, or the proof would be too long.
    """
    best: tuple[float, Layout] | None = None
    for a in range(MAXIMUM_ROW_POSITIONS_LOG + 1):
        length = triggers << a
        if length > MAXIMUM_ROW_LENGTH:
            break
        smallest = (2 * length).bit_length()
        for code_log in range(smallest, min(smallest + 4, MAXIMUM_CODE_LOG + 1)):
            layout = _with_fewest_columns(triggers, cells, lookups, rows, a, code_log)
            if layout is None or layout.proof_bytes > _LONGEST_PROOF:
                continue
            # 200 bytes of codewords cost about as much as one byte of the proof
            score = layout.proof_bytes + 4 * layout.base_rows * layout.code_length / 200
            if best is None or score < best[0]:
                best = (score, layout)
    if best is None:
        raise UsageError(
            f"no parameters of the argument are sound for {triggers} triggers of this network",
            hint="ask about fewer blocks",
        )
    return best[1]


def _with_fewest_columns(
    triggers: int, cells: int, lookups: int, rows: int, a: int, code_log: int
) -> Layout | None:
    """The layout with the fewest columns that are sound, or None where none are."""
    length, n = triggers << a, 1 << code_log
    columns = 64
    while True:
        rate = (n + length + columns) / (2 * n)
        if rate >= 1:
            return None
        # rate^columns below 2^-120, with a bit and a half for all other terms
        needed = int((SOUNDNESS_BITS + 1.5) / -log2(rate)) + 1
        if needed <= columns:
            break
        columns = needed
    try:
        layout = Layout(triggers, cells, lookups, rows, a, code_log, columns)
        layout.require_sound()
    except InvalidOpening:
        return None
    return layout
