"""The choice of an honest prover: the folds of a vector's recursive opening.

::

    for every number of rounds B that leaves a last vector of 32 to 4,096 elements:
        from the last fold back: the cheapest chain for each number of rounds that it binds

    cost = bytes of the proof + rate * (bytes of codewords + 500 for each column)

Low rates are cheap here, since the vector is short beside the witness; they save columns.
SPEC.md 17.9 and 17.11.
"""

from __future__ import annotations

from math import log2

from zkwm_protocols.argument.recursive_opening.sizes import (
    ELEMENT_BYTES,
    MAXIMUM_FOLD_CODE_LOG,
    MAXIMUM_FOLD_COLUMNS,
    MAXIMUM_FOLD_ROWS_LOG,
    MAXIMUM_LAST_LENGTH,
    Fold,
)

COLUMN_WORK = 500
"""Bytes of codewords that take a prover as long as the hashes of one column beside its bytes."""
_SHORTEST_LAST = 32
_CODES = 5
"""Lengths of the code that are tried for each length of a row."""

_Chain = tuple[float, tuple[Fold, ...]]


def choose_folds(length: int, bits: float, rate: float) -> tuple[Fold, ...]:
    """The cheapest folds for a vector of ``length`` elements; none if none are allowed.

    Args:
        length: of the vector.
        bits: -log2 of what the term of each fold's columns may be.
        rate: what a byte of codewords costs, in bytes of the proof.
    """
    best: _Chain = (float("inf"), ())
    rounds = 0
    while length >> rounds >= _SHORTEST_LAST:
        rounds += 1
        last = -(-length >> rounds)
        if last <= MAXIMUM_LAST_LENGTH:
            best = min(best, _chain(last, rounds, bits, rate), key=lambda chain: chain[0])
    return best[1]


def _chain(last: int, rounds: int, bits: float, rate: float) -> _Chain:
    """The cheapest chain of folds that binds ``rounds`` bits and leaves ``last`` elements."""
    chains: list[_Chain] = [(ELEMENT_BYTES * last, ())]
    for bound in range(1, rounds + 1):
        found: _Chain = (float("inf"), ())
        for a in range(1, min(bound, MAXIMUM_FOLD_ROWS_LOG) + 1):
            cost, behind = chains[bound - a]
            row = last << (bound - a)
            shortest = row.bit_length()
            for code_log in range(shortest, min(shortest + _CODES, MAXIMUM_FOLD_CODE_LOG + 1)):
                n = 1 << code_log
                columns = int(bits / -log2((n + row) / (2 * n))) + 1
                if columns > min(MAXIMUM_FOLD_COLUMNS, n):
                    continue
                fold = Fold(a, code_log, columns)
                total = cost + fold.bytes + rate * (fold.code_bytes + COLUMN_WORK * n)
                if total < found[0]:
                    found = (total, (fold, *behind))
        chains.append(found)
    return chains[rounds]
