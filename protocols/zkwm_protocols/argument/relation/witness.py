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
from zkwm_protocols.field.kernels.linear_combination import fold_batch
from zkwm_protocols.field.vector import Array

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

    def fold(self, weights: Array) -> NDArray[np.uint32]:
        """The cells of all triggers to one vector: weights (uint64, (5, n)) to (5, J)."""
        return fold_batch(weights, self.cells)

    def multiplicities(self, count: int) -> NDArray[np.uint32]:
        """How often each of ``count`` table rows is hit, uint32 (count,)."""
        total = np.zeros(count, dtype=np.int64)
        step = max(1, _COUNTED_AT_ONCE // self.rows.shape[1])
        for start in range(0, len(self.rows), step):
            some = self.rows[start : start + step].reshape(-1)
            total += np.bincount(some, minlength=count)
        return total.astype(np.uint32)


@dataclass(frozen=True)
class Triggers:
    """Some triggers, with what the statement says of them; images and salts are secret.

    Args:
        images (uint8, (n, c, h, w)): pixels.
        salts: 32 bytes for each.
        leaves: n digests of 32 bytes.
        label_fields: the n label fields of the leaves.
        outputs: for each trigger the output that stands for its label.

    Raises:
        UsageError: these do not fit each other.
    """

    images: NDArray[np.uint8] = field(repr=False)
    salts: tuple[bytes, ...] = field(repr=False)
    leaves: tuple[bytes, ...]
    label_fields: tuple[int, ...]
    outputs: tuple[int, ...]

    def __post_init__(self) -> None:
        count = len(self.leaves)
        if len(self.images) != count or self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise UsageError("the images are not uint8 of the statement's number and shape")
        if len(self.salts) != count or any(len(salt) != 32 for salt in self.salts):
            raise UsageError("there is one salt of 32 bytes for each trigger")

    @classmethod
    def of(
        cls, statement: Statement, images: NDArray[np.uint8], salts: Sequence[bytes]
    ) -> Triggers:
        """All triggers of a statement. Raises UsageError for wrong shapes."""
        if images.shape != (statement.triggers, *statement.network.shape):
            raise UsageError("the images are not uint8 of the statement's number and shape")
        return cls(
            images, tuple(salts), statement.leaves, statement.label_fields, statement.outputs
        )

    def part(self, first: int, end: int) -> Triggers:
        """Triggers first .. end - 1."""
        return Triggers(
            self.images[first:end],
            self.salts[first:end],
            self.leaves[first:end],
            self.label_fields[first:end],
            self.outputs[first:end],
        )


class RunTriggers:
    """Triggers that the network was run on: a witness but for which of them are marked as matches.

    Args:
        relation: the relation of the statement's network.
        triggers: all or some of the statement's.

    Raises:
        UsageError: an image and salt that do not hash to their leaf.
    """

    def __init__(self, relation: Relation, triggers: Triggers) -> None:
        count = len(triggers.leaves)
        self._relation = relation
        self._outputs = np.array(triggers.outputs, dtype=np.int64)
        self._cells = cells = np.zeros((relation.cell_count, count), dtype=np.uint32)
        self._rows = rows = np.zeros((count, relation.lookup_count), dtype=np.int32)
        salts = np.frombuffer(b"".join(triggers.salts), dtype=np.uint8).reshape(count, 32)
        relation.image.fill(triggers.images, salts, cells, rows, relation.tables)
        digests = blake2s_witness.fill(
            relation.leaf,
            triggers.images,
            salts,
            np.array(triggers.label_fields, dtype=np.uint16),
            cells,
            rows,
            relation.tables,
            relation.first_lookups["leaf"],
        )
        expected = np.frombuffer(b"".join(triggers.leaves), dtype=np.uint8).reshape(count, 32)
        if not np.array_equal(digests, expected):
            raise UsageError("an image and its salt do not hash to the committed leaf")
        self._logits = relation.network.fill(
            triggers.images, cells, rows, relation.tables, relation.first_lookups["network"]
        )

    def __repr__(self) -> str:
        return "RunTriggers()"

    @property
    def matches(self) -> NDArray[np.bool_]:
        """Which triggers get their labels, (n,)."""
        matching: NDArray[np.bool_] = np.argmax(self._logits, axis=1) == self._outputs
        return matching

    def marked(self, chosen: NDArray[np.bool_]) -> Witness:
        """The witness in which the chosen triggers (n,) are marked as matches; called once.

        Raises:
            UsageError: a chosen trigger does not get its label.
        """
        relation = self._relation
        relation.argmax.fill(
            self._logits,
            self._outputs,
            chosen,
            self._cells,
            self._rows,
            relation.tables,
            relation.first_lookups["argmax"],
        )
        return Witness(cells=self._cells, rows=self._rows)


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
    run = RunTriggers(relation, Triggers.of(statement, images, salts))
    return run.marked(choose_matches(run.matches, statement.least_matches))


def choose_matches(matches: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Exactly ``count`` of the matches (n,), at random: how many more there are stays secret.

    Raises:
        NotEnoughMatches: there are fewer.
    """
    candidates = [int(index) for index in np.flatnonzero(matches)]
    if len(candidates) < count:
        raise NotEnoughMatches(
            "the suspect gives fewer committed triggers their labels than the challenge demands",
            hint="nothing was proven, and nothing leaves this vault",
        )
    chosen = np.zeros(len(matches), dtype=np.bool_)
    chosen[secrets.SystemRandom().sample(candidates, count)] = True
    return chosen
