"""The owner's witness: all cells of all triggers, the rows that look-ups hit, multiplicities.

SPEC.md 17.3 and 17.4. Secret through and through; only the prover imports this module.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation import blake2s_witness as leaf_witness
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.errors import NotEnoughMatches, UsageError


@dataclass(frozen=True)
class Witness:
    """``cells`` uint32 residues (J, n); ``rows`` int32 (n, M), the table row of each look-up."""

    cells: NDArray[np.uint32] = field(repr=False)
    rows: NDArray[np.int32] = field(repr=False)

    def multiplicities(self, count: int) -> NDArray[np.uint32]:
        """How often each of ``count`` table rows is hit, uint32."""
        found = np.bincount(self.rows.reshape(-1), minlength=count)
        return found.astype(np.uint32)


def make_witness(
    relation: Relation,
    statement: Statement,
    images: NDArray[np.uint8],
    salts: Sequence[bytes],
) -> Witness:
    """The witness of a true statement.

    Exactly ``least_matches`` of the matching triggers, chosen at random, are marked as matches.
    Raises UsageError where an image and salt do not hash to their leaf, NotEnoughMatches where too
    few triggers match.
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
    digests = leaf_witness.fill(
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
    logits = relation.network_part.fill(
        images, cells, rows, relation.tables, relation.first_lookups["network"]
    )
    outputs = np.array(statement.outputs, dtype=np.int64)
    chosen = _choose_matches(np.argmax(logits, axis=1) == outputs, statement.least_matches)
    relation.argmax.fill(
        logits, outputs, chosen, cells, rows, relation.tables, relation.first_lookups["argmax"]
    )
    return Witness(cells=cells, rows=rows)


def _choose_matches(matches: NDArray[np.bool_], wanted: int) -> NDArray[np.bool_]:
    """Exactly ``wanted`` of the matches, at random: how many more there are stays secret."""
    found = [int(index) for index in np.flatnonzero(matches)]
    if len(found) < wanted:
        raise NotEnoughMatches(
            "the suspect gives fewer committed triggers their labels than the challenge demands",
            hint="nothing was proven, and nothing leaves this vault",
        )
    chosen = np.zeros(len(matches), dtype=np.bool_)
    chosen[secrets.SystemRandom().sample(found, wanted)] = True
    return chosen
