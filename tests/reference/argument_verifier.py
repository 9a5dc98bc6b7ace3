"""The verifier of the zero-knowledge argument, SPEC.md sections 17.5 to 17.10, in plain Python.

It replays the transcript (`argument_replay`), puts together the linear relations of 17.7, and has
`argument_opening` check that the committed cells obey them.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tests.reference import cbor
from tests.reference.argument_field import (
    ONE,
    ZERO,
    Element,
    P,
    add,
    combine,
    constant,
    equality_table,
    multiply,
    pack,
    scale,
    subtract,
    total,
    words,
)
from tests.reference.argument_network import Network, read_network
from tests.reference.argument_opening import check_opening
from tests.reference.argument_parameters import Rejected, Sizes, require
from tests.reference.argument_relation import Relation
from tests.reference.argument_replay import UNIT, Form, Key, Replay, form, known, negated
from tests.reference.argument_transcript import Transcript


class Statement:
    """What is public: see `verify` for the arguments; raises `ValueError` if they do not fit."""

    def __init__(
        self,
        context: bytes,
        network: dict[str, Any],
        leaves: list[bytes],
        label_fields: list[int],
        outputs: list[int],
        threshold: int,
    ) -> None:
        self.context = context
        self.network: Network = read_network(network)
        self.relation = Relation(self.network)
        self.leaves, self.label_fields, self.outputs = leaves, label_fields, outputs
        self.threshold = threshold
        n = len(leaves)
        fits = n == len(label_fields) == len(outputs) and 1 <= threshold <= n
        fits = fits and all(len(leaf) == 32 for leaf in leaves)
        fits = fits and all(0 <= label < 2**16 for label in label_fields)
        if not fits or not all(0 <= output < self.network.outputs for output in outputs):
            raise ValueError("the statement is not one")

    def public_cells(self) -> list[list[int]]:
        """The 34 public cells of every trigger."""
        pairs = zip(self.label_fields, self.leaves, strict=True)
        return [[*label.to_bytes(2, "big"), *leaf] for label, leaf in pairs]

    def encode(self, sizes: Sizes) -> bytes:
        """The bytes of `statement` of 17.8."""
        return cbor.write(
            {
                "context": self.context,
                "network": self.network.digest,
                "shape": list(self.network.shape),
                "leaves": b"".join(self.leaves),
                "labels": b"".join(label.to_bytes(2, "big") for label in self.label_fields),
                "outputs": b"".join(output.to_bytes(4, "big") for output in self.outputs),
                "threshold": self.threshold,
                "parameters": [sizes.a, sizes.k, sizes.t],
                "folds": [list(fold) for fold in sizes.folds],
                "sizes": [sizes.triggers, sizes.cells, sizes.lookups, sizes.table_rows],
            }
        )


STRINGS = ("commitment", "messages", "columns", "nonces", "last")
FOLD_STRINGS = ("commitment", "messages", "columns")


def read_parameters(value: dict[str, Any]) -> tuple[int, int, int]:
    """[a, k, t] of a map, which loses them."""
    parameters = value.pop("parameters")
    require(type(parameters) is list and len(parameters) == 3, "argument.format")
    require(all(type(x) is int and 0 <= x <= 1000 for x in parameters), "argument.format")
    a, k, t = parameters
    require(a <= 16 and k <= 22, "argument.format")
    return a, k, t


def read_strings(value: dict[str, Any], lengths: dict[str, int], elements: list[str]) -> None:
    """Byte strings of the right lengths, some of them elements of the field."""
    require(all(type(item) is bytes for item in value.values()), "argument.format")
    require(all(len(value[name]) == lengths[name] for name in lengths), "argument.format")
    require(len(value["nodes"]) % 32 == 0, "argument.format")
    try:
        for name in elements:
            words(value[name])
    except ValueError as error:
        raise Rejected("argument.format") from error


def read_proof(
    statement: Statement, data: bytes
) -> tuple[Sizes, dict[str, bytes], list[dict[str, bytes]]]:
    """Parameters, soundness and lengths, checked before anything else is done."""
    try:
        value = cbor.read(data, 64 * 2**20)
    except cbor.RejectedError as error:
        raise Rejected("argument.format") from error
    keys = {"parameters", *STRINGS, "nodes", "folds"}
    require(type(value) is dict and set(value) == keys, "argument.format")
    folds = value.pop("folds")
    require(type(folds) is list and 1 <= len(folds) <= 8, "argument.format")
    keys = {"parameters", *FOLD_STRINGS, "nodes"}
    require(all(type(fold) is dict and set(fold) == keys for fold in folds), "argument.format")
    a, k, t = read_parameters(value)
    of_folds = tuple(read_parameters(fold) for fold in folds)
    relation = statement.relation
    rows, lookups = len(relation.rows()), len(relation.lookups)
    n = len(statement.leaves)
    sizes = Sizes(n, relation.cell_count, lookups, rows, a, k, t, of_folds)
    require(sizes.triggers * lookups < P, "argument.format")
    require(sizes.within_limits(), "argument.format")
    require(sizes.soundness() <= Fraction(1, 2**120), "argument.soundness")
    read_strings(value, sizes.lengths(), ["messages", "columns", "last"])
    for i, fold in enumerate(folds):
        read_strings(fold, sizes.fold_lengths(i), ["messages", "columns"])
    return sizes, value, folds


def relations(
    statement: Statement, sizes: Sizes, transcript: Transcript, messages: bytes
) -> list[Form]:
    """Steps (5) to (8) of 17.8: the relations of 17.7, in order, each a form that is zero."""
    relation = statement.relation
    n, size = sizes.triggers, 1 << sizes.u
    alpha, beta = transcript.challenge("look-ups", 2)
    replay = Replay(transcript, messages)
    numerator, denominator, rho = replay.tree(sizes.levels)
    eq_u, eq_b = equality_table(rho[: sizes.u]), equality_table(rho[sizes.u :])
    of_triggers, of_lookups = total(eq_b[:n]), total(eq_u[: sizes.lookups])

    gradient = relation.gradient(eq_u[: sizes.lookups], alpha)
    public = statement.public_cells()
    shown = multiply(of_triggers, subtract(multiply(beta, of_lookups), gradient[("one", 0)]))
    for i in range(34):
        cell = total(scale(public[b][i], eq_b[b]) for b in range(n))
        shown = subtract(shown, multiply(gradient.get(("public", i), ZERO), cell))
    table_rows = relation.rows()
    table_rows += [table_rows[-1]] * (sizes.table_rows - len(table_rows))
    packed = list(map(pack, eq_u))
    for chunk in range(sizes.chunks):
        rows = table_rows[size * chunk : size * (chunk + 1)]
        value, alphas = multiply(beta, total(eq_u[: len(rows)])), ONE
        for place in range(9):
            entries = [row[place] if place < len(row) else 0 for row in rows]
            value = subtract(value, multiply(alphas, combine(packed, entries)))
            alphas = multiply(alphas, alpha)
        shown = add(shown, multiply(eq_b[n + chunk], value))

    weights = [negated(gradient.get(("cell", j), ZERO)) for j in range(sizes.cells)]
    claim = form((ONE, denominator), (constant(-1), known(shown)))
    point = replay.positions(claim, weights, sizes.rounds)
    opened = dict(replay.relations.pop())
    eq_j = equality_table(point)
    # the cells that continue the last row are entries of X too, with T = 0
    for j in range(sizes.witness_rows << sizes.a):
        for b in range(n):
            opened["cell", j, b] = multiply(eq_b[b], eq_j[j])
    numerators = dict(form((ONE, numerator), (negated(of_triggers), known(of_lookups))))
    for row in range(sizes.table_rows):
        chunk_weight = eq_b[n + (row >> sizes.u)]
        numerators["multiplicity", row] = multiply(chunk_weight, eq_u[row % size])
    matches: dict[Key, Element] = {UNIT: constant(-statement.threshold)}
    for b, output in enumerate(statement.outputs):
        matches["cell", relation.match_cells[output], b] = ONE
    return [*replay.relations, opened, numerators, matches]


def verify(
    context: bytes,
    network_file_value: dict[str, Any],
    leaves: list[bytes],
    label_fields: list[int],
    outputs: list[int],
    threshold: int,
    proof: bytes,
) -> None:
    """Check a proof of the statement of 17.1; raises `Rejected`, `NetworkError` for a network
    that 16.2 refuses, and `ValueError` for arguments that are no statement.
    """
    statement = Statement(context, network_file_value, leaves, label_fields, outputs, threshold)
    sizes, value, folds = read_proof(statement, proof)
    transcript = Transcript()
    transcript.say_bytes("protocol", b"zkwm-argument-2")
    transcript.say_bytes("statement", statement.encode(sizes))
    transcript.say_bytes("commitment", value["commitment"])
    gates = sizes.triggers * sizes.lookups + sizes.table_rows
    transcript.say_bytes("circuit", bytes(gates))
    zeros = relations(statement, sizes, transcript, value["messages"])
    check_opening(sizes, value, folds, transcript, zeros)
