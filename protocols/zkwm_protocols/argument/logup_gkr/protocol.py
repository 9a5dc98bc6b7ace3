"""Challenges and relations of the fraction tree and of the sumcheck over cells, for both sides.

::

    receive_root                       d of the root; its numerator is the constant 0
    for each level l = 0 ..:           claims n, d at the point q, l coordinates
      begin_level                      lambda;  c = n + lambda d
      for each round j < l:
        receive_round                  h(0), h(inf); r_j;  c becomes h(r_j)
      receive_children                 w = n0 + lambda d0, d1, n1, d0 at r
                                       relation: c = w + n1 + lambda d1 + w d1 + n1 d0
                                       mu;  new claims at the point (mu, r_0, r_1, ...)
    leaf_claim                         d of the leaves -> a sum over cells, T_j X_j
    for each round over cells:
      receive_position                 s(0), s(inf); r
    receive_cells                      x, the extension of X at r;  relation: T~(r) x = claim

    every message = value - pad        so a claim is an ``Affine`` value: a number plus pads

The prover drives an ``Interaction`` with the messages that it sends, the verifier with those it
reads: the same code draws the challenges and writes down the linear relations on committed pads and
cells, which the opening proves. It decides nothing but that no division by zero occurs. SPEC.md
17.5, 17.6 and 17.8.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkwm_protocols.argument.logup_gkr.relations import (
    Affine,
    LinearRelation,
    RelationKind,
    Term,
    between,
)
from zkwm_protocols.argument.parameters import (
    FINGERPRINT_DEGREE,
    LEFT,
    PADS,
    PRODUCT,
    RIGHT,
    Layout,
)
from zkwm_protocols.argument.relation.lookup_form import CellForm
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.errors import InvalidOpening
from zkwm_protocols.field.equality import Equality
from zkwm_protocols.field.scalar import (
    ONE,
    ZERO,
    Element,
    add,
    constant,
    inverse,
    multiply,
    negate,
    subtract,
)
from zkwm_protocols.field.vector import (
    Array,
    equality_table,
    multiply_base,
    sum_all,
    to_element,
)


@dataclass(frozen=True)
class LeafClaim:
    """The claim about the triggers' cells in which the tree ends, in public numbers.

    Args:
        batch (uint64, (5, n)): eq(rho_b, b) for every trigger b.
        chunk_weights (uint64, (5, A)): eq(rho_b, n + a) for every chunk a of the tables.
        column_point: rho_u.
        form: of the weighted fingerprints; T has its coefficients with the other sign.
        real: the sum of eq over all leaves that are lookups.
    """

    batch: Array
    chunk_weights: Array
    column_point: tuple[Element, ...]
    form: CellForm
    real: Element


class Interaction:
    """The transcript of one proof, from the commitment to the last value of the sumcheck.

    Args:
        layout: all sizes.
        relation: of the statement's network.
        statement: the public input.
        root: of the column tree, 32 bytes.

    Its methods are called in the order of the module's picture. ``relations`` collects what the
    opening has to prove; ``point`` and ``position_point`` are the challenges so far.
    """

    def __init__(
        self, layout: Layout, relation: Relation, statement: Statement, root: bytes
    ) -> None:
        self._layout = layout
        self._relation = relation
        self._statement = statement
        self.transcript = Transcript()
        self.transcript.absorb_bytes("protocol", b"zkwm-argument-2")
        self.transcript.absorb_bytes("statement", statement.to_bytes(layout))
        self.transcript.absorb_bytes("commitment", root)
        # the tree's gates: all that neither statement nor commitment fixes (SPEC.md 17.8, 4)
        self.transcript.absorb_zeros("circuit", layout.fractions)
        alpha, self.beta = self.transcript.challenge_list("look-ups", 2)
        self.alphas = [alpha]
        while len(self.alphas) < FINGERPRINT_DEGREE:
            self.alphas.append(multiply(self.alphas[-1], alpha))
        self.relations: list[LinearRelation] = []
        self.point: list[Element] = []
        self.position_point: list[Element] = []
        self._pads = 0
        self._level = 0
        self._numerator = Affine(ZERO, ())
        self._denominator = Affine(ZERO, ())
        self._claim = Affine(ZERO, ())
        self._chain: list[tuple[Element, Element, Element, int]] = []
        self._inverses: list[Element] = []
        self._lambda = ZERO
        self._round_challenges: list[Element] = []

    def receive_root(self, message: Element) -> None:
        """Take the root's d, masked. Its numerator is the constant 0."""
        self.transcript.absorb_elements("root", [message])
        self._denominator = self._masked(message)

    def begin_level(self) -> Element:
        """Draw lambda and combine both claims of this level into one; returns lambda."""
        self._lambda = self.transcript.challenge_element("level")
        self._claim = self._numerator.plus(self._denominator.scaled(self._lambda))
        self._inverses = _inverses(self.point)
        self._chain, self._round_challenges = [], []
        return self._lambda

    def receive_round(self, at_zero: Element, at_infinity: Element) -> Element:
        """Take h(0) and h(inf), masked; draw and return r_j."""
        self.transcript.absorb_elements("round", [at_zero, at_infinity])
        r = self.transcript.challenge_element("round")
        index = len(self._round_challenges)
        q = self.point[index]
        # c = (1 - q) h(0) + q h(1) gives h(1); then h(r), linear in c, h(0) and h(inf)
        of_claim = multiply(r, self._inverses[index])
        of_zero = subtract(subtract(ONE, r), multiply(of_claim, subtract(ONE, q)))
        self._fold_claim(of_claim, of_zero, r, at_zero, at_infinity)
        self._round_challenges.append(r)
        return r

    def receive_children(self, w: Element, d1: Element, n1: Element, d0: Element) -> Element:
        """Take the four values at the point, masked; note the level's relation; draw mu."""
        self.transcript.absorb_elements("children", [w, d1, n1, d0])
        first, second = 2 * self._level, 2 * self._level + 1
        lam = self._lambda
        known = add(add(w, n1), multiply(lam, d1))
        known = add(known, add(multiply(w, d1), multiply(n1, d0)))
        minus = negate(ONE)
        # products of message + pad: message * message is known, message * pad linear, and
        # pad * pad a cell of the row product
        terms = (
            *self._finished_chain(),
            (LEFT, first, negate(add(ONE, d1))),
            (RIGHT, first, negate(add(lam, w))),
            (PRODUCT, first, minus),
            (LEFT, second, negate(add(ONE, d0))),
            (RIGHT, second, negate(n1)),
            (PRODUCT, second, minus),
        )
        self._relate(RelationKind.LEVEL, terms, subtract(known, self._claim.constant))
        mu = self.transcript.challenge_element("side")
        d0_value = Affine(d0, ((RIGHT, second, ONE),))
        n0_value = Affine(w, ((LEFT, first, ONE),)).plus(d0_value.scaled(negate(lam)))
        self._numerator = between(n0_value, Affine(n1, ((LEFT, second, ONE),)), mu)
        self._denominator = between(d0_value, Affine(d1, ((RIGHT, first, ONE),)), mu)
        self.point = [mu, *self._round_challenges]
        self._level += 1
        return mu

    def columns(self) -> Equality:
        """eq(rho_u, u), once the tree has ended: the weight of each lookup of a trigger."""
        return Equality(self.point[: self._layout.tree_columns_log])

    def leaf_claim(self, form: CellForm, columns: Equality) -> LeafClaim:
        """Turn the claim on the leaves' d into one on the cells (SPEC.md 17.6).

        The leaves' d are beta minus fingerprints, affine in cells: everything public is moved to
        the constant, and T of the rest is what cells are weighted with.

        Args:
            form: of the weighted fingerprints of all lookups (``lookup_form``).
            columns: their weights.
        """
        layout, relation = self._layout, self._relation
        rows = equality_table(self.point[layout.tree_columns_log :])
        batch = rows[:, : layout.triggers]
        chunks = rows[:, layout.triggers : layout.triggers + layout.table_chunks]
        of_triggers = sum_all(batch)
        real = multiply(of_triggers, columns.sum_of(0, layout.lookups))
        known = subtract(multiply(self.beta, real), multiply(of_triggers, form.constant))
        public_cells = relation.public_cells(self._statement)
        for index in range(form.public.shape[1]):
            at_point = sum_all(multiply_base(batch, public_cells[index]))
            known = subtract(known, multiply(to_element(form.public[:, index]), at_point))
        for chunk in range(layout.table_chunks):
            first = chunk << layout.tree_columns_log
            present = min(layout.table_rows - first, 1 << layout.tree_columns_log)
            weighed = relation.tables.weigh(columns, first, present, self.alphas)
            of_chunk = subtract(multiply(self.beta, columns.sum_of(0, present)), weighed)
            known = add(known, multiply(to_element(chunks[:, chunk]), of_chunk))
        self._claim = self._denominator.plus(Affine(negate(known), ()))
        self._chain, self._round_challenges = [], []
        return LeafClaim(
            batch=batch,
            chunk_weights=chunks,
            column_point=columns.point,
            form=form,
            real=real,
        )

    def receive_position(self, at_zero: Element, at_infinity: Element) -> Element:
        """Take s(0) and s(inf) of the sumcheck over cells, masked; draw and return r."""
        self.transcript.absorb_elements("position", [at_zero, at_infinity])
        r = self.transcript.challenge_element("position")
        of_zero = subtract(ONE, add(r, r))  # s(1) = claim - s(0): there is no eq factor here
        self._fold_claim(r, of_zero, r, at_zero, at_infinity)
        self.position_point.append(r)
        return r

    def receive_cells(self, x: Element, claim: LeafClaim) -> None:
        """Take the extension of the combined cells at the point, masked: the last message.

        Notes relations (2) to (5) as far as they speak of pads; the opening adds the cells.
        """
        self.transcript.absorb_elements("cells", [x])
        factor = negate(claim.form.evaluate(self.position_point))
        masked = self._masked(x)
        terms = (
            *((row, cell, negate(value)) for row, cell, value in self._finished_chain()),
            *masked.scaled(factor).terms,
        )
        known = subtract(self._claim.constant, multiply(factor, x))
        self._relate(RelationKind.GRADIENT, terms, known)
        self._relate(RelationKind.CELLS, masked.scaled(negate(ONE)).terms, x)
        numerator = self._numerator
        real = subtract(claim.real, numerator.constant)
        self._relate(RelationKind.MULTIPLICITIES, numerator.terms, real)
        self._relate(RelationKind.MATCHES, (), constant(self._statement.least_matches))

    def _relate(self, kind: RelationKind, terms: tuple[Term, ...], known: Element) -> None:
        """Note a relation, in the order of SPEC.md 17.7."""
        self.relations.append(LinearRelation(kind, terms, known))

    def _masked(self, message: Element) -> Affine:
        """The value behind a message: message + the next cell of the row ``pads``."""
        pad = self._pads
        self._pads += 1
        return Affine(message, ((PADS, pad, ONE),))

    def _fold_claim(
        self,
        of_claim: Element,
        of_zero: Element,
        r: Element,
        at_zero: Element,
        at_infinity: Element,
    ) -> None:
        """One round: the claim becomes of_claim claim + of_zero h(0) + (r^2 - r) h(inf) (17.5).

        The constant is updated at once; the pads' coefficients are kept in ``_chain`` and
        multiplied out once, when the rounds are over.
        """
        of_infinity = subtract(multiply(r, r), r)
        known = add(multiply(of_zero, at_zero), multiply(of_infinity, at_infinity))
        known = add(multiply(of_claim, self._claim.constant), known)
        self._claim = Affine(known, self._claim.terms)
        self._chain.append((of_claim, of_zero, of_infinity, self._pads))
        self._pads += 2

    def _finished_chain(self) -> tuple[Term, ...]:
        """The claim's terms after all rounds; ``_claim`` has its constant already.

        From the last round back: ``later`` is the product of of_claim of the rounds behind.
        """
        terms: list[Term] = []
        later = ONE
        for of_claim, of_zero, of_infinity, pad in reversed(self._chain):
            terms.append((PADS, pad, multiply(later, of_zero)))
            terms.append((PADS, pad + 1, multiply(later, of_infinity)))
            later = multiply(later, of_claim)
        terms.extend((row, cell, multiply(later, v)) for row, cell, v in self._claim.terms)
        return tuple(terms)


def _inverses(values: list[Element]) -> list[Element]:
    """1 / v of every value, with one inversion (Montgomery's trick).

    Raises:
        InvalidOpening: a value is 0 (argument.tree).
    """
    products = [ONE]
    for value in values:
        products.append(multiply(products[-1], value))
    if products[-1] == ZERO:
        raise InvalidOpening("a challenge of the tree is zero", check="argument.tree")
    rest = inverse(products[-1])
    result: list[Element] = []
    for value, before in zip(reversed(values), reversed(products[:-1]), strict=True):
        result.append(multiply(rest, before))
        rest = multiply(rest, value)
    return result[::-1]
