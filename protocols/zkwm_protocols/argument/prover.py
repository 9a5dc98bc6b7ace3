"""The prover of the argument: witness in, proof out; every message leaves masked.

::

    make_witness          cells, table rows                              relation.witness
      |
    WitnessCommitment     tableau -> codewords -> root                   ligero
      |                   (cells, multiplicities, and all pads)
    Interaction           alpha, beta from the transcript                logup_gkr.protocol
      |
    TreeProver            root first: one sumcheck for each level        logup_gkr.prover
      |                   messages minus pads -> transcript -> challenges
    ProductSumcheck       from the leaves' claim to one point            field.kernels.sumcheck
      |
    combine, open         one linear claim, t columns                    ligero
      |
    RecursiveProver       the combined rows, by their columns            recursive_opening

``_Masks`` is the one place where a message is made: value minus pad. The pads are committed before
the first challenge, and the linear claim speaks of message + pad. SPEC.md 17.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.combined_claim import (
    challenge_columns,
    combination_challenge,
    opening_claim,
)
from zkwm_protocols.argument.cost_estimate import estimate_of_layout
from zkwm_protocols.argument.layout_choice import choose_layout
from zkwm_protocols.argument.ligero.codewords import Codewords
from zkwm_protocols.argument.ligero.prover import MakeCodewords, WitnessCommitment
from zkwm_protocols.argument.ligero.rows import SecretValues
from zkwm_protocols.argument.logup_gkr.protocol import Interaction, LeafClaim
from zkwm_protocols.argument.logup_gkr.prover import TreeProver
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.proof import Proof
from zkwm_protocols.argument.prover_randomness import RandomStream, proof_purpose
from zkwm_protocols.argument.recursive_opening.prover import RecursiveProver
from zkwm_protocols.argument.relation.lookup_form import GradientForm, gradient_form
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.relation.witness import Witness, make_witness
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.field.blas import one_blas_thread
from zkwm_protocols.field.kernels.kept_memory import kept
from zkwm_protocols.field.kernels.sumcheck import ProductSumcheck
from zkwm_protocols.field.scalar import Element, add, multiply, negate, subtract
from zkwm_protocols.field.vector import Array, to_list

Progress = Callable[[str, float], None]
"""Called with the name of the step that begins and the part done before it, 0 to 1."""

BuildTree = Callable[[Relation, Layout, Any, NDArray[np.uint32], Interaction], TreeProver]
"""From relation, layout, witness, its multiplicities, and alpha and beta: the fraction tree."""


class ProverWitness(Protocol):
    """What is asked of a witness: ``Witness``, or one that workers hold (``sharding``)."""

    @property
    def cells(self) -> NDArray[np.uint32]:
        """All cells, (J, n)."""

    def multiplicities(self, count: int) -> NDArray[np.uint32]:
        """How often each of ``count`` table rows is hit, (count,)."""

    def fold(self, weights: Array) -> NDArray[np.uint32]:
        """The cells of all triggers to one vector: weights (uint64, (5, n)) to (5, J)."""


def prove(
    statement: Statement,
    images: NDArray[np.uint8],
    salts: Sequence[bytes],
    *,
    secret: bytes,
    release: str,
    progress: Progress | None = None,
) -> bytes:
    """Prove the statement; the bytes of SPEC.md 17.10.

    Args:
        statement: the public input.
        images (uint8, (n, c, h, w)): the triggers.
        salts: 32 bytes for each trigger.
        secret: the vault's, mixed into the randomness beside the operating system's.
        release: the version of zkwm, mixed in likewise.
        progress: called as each step begins.

    Raises:
        UsageError: openings that do not belong to the leaves.
        NotEnoughMatches: fewer triggers than the threshold get their labels.
    """
    report = progress or (lambda step, part: None)
    report("run the network and hash the triggers", 0.0)
    relation = Relation(statement.network)
    layout = choose_layout(
        triggers=statement.triggers,
        cells=relation.cell_count,
        lookups=relation.lookup_count,
        rows=relation.tables.total_rows,
    )
    with kept(estimate_of_layout(relation, layout).peak_bytes), one_blas_thread():
        witness = make_witness(relation, statement, images, salts)
        stream = RandomStream(secret, *proof_purpose(release, layout, statement, witness.cells))
        return prove_witness(statement, relation, layout, witness, stream, report).to_bytes()


def lookup_tree(
    relation: Relation,
    layout: Layout,
    witness: Witness,
    multiplicities: NDArray[np.uint32],
    interaction: Interaction,
) -> TreeProver:
    """The fraction tree of lookups that are table rows, as the witness names them.

    Args:
        relation: of the statement's network.
        layout: all sizes.
        witness: cells and table rows.
        multiplicities (uint32, (M_T,)): how often each table row is hit.
        interaction: has the challenges alpha and beta.
    """
    return TreeProver(
        witness.rows,
        table_denominators(relation, layout, interaction),
        multiplicities,
        layout.tree_columns_log,
        layout.tree_rows_log,
    )


def table_denominators(relation: Relation, layout: Layout, interaction: Interaction) -> Array:
    """beta minus the fingerprint of every table row, uint64 (5, M_T), the last row repeated."""
    return relation.tables.denominators(layout.table_rows, interaction.alphas, interaction.beta)


def prove_witness(
    statement: Statement,
    relation: Relation,
    layout: Layout,
    witness: ProverWitness,
    stream: RandomStream,
    report: Progress,
    build_tree: BuildTree = lookup_tree,
    make_codewords: MakeCodewords = Codewords,
) -> Proof:
    """The proof for a given witness; whether it is true is not asked.

    Args:
        statement: the public input.
        relation: of the statement's network.
        layout: all sizes.
        witness: cells and table rows.
        stream: the secret randomness.
        report: called as each step begins.
        make_codewords: another way to the same root and columns.
        build_tree: another than the honest tree for a prover whose lookups are no table rows.
    """
    report("commit to the witness", 0.1)
    masks = _Masks(layout, stream)
    multiplicities = witness.multiplicities(layout.table_rows)
    values = SecretValues(witness.cells, multiplicities, masks.pads, masks.left, masks.right)
    commitment = WitnessCommitment(layout, values, stream, make_codewords)
    del values  # its cells may be held elsewhere now
    root = commitment.root
    interaction = Interaction(layout, relation, statement, root)
    report("lookups: build the tree", 0.4)
    tree = build_tree(relation, layout, witness, multiplicities, interaction)
    _prove_tree(tree, interaction, masks, layout, report)
    del tree  # its leaves are larger than all that follows
    report("lookups: from leaves to cells", 0.8)
    columns = interaction.columns()
    form = gradient_form(relation, columns, interaction.alphas)
    leaf = interaction.leaf_claim(form, columns)
    _prove_positions(interaction, masks, layout, leaf, form, witness)
    report("open the commitment", 0.85)
    challenge = combination_challenge(interaction, layout, relation, statement, leaf)
    combined = RecursiveProver(layout.opening, commitment.combine(challenge).joined())
    indices = challenge_columns(interaction.transcript, layout, combined.root)
    opened = commitment.open(indices)
    del commitment  # its codewords are larger than all that follows
    claim = opening_claim(interaction.transcript, layout, challenge, indices, opened.cells)
    opening = combined.prove(interaction.transcript, claim.value, claim.weights)
    report("done", 1.0)
    return Proof(
        layout=layout,
        root=root,
        messages=tuple(masks.sent),
        opened=opened,
        opening=opening,
    )


class _Masks:
    """The pads, and the messages that they mask, in the order of sending.

    ``pads``, ``left`` and ``right`` (5, h) over K are committed; ``sent`` are the messages.
    """

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
        """``count`` random elements of K, then zeros, (5, length)."""
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
        """The four values of a level minus cells of ``left`` and ``right``.

        Args:
            level: from 0 at the root.
            w: n0 + lambda d0, of child 0.
            d1: the denominator of child 1, less one.
            n1: the numerator of child 1.
            d0: the denominator of child 0, less one.
        """
        first, second = 2 * level, 2 * level + 1
        return (
            self._send(w, self._left[first]),
            self._send(d1, self._right[first]),
            self._send(n1, self._left[second]),
            self._send(d0, self._right[second]),
        )

    def _send(self, value: Element, pad: Element) -> Element:
        """Mask a value, note the message and return it."""
        message = subtract(value, pad)
        self.sent.append(message)
        return message


def _prove_tree(
    tree: TreeProver, interaction: Interaction, masks: _Masks, layout: Layout, report: Progress
) -> None:
    """The sumchecks of all levels, from the root to the leaves (SPEC.md 17.5)."""
    interaction.receive_root(masks.mask(tree.root_denominator()))
    for level in range(layout.levels):
        report("lookups: prove the tree", 0.5 + 0.3 * 2.0 ** (level - layout.levels))
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
    form: GradientForm,
    witness: ProverWitness,
) -> None:
    """The sumcheck over the triggers' cells, combined to one vector (SPEC.md 17.6).

    T is the form's gradient with the other sign: the messages change theirs instead.
    """
    prover = ProductSumcheck(form.gradient, witness.fold(leaf.batch), layout.position_rounds)
    for _ in range(layout.position_rounds):
        at_zero, at_infinity = prover.round()
        messages = (masks.mask(negate(at_zero)), masks.mask(negate(at_infinity)))
        prover.bind(interaction.receive_position(*messages))
    interaction.receive_cells(masks.mask(prover.values()[1]), leaf)
