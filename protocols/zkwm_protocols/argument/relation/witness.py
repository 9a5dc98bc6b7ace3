"""The owner's witness: all cells of all triggers, and the table row that each lookup hits.

::

    cells (J, n)                 trigger 0    1   ...   n - 1
      0 ..          image            .        .           .      pixels, salt
      ..            leaf             .        .           .      every step of BLAKE2s
      ..            network          .        .           .      remainders, results, positive parts
      .. J - 1      argmax           .        .           .      V, g, limbs

    rows (n, M)                  rows[b, u] is the number of the table row that lookup u of
                                 trigger b equals
    multiplicities (M_T,)        how often each table row is hit, over all triggers

Secret in every entry; only the prover imports this module. SPEC.md 17.3 and 17.4.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation import blake2s_witness
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.errors import NotEnoughMatches, UsageError

_COUNTED_AT_ONCE = 1 << 22
"""Lookups; counting makes numbers of eight bytes of them."""


@dataclass(frozen=True)
class Witness:
    """The prover's secret, filled in.

    Args:
        cells (uint32, (J, n)): residues modulo p.
        rows (int32, (n, M)): the table row of each lookup.
    """

    cells: NDArray[np.uint32] = field(repr=False)
    rows: NDArray[np.int32] = field(repr=False)

    def multiplicities(self, count: int) -> NDArray[np.uint32]:
        """How often each of ``count`` table rows is hit, uint32 (count,)."""
        total = np.zeros(count, dtype=np.int64)
        step = max(1, _COUNTED_AT_ONCE // self.rows.shape[1])
        for start in range(0, len(self.rows), step):
            some = self.rows[start : start + step].reshape(-1)
            total += np.bincount(some, minlength=count)
        return total.astype(np.uint32)


def make_witness(
    relation: Relation,
    statement: Statement,
    images: NDArray[np.uint8],
    salts: Sequence[bytes],
) -> Witness:
    """Fill in the witness of a true statement.

    Exactly ``least_matches`` of the matching triggers, chosen at random, are marked as matches, so
    that a proof does not show which of them, or how many more, match.

    Args:
        relation: the relation of the statement's network.
        statement: the public input.
        images (uint8, (n, c, h, w)): the triggers.
        salts: 32 bytes for each trigger.

    Raises:
        UsageError: wrong shapes, or an image and salt that do not hash to their leaf.
        NotEnoughMatches: fewer triggers than the threshold get their labels.
    """
    count = statement.triggers
    if images.shape != (count, *statement.network.shape) or images.dtype != np.uint8:
        raise UsageError("the images are not uint8 of the statement's number and shape")
    if len(salts) != count or any(len(salt) != 32 for salt in salts):
        raise UsageError("there is one salt of 32 bytes for each trigger")
    cells = np.zeros((relation.cell_count, count), dtype=np.uint32)
    rows = np.zeros((count, relation.lookup_count), dtype=np.int32)
    salt_bytes = np.frombuffer(b"".join(salts), dtype=np.uint8).reshape(count, 32)
    relation.image.fill(images, salt_bytes, cells, rows, relation.tables)
    digests = blake2s_witness.fill(
        relation.leaf,
        images,
        salt_bytes,
        np.array(statement.label_fields, dtype=np.uint16),
        cells,
        rows,
        relation.tables,
        relation.first_lookups["leaf"],
    )
    expected = np.frombuffer(b"".join(statement.leaves), dtype=np.uint8).reshape(count, 32)
    if not np.array_equal(digests, expected):
        raise UsageError("an image and its salt do not hash to the committed leaf")
    logits = relation.network.fill(
        images, cells, rows, relation.tables, relation.first_lookups["network"]
    )
    outputs = np.array(statement.outputs, dtype=np.int64)
    chosen = _choose_matches(np.argmax(logits, axis=1) == outputs, statement.least_matches)
    relation.argmax.fill(
        logits, outputs, chosen, cells, rows, relation.tables, relation.first_lookups["argmax"]
    )
    return Witness(cells=cells, rows=rows)


def _choose_matches(matches: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Exactly ``count`` of the matches (n,), at random: how many more there are stays secret."""
    candidates = [int(index) for index in np.flatnonzero(matches)]
    if len(candidates) < count:
        raise NotEnoughMatches(
            "the suspect gives fewer committed triggers their labels than the challenge demands",
            hint="nothing was proven, and nothing leaves this vault",
        )
    chosen = np.zeros(len(matches), dtype=np.bool_)
    chosen[secrets.SystemRandom().sample(candidates, count)] = True
    return chosen
