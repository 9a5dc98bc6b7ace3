"""The opening of the commitment, SPEC.md section 17.7, in plain Python: that linear relations on
the committed cells hold, at the columns that the transcript draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from tests.reference.argument_field import (
    ZERO,
    P,
    add,
    combine,
    elements,
    multiply,
    pack,
    powers,
    root_of_unity,
    scale,
    subtract,
    total,
    words,
)
from tests.reference.argument_parameters import K_ROWS, Sizes, require
from tests.reference.argument_replay import UNIT, Form, form, negated
from tests.reference.argument_transcript import Transcript

CELL_ROWS = ("pads", "left", "right", "product")


def packed_rows(sizes: Sizes, combined: Form) -> list[list[int]]:
    """The polynomials A of witness and multiplicity rows, coefficient of X^i at index i."""
    r, n, a, w = sizes.row_length, sizes.triggers, sizes.a, sizes.multiplicity_log
    rows = [[0] * r for _ in range(sizes.witness_rows + sizes.multiplicity_rows)]
    for key, coefficient in combined.items():
        if key[0] == "cell":
            row, place = key[1] >> a, key[2] + n * (key[1] % 2**a)
        elif key[0] == "multiplicity":
            row, place = sizes.witness_rows + (key[1] >> w), key[1] % 2**w
        else:
            continue
        rows[row][r - 1 - place] = pack(coefficient)
    return rows


def interpolate(h: int, x: int) -> list[int]:
    """The Lagrange coefficients at x of the values on the h-th roots of unity, in order."""
    roots = powers(root_of_unity(h.bit_length() - 1), h)
    scaled = (pow(x, h, P) - 1) * pow(h, -1, P)
    return [scaled * root * pow(x - root, -1, P) % P for root in roots]


def root_of_columns(leaves: Mapping[int, bytes], nodes: bytes, levels: int) -> bytes:
    """The root of the tree of columns; raises `Rejected` if there are not just enough nodes."""
    known_nodes = dict(leaves)
    for level in range(levels):
        for index in sorted(known_nodes):
            if index ^ 1 not in known_nodes:
                require(len(nodes) >= 32, "argument.columns")
                known_nodes[index ^ 1], nodes = nodes[:32], nodes[32:]
        known_nodes = {
            i: hashlib.sha256(
                b"zkwm-node-1"
                + bytes([level + 1])
                + i.to_bytes(4, "big")
                + known_nodes[2 * i]
                + known_nodes[2 * i + 1]
            ).digest()
            for i in {index // 2 for index in known_nodes}
        }
    require(not nodes, "argument.columns")
    return known_nodes[0]


def open_columns(sizes: Sizes, proof: Mapping[str, bytes], columns: list[int]) -> list[list[int]]:
    """The elements of the opened columns, once they are those that were committed."""
    size = 4 * sizes.column_size
    leaves, result = {}, []
    for i, column in enumerate(columns):
        data, nonce = proof["columns"][size * i :][:size], proof["nonces"][32 * i :][:32]
        text = b"zkwm-column-1" + column.to_bytes(4, "big") + nonce + data
        leaves[column] = hashlib.sha256(text).digest()
        result.append(words(data))
    root = root_of_columns(leaves, proof["nodes"], sizes.k)
    require(root == proof["commitment"], "argument.columns")
    return result


def check_opening(
    sizes: Sizes, proof: Mapping[str, bytes], transcript: Transcript, zeros: list[Form]
) -> None:
    """Steps (9) to (11) of 17.8 and what 17.7 has the verifier check."""
    r, h, base = sizes.row_length, sizes.h, sizes.witness_rows + sizes.multiplicity_rows
    drawn = transcript.challenge("relations", len(zeros) + 1 + base + len(K_ROWS) - 1)
    gammas, zeta, rhos = drawn[: len(zeros)], drawn[len(zeros)], drawn[len(zeros) + 1 :]
    answers = {}
    for name in ("low", "dot", "pads", "product"):
        transcript.say_elements(name, proof[name])
        answers[name] = elements(proof[name])
    columns = transcript.indices("columns", sizes.t, sizes.k)
    opened = open_columns(sizes, proof, columns)

    combined = form(*zip(gammas, zeros, strict=True))
    dot = answers["dot"][r - 1]
    for i in (0, h, 2 * h):
        dot = add(dot, scale(h, answers["pads"][i]))
    require(dot == negated(combined[UNIT]), "argument.relations")

    packed = {name: list(map(pack, answer)) for name, answer in answers.items()}
    rows = packed_rows(sizes, combined)
    on_roots = {name: [pack(combined.get((name, i), ZERO)) for i in range(h)] for name in CELL_ROWS}
    packed_rhos = list(map(pack, rhos[:base]))
    for column, column_elements in zip(columns, opened, strict=True):
        x = 3 * pow(root_of_unity(sizes.k), column, P) % P
        at = powers(x, 2 * r + sizes.t)
        values = {name: combine(answer, at) for name, answer in packed.items()}
        cells, flat = column_elements[:base], column_elements[base:]
        of_k = [(a, b, c, d, e) for a, b, c, d, e in zip(*[iter(flat)] * 5, strict=True)]
        row = dict(zip(K_ROWS, of_k, strict=True))

        low = add(row["mask_low"], combine(packed_rhos, cells))
        for rho, element in zip(rhos[base:], of_k[1:], strict=True):
            low = add(low, multiply(rho, element))
        require(low == values["low"], "argument.low_degree")

        dot = add(row["mask_dot_a"], scale(pow(x, r, P), row["mask_dot_b"]))
        dot = add(
            dot, total(scale(cell, combine(a, at)) for cell, a in zip(cells, rows, strict=True))
        )
        require(dot == values["dot"], "argument.dot")

        power_h = pow(x, h, P)
        lagrange = interpolate(h, x)
        pads = add(row["mask_pads_a"], scale(power_h, row["mask_pads_b"]))
        for name in CELL_ROWS:
            pads = add(pads, multiply(combine(on_roots[name], lagrange), row[name]))
        require(pads == values["pads"], "argument.pads")

        excess = subtract(multiply(row["left"], row["right"]), row["product"])
        quotient = scale(pow(power_h - 1, -1, P), multiply(zeta, excess))
        require(add(row["mask_product"], quotient) == values["product"], "argument.product")
