"""A prover of the zero-knowledge argument, SPEC.md section 17, in plain Python: a minute for the
smallest statements. For tests: it shares only `argument_*` of this package with the verifier.
"""

from __future__ import annotations

from random import Random

from tests.reference import cbor
from tests.reference.argument_columns import committed_rows, committed_vector
from tests.reference.argument_field import (
    ONE,
    ZERO,
    Element,
    P,
    add,
    constant,
    encode,
    equality_table,
    multiply,
    power,
    scale,
    subtract,
    total,
)
from tests.reference.argument_fold_prover import prove_folds
from tests.reference.argument_opening import (
    CELL_ROWS,
    claim_on_answers,
    code_point,
    folded,
    packed_rows,
)
from tests.reference.argument_parameters import K_ROWS, Sizes
from tests.reference.argument_polynomial import KPolynomial, on_roots, plus, times
from tests.reference.argument_relation import evaluate
from tests.reference.argument_replay import UNIT, Form, form
from tests.reference.argument_transcript import Transcript
from tests.reference.argument_verifier import Statement, relations
from tests.reference.argument_witness import fill


class Prover:
    """One proof; the arguments are those of `verify` in the statement, images and salts."""

    def __init__(
        self,
        statement: Statement,
        images: list[bytes],
        salts: list[bytes],
        parameters: list[int],
        folds: list[list[int]],
        seed: int,
    ) -> None:
        self.rng = Random(seed)
        self.statement, relation = statement, statement.relation
        n = len(images)
        self.table = relation.rows()
        self.sizes = Sizes(
            n,
            relation.cell_count,
            len(relation.lookups),
            len(self.table),
            *parameters,
            tuple((a, k, t) for a, k, t in folds),
        )
        self.table += [self.table[-1]] * (self.sizes.table_rows - len(self.table))
        self.cells, left = [], statement.threshold
        for b in range(n):
            wanted = statement.outputs[b] if left else -1
            cells = fill(statement.network, images[b], salts[b], statement.label_fields[b], wanted)
            left -= left and cells[relation.match_cells[wanted]]
            self.cells.append(cells)
        tags = {table: tag for tag, table in enumerate(relation.tables, start=1)}
        public = statement.public_cells()
        self.values = [
            [
                (tags[item.table], *(evaluate(v, self.cells[b], public[b]) for v in item.values))
                for item in relation.lookups
            ]
            for b in range(n)
        ]
        numbers = {row: i for i, row in reversed(list(enumerate(self.table)))}
        self.multiplicities = [0] * len(self.table)
        for values in self.values:
            for value in values:
                self.multiplicities[numbers[value]] += 1
        self.commit()

    def drawn(self, count: int) -> list[int]:
        return [self.rng.randrange(P) for _ in range(count)]

    def drawn_k(self, count: int) -> KPolynomial:
        return [tuple(self.drawn(5)) for _ in range(count)]

    def commit(self) -> None:
        s = self.sizes
        r, t, h = s.row_length, s.t, s.h
        self.base = []
        for i in range(s.witness_rows):
            row = []
            for j in range(i << s.a, (i + 1) << s.a):
                row += [cells[j] if j < s.cells else 0 for cells in self.cells]
            self.base.append(row + self.drawn(t))
        w = 1 << s.multiplicity_log
        for i in range(0, s.table_rows, w):
            self.base.append(self.multiplicities[i : i + w] + [0] * (r - w) + self.drawn(t))
        masks = {"mask_low": r + t, "mask_dot_a": r + t, "mask_dot_b": r + t}
        masks |= {"mask_pads_a": h + t, "mask_pads_b": h + t, "mask_product": h + 2 * t}
        self.k_rows = {name: self.drawn_k(size) for name, size in masks.items()}
        a, b = self.k_rows["mask_pads_a"], self.k_rows["mask_pads_b"]
        self.k_rows["mask_dot_a"][r - 1] = scale(-h, total([a[0], a[h], b[0], b[h]]))
        self.pads = {
            "pads": self.drawn_k(s.pads),
            "left": self.drawn_k(2 * s.levels),
            "right": self.drawn_k(2 * s.levels),
        }
        pairs = zip(self.pads["left"], self.pads["right"], strict=True)
        self.pads["product"] = [multiply(x, y) for x, y in pairs]
        for name in CELL_ROWS:
            cells = self.pads[name] + [ZERO] * (h - len(self.pads[name]))
            self.pads[name] = cells
            random = self.drawn_k(t)
            negative = [scale(-1, x) for x in random]
            self.k_rows[name] = plus(plus(on_roots(cells), negative), random, h)
        rows = [self.k_rows[name] for name in K_ROWS]
        self.committed = committed_rows(s, self.base, rows, self.rng)

    def send(self, label: str, values: list[Element], pads: list[Element]) -> None:
        data = encode(subtract(x, y) for x, y in zip(values, pads, strict=True))
        self.messages += data
        self.transcript.say_elements(label, data)

    def next_pads(self, count: int) -> list[Element]:
        self.used += count
        return self.pads["pads"][self.used - count : self.used]

    def challenge(self, label: str) -> Element:
        return self.transcript.challenge(label, 1)[0]

    def tree(self, alpha: Element, beta: Element) -> list[Element]:
        s = self.sizes
        alphas = [power(alpha, i) for i in range(9)]

        def difference(row: tuple[int, ...]) -> Element:
            return subtract(beta, total(scale(v, x) for v, x in zip(row, alphas, strict=False)))

        size = 1 << s.u
        d, n = [], []
        for values in self.values:
            d += [difference(v) for v in values] + [ZERO] * (size - len(values))
            n += [ONE] * len(values) + [ZERO] * (size - len(values))
        d += [difference(row) for row in self.table]
        n += [constant(-m) for m in self.multiplicities]
        d += [ZERO] * ((1 << s.levels) - len(d))
        n += [ZERO] * ((1 << s.levels) - len(n))
        tree = [(n, d)]
        for _ in range(s.levels):
            n, d = tree[-1]
            up_n, up_d = [], []
            for n0, n1, d0, d1 in zip(n[::2], n[1::2], d[::2], d[1::2], strict=True):
                up_n.append(total([n0, multiply(n0, d1), n1, multiply(n1, d0)]))
                up_d.append(total([d0, d1, multiply(d0, d1)]))
            tree.append((up_n, up_d))
        (n, d) = tree.pop()
        assert n == [ZERO]
        self.send("root", d, self.next_pads(1))
        q: list[Element] = []
        for level in range(s.levels):
            n, d = tree.pop()
            lam = self.challenge("level")
            w = [add(x, multiply(lam, y)) for x, y in zip(n[::2], d[::2], strict=True)]
            arrays = [w, d[1::2], n[1::2], d[::2]]
            point: list[Element] = []
            for j in range(level):
                self.send(
                    "round", list(fractions_round(arrays, q[j + 1 :], lam)), self.next_pads(2)
                )
                point.append(self.challenge("round"))
                arrays = [folded(array, point[-1]) for array in arrays]
            x, y = self.pads["left"], self.pads["right"]
            at = 2 * level
            self.send("children", [a[0] for a in arrays], [x[at], y[at], x[at + 1], y[at + 1]])
            q = [self.challenge("side"), *point]
        return q

    def positions(self, alpha: Element, rho: list[Element]) -> None:
        s = self.sizes
        eq_u, eq_b = equality_table(rho[: s.u]), equality_table(rho[s.u :])
        gradient = self.statement.relation.gradient(eq_u[: s.lookups], alpha)
        zeros = [ZERO] * ((1 << s.rounds) - s.cells)
        t = [scale(-1, gradient.get(("cell", j), ZERO)) for j in range(s.cells)] + zeros
        x = [
            total(scale(cells[j], e) for cells, e in zip(self.cells, eq_b, strict=False))
            for j in range(s.cells)
        ] + zeros
        for _ in range(s.rounds):
            zero = total(map(multiply, t[::2], x[::2]))
            steps = (map(subtract, t[1::2], t[::2]), map(subtract, x[1::2], x[::2]))
            self.send("position", [zero, total(map(multiply, *steps))], self.next_pads(2))
            r = self.challenge("position")
            t, x = folded(t, r), folded(x, r)
        self.send("cells", x, self.next_pads(1))

    def answers(self, zeros: list[Form]) -> dict[str, KPolynomial]:
        s = self.sizes
        h, base = s.h, len(self.base)
        drawn = self.transcript.challenge("relations", len(zeros) + base + len(K_ROWS))
        gammas, zeta, rhos = drawn[: len(zeros)], drawn[len(zeros)], drawn[len(zeros) + 1 :]
        combined = form(*zip(gammas, zeros, strict=True))
        k = self.k_rows
        lifted = [[constant(c) for c in row] for row in self.base]
        low = k["mask_low"]
        for rho, row in zip(rhos, [*lifted, *(k[name] for name in K_ROWS[1:])], strict=True):
            low = plus(low, [multiply(rho, c) for c in row])
        dot = plus(k["mask_dot_a"], k["mask_dot_b"], s.row_length)
        for packed, row in zip(packed_rows(s, combined), lifted, strict=True):
            a = [tuple(x >> 128 * i & (1 << 128) - 1 for i in range(5)) for x in packed]
            dot = plus(dot, times(row, a))
        pads = plus(k["mask_pads_a"], k["mask_pads_b"], h)
        for name in CELL_ROWS:
            weights = on_roots([combined.get((name, i), ZERO) for i in range(h)])
            pads = plus(pads, times(weights, k[name]))
        excess = plus(times(k["left"], k["right"]), [scale(-1, c) for c in k["product"]])
        quotient = [ZERO] * (len(excess) - h)
        for i in range(len(quotient) - 1, -1, -1):
            above = quotient[i + h] if i + h < len(quotient) else ZERO
            quotient[i] = add(excess[i + h], above)
        product = plus(k["mask_product"], [multiply(zeta, c) for c in quotient])
        return {"low": low, "dot": dot, "pads": pads, "product": product}

    def converse(self) -> dict[str, KPolynomial]:
        """Steps (1) to (9) of 17.8: what is answered in step (10)."""
        s, root = self.sizes, self.committed.root
        self.messages, self.used = b"", 0
        self.transcript = started(self.statement, s, root)
        alpha, beta = self.transcript.challenge("look-ups", 2)
        self.positions(alpha, self.tree(alpha, beta))
        assert self.used == s.pads
        replay = started(self.statement, s, root)
        self.relations = relations(self.statement, s, replay, self.messages)
        self.before_answers = self.transcript.copy()
        return self.answers(self.relations)

    def finish(self, answers: dict[str, KPolynomial]) -> bytes:
        """Steps (10) to (14): the bytes of a proof."""
        s, transcript = self.sizes, self.transcript.copy()
        vector = [coefficient for answer in answers.values() for coefficient in answer]
        vector += [ZERO] * ((s.last_length << s.rounds_of_folds) - len(vector))
        first = committed_vector(s, 0, vector)
        transcript.say_bytes("combined", first.root)
        columns = transcript.indices("columns", s.t, s.k)
        opened = self.committed.opened(columns)
        transcript.say_elements("columns", opened["columns"])
        factors = transcript.challenge("claims", 4 * s.t)
        points = [code_point(s.k, column) for column in columns]
        weights = self.weights(points, factors)
        weights += [ZERO] * (len(vector) - len(weights))
        folds, last = prove_folds(s, transcript, first, vector, weights)
        return cbor.write(
            {
                "parameters": [s.a, s.k, s.t],
                "commitment": self.committed.root,
                "messages": self.messages,
                **opened,
                "nonces": b"".join(self.committed.nonces[c] for c in columns),
                "folds": folds,
                "last": last,
            }
        )

    def weights(self, points: list[int], factors: list[Element]) -> list[Element]:
        """The weights of the combined rows' coefficients; what is claimed of them plays no part."""
        nothing = {name: [ZERO] * self.sizes.t for name in self.sizes.answer_lengths}
        return claim_on_answers(self.sizes, {UNIT: ZERO}, points, factors, nothing)[0]


def started(statement: Statement, sizes: Sizes, root: bytes) -> Transcript:
    """The transcript up to step (4) of 17.8."""
    transcript = Transcript()
    transcript.say_bytes("protocol", b"zkwm-argument-2")
    transcript.say_bytes("statement", statement.encode(sizes))
    transcript.say_bytes("commitment", root)
    transcript.say_bytes("circuit", bytes(sizes.triggers * sizes.lookups + sizes.table_rows))
    return transcript


def fractions_round(
    arrays: list[list[Element]], later: list[Element], lam: Element
) -> tuple[Element, Element]:
    """h(0) and h(inf) of a round of 17.5."""
    eq = equality_table(later)
    zero = infinity = ZERO
    for i, weight in enumerate(eq):
        w, d1, n1, d0 = (array[2 * i] for array in arrays)
        w_, d1_, n1_, d0_ = (subtract(a[2 * i + 1], a[2 * i]) for a in arrays)
        f = total([w, n1, multiply(add(lam, w), d1), multiply(n1, d0)])
        zero = add(zero, multiply(weight, f))
        square = add(multiply(w_, d1_), multiply(n1_, d0_))
        infinity = add(infinity, multiply(weight, square))
    return zero, infinity
