"""The prover of the argument (SPEC.md 17): witness in, proof out.

Everything that leaves is masked here, in one place (``_Masked``): a value minus its pad. The
arithmetic is in ``tree_prover``, ``witness_commitment`` and the kernels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.combined_claim import combined_claim
from zkwm_protocols.argument.ligero.prover import WitnessCommitment
from zkwm_protocols.argument.logup_gkr.protocol import Interaction, LeafClaim
from zkwm_protocols.argument.logup_gkr.prover import TreeProver
from zkwm_protocols.argument.parameters import Layout, choose_layout
from zkwm_protocols.argument.proof import Proof
from zkwm_protocols.argument.prover_randomness import RandomStream
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.relation.witness import Witness, make_witness
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.field.kernels.linear_combination import fold_batch
from zkwm_protocols.field.kernels.sumcheck import ProductSumcheck
from zkwm_protocols.field.scalar import Element, add, multiply, subtract
from zkwm_protocols.field.vector import Array, from_element, from_elements, subtract_arrays, to_list

Progress = Callable[[str, float], None]
"""Called with the name of the step that begins and the part done before it, 0 to 1."""

LeafDenominators = Callable[[Sequence[Element], Element], Array]
"""From the powers of alpha and beta, d of every look-up of every trigger, (5, n, M)."""


def prove(
    statement: Statement,
    images: NDArray[np.uint8],
    salts: Sequence[bytes],
    *,
    secret: bytes,
    progress: Progress | None = None,
) -> bytes:
    """Prove the statement; the bytes of SPEC.md 17.10.

    ``images`` uint8 (n, c, h, w) and ``salts`` (32 bytes each) are the openings; ``secret`` is the
    vault's, mixed into the randomness beside the operating system's. Raises UsageError for openings
    that do not belong to the leaves, NotEnoughMatches when fewer than the threshold match.
    """
    tell = progress or (lambda step, part: None)
    tell("run the network and hash the triggers", 0.0)
    relation = Relation(statement.network)
    witness = make_witness(relation, statement, images, salts)
    layout = choose_layout(
        triggers=statement.triggers,
        cells=relation.cell_count,
        lookups=relation.lookup_count,
        rows=relation.tables.total_rows,
    )
    digest = hashlib.sha256(witness.cells.tobytes()).digest()
    stream = RandomStream(secret, hashlib.sha256(statement.to_bytes(layout)).digest(), digest)
    return prove_witness(statement, relation, layout, witness, stream, tell).to_bytes()


def prove_witness(
    statement: Statement,
    relation: Relation,
    layout: Layout,
    witness: Witness,
    stream: RandomStream,
    tell: Progress,
    leaf_denominators: LeafDenominators | None = None,
) -> Proof:
    """The proof for a witness as it stands, honest or not.

    ``leaf_denominators`` replaces the table rows' where look-ups are not in their tables: a
    cheating prover in a test needs it.
    """
    tell("commit to the witness", 0.1)
    masks = _Masks(layout, stream)
    multiplicities = witness.multiplicities(layout.table_rows)
    commitment = WitnessCommitment(
        layout, witness.cells, multiplicities, masks.pads, masks.left, masks.right, stream
    )
    interaction = Interaction(layout, relation, statement, commitment.root)
    tell("look-ups: build the tree", 0.4)
    fingerprints = relation.tables.fingerprints(interaction.alphas)
    beta = from_element(interaction.beta).reshape(5, 1)
    table_denominators = subtract_arrays(np.broadcast_to(beta, fingerprints.shape), fingerprints)
    copies = layout.table_rows - table_denominators.shape[1]
    table_denominators = np.concatenate(
        [table_denominators, table_denominators[:, -1:].repeat(copies, axis=1)], axis=1
    )
    tree = TreeProver(
        witness.rows,
        table_denominators,
        multiplicities,
        layout.tree_columns_log,
        layout.tree_rows_log,
        leaves=leaf_denominators and leaf_denominators(interaction.alphas, interaction.beta),
    )
    _prove_tree(tree, interaction, masks, layout, tell)
    del tree
    tell("look-ups: from leaves to cells", 0.8)
    leaf = interaction.leaf_claim()
    _prove_positions(interaction, masks, layout, leaf, witness.cells)
    tell("open the commitment", 0.85)
    claim, rhos, zeta = combined_claim(interaction, layout, relation, statement, leaf)
    low, dot, pads, product = commitment.combine(from_elements(rhos), claim, zeta)
    transcript = interaction.transcript
    for label, polynomial in (("low", low), ("dot", dot), ("pads", pads), ("product", product)):
        transcript.absorb_elements(label, polynomial)
    indices = transcript.challenge_indices("columns", layout.code_log, layout.columns)
    columns, nonces, nodes = commitment.open(indices)
    tell("done", 1.0)
    return Proof(
        layout=layout,
        root=commitment.root,
        messages=tuple(masks.sent),
        low=low,
        dot=dot,
        pads=pads,
        product=product,
        column_cells=columns,
        nonces=tuple(nonces),
        nodes=tuple(nodes),
    )


class _Masks:
    """The pads, and the messages that they mask, in the order of sending."""

    def __init__(self, layout: Layout, stream: RandomStream) -> None:
        self.pads = self._row(layout.pad_count, layout.pad_row, stream)
        self.left = self._row(2 * layout.levels, layout.pad_row, stream)
        self.right = self._row(2 * layout.levels, layout.pad_row, stream)
        self.sent: list[Element] = []
        self._pads = to_list(self.pads)
        self._left = to_list(self.left)
        self._right = to_list(self.right)
        self._used = 0

    @staticmethod
    def _row(count: int, length: int, stream: RandomStream) -> Array:
        row = np.zeros((5, length), dtype=np.uint64)
        row[:, :count] = stream.elements(5 * count).reshape(5, count)
        return row

    def mask(self, value: Element) -> Element:
        """The value minus the next cell of ``pads``."""
        self._used += 1
        return self._send(value, self._pads[self._used - 1])

    def mask_children(
        self, level: int, w: Element, d1: Element, n1: Element, d0: Element
    ) -> tuple[Element, Element, Element, Element]:
        """The four values of a level minus cells of ``left`` and ``right``."""
        first, second = 2 * level, 2 * level + 1
        return (
            self._send(w, self._left[first]),
            self._send(d1, self._right[first]),
            self._send(n1, self._left[second]),
            self._send(d0, self._right[second]),
        )

    def _send(self, value: Element, pad: Element) -> Element:
        message = subtract(value, pad)
        self.sent.append(message)
        return message


def _prove_tree(
    tree: TreeProver, interaction: Interaction, masks: _Masks, layout: Layout, tell: Progress
) -> None:
    interaction.receive_root(masks.mask(tree.root_denominator()))
    for level in range(layout.levels):
        tell("look-ups: prove the tree", 0.5 + 0.3 * 2.0 ** (level - layout.levels))
        point = list(interaction.point)
        lam = interaction.begin_level()
        prover = tree.level(level, point, lam)
        for _ in range(level):
            at_zero, at_infinity = prover.round()
            r = interaction.receive_round(masks.mask(at_zero), masks.mask(at_infinity))
            prover.bind(r)
        n0, d0, n1, d1 = prover.children()
        w = add(n0, multiply(lam, d0))
        interaction.receive_children(*masks.mask_children(level, w, d1, n1, d0))


def _prove_positions(
    interaction: Interaction,
    masks: _Masks,
    layout: Layout,
    leaf: LeafClaim,
    cells: NDArray[np.uint32],
) -> None:
    folded = fold_batch(leaf.batch, cells)
    prover = ProductSumcheck(leaf.gradient, folded, layout.position_rounds)
    for _ in range(layout.position_rounds):
        at_zero, at_infinity = prover.round()
        r = interaction.receive_position(masks.mask(at_zero), masks.mask(at_infinity))
        prover.bind(r)
    interaction.receive_cells(masks.mask(prover.values()[1]), leaf)
