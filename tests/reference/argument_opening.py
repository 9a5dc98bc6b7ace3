"""The opening of the commitment, SPEC.md sections 17.7 and 17.11, in plain Python: that linear
relations on the committed cells hold, at the columns that the transcript draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from tests.reference.argument_field import (
    ONE,
    ZERO,
    Element,
    P,
    add,
    combine,
    constant,
    elements,
    encode,
    equality_table,
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


def open_columns(
    proof: Mapping[str, bytes], columns: list[int], levels: int, prefix: bytes, nonces: bytes
) -> list[list[int]]:
    """The elements of the opened columns, once they are those that were committed."""
    size = len(proof["columns"]) // len(columns)
    leaves, result = {}, []
    for i, column in enumerate(columns):
        data, nonce = proof["columns"][size * i :][:size], nonces[32 * i :][:32]
        text = prefix + column.to_bytes(4, "big") + nonce + data
        leaves[column] = hashlib.sha256(text).digest()
        result.append(words(data))
    root = root_of_columns(leaves, proof["nodes"], levels)
    require(root == proof["commitment"], "argument.columns")
    return result


def code_point(k: int, column: int) -> int:
    """The point of a column of a codeword of 2^k elements."""
    return 3 * pow(root_of_unity(k), column, P) % P


def of_k(flat: list[int]) -> list[Element]:
    """Elements of K, five coefficients each."""
    return [(a, b, c, d, e) for a, b, c, d, e in zip(*[iter(flat)] * 5, strict=True)]


def check_opening(
    sizes: Sizes,
    proof: Mapping[str, bytes],
    folds: list[dict[str, bytes]],
    transcript: Transcript,
    zeros: list[Form],
) -> None:
    """Steps (9) to (14) of 17.8 and what 17.7 and 17.11 have the verifier check."""
    base = sizes.witness_rows + sizes.multiplicity_rows
    drawn = transcript.challenge("relations", len(zeros) + 1 + base + len(K_ROWS) - 1)
    gammas, zeta, rhos = drawn[: len(zeros)], drawn[len(zeros)], drawn[len(zeros) + 1 :]
    transcript.say_bytes("combined", folds[0]["commitment"])
    columns = transcript.indices("columns", sizes.t, sizes.k)
    opened = open_columns(proof, columns, sizes.k, b"zkwm-column-1", proof["nonces"])
    transcript.say_elements("columns", proof["columns"])
    factors = transcript.challenge("claims", 4 * sizes.t)

    combined = form(*zip(gammas, zeros, strict=True))
    points = [code_point(sizes.k, column) for column in columns]
    values = equations(sizes, combined, zeta, rhos, points, opened)
    weights, claim = claim_on_answers(sizes, combined, points, factors, values)
    check_folds(sizes, folds, proof["last"], transcript, claim, weights)


def equations(
    sizes: Sizes,
    combined: Form,
    zeta: Element,
    rhos: list[Element],
    points: list[int],
    opened: list[list[int]],
) -> dict[str, list[Element]]:
    """What the combined rows must be at the opened points."""
    r, h, base = sizes.row_length, sizes.h, sizes.witness_rows + sizes.multiplicity_rows
    rows = packed_rows(sizes, combined)
    on_roots = {name: [pack(combined.get((name, i), ZERO)) for i in range(h)] for name in CELL_ROWS}
    packed_rhos = list(map(pack, rhos[:base]))
    values: dict[str, list[Element]] = {name: [] for name in sizes.answer_lengths}
    for x, column_elements in zip(points, opened, strict=True):
        at = powers(x, r)
        cells, of_rows = column_elements[:base], of_k(column_elements[base:])
        row = dict(zip(K_ROWS, of_rows, strict=True))

        low = add(row["mask_low"], combine(packed_rhos, cells))
        for rho, element in zip(rhos[base:], of_rows[1:], strict=True):
            low = add(low, multiply(rho, element))
        values["low"].append(low)

        dot = add(row["mask_dot_a"], scale(pow(x, r, P), row["mask_dot_b"]))
        products = (scale(cell, combine(a, at)) for cell, a in zip(cells, rows, strict=True))
        values["dot"].append(add(dot, total(products)))

        power_h = pow(x, h, P)
        lagrange = interpolate(h, x)
        pads = add(row["mask_pads_a"], scale(power_h, row["mask_pads_b"]))
        for name in CELL_ROWS:
            pads = add(pads, multiply(combine(on_roots[name], lagrange), row[name]))
        values["pads"].append(pads)

        excess = subtract(multiply(row["left"], row["right"]), row["product"])
        quotient = scale(pow(power_h - 1, -1, P), multiply(zeta, excess))
        values["product"].append(add(row["mask_product"], quotient))
    return values


def claim_on_answers(
    sizes: Sizes,
    combined: Form,
    points: list[int],
    factors: list[Element],
    values: dict[str, list[Element]],
) -> tuple[list[Element], Element]:
    """The weights of the combined rows' coefficients, and what their sum must be."""
    r, h, t = sizes.row_length, sizes.h, sizes.t
    weights, claim = {}, negated(combined[UNIT])
    for place, (name, length) in enumerate(sizes.answer_lengths.items()):
        own = factors[place * t : (place + 1) * t]
        weights[name] = sums_of_powers(points, own, length)
        claim = add(claim, total(map(multiply, own, values[name])))
    weights["dot"][r - 1] = add(weights["dot"][r - 1], ONE)
    for i in (0, h, 2 * h):
        weights["pads"][i] = add(weights["pads"][i], constant(h))
    return [weight for own in weights.values() for weight in own], claim


def sums_of_powers(points: list[int], factors: list[Element], length: int) -> list[Element]:
    """For every e below the length, the sum over the points of factor x^e."""
    packed, at = list(map(pack, factors)), [1] * len(points)
    result = []
    for _ in range(length):
        result.append(combine(packed, at))
        at = [power * x % P for power, x in zip(at, points, strict=True)]
    return result


def folded(values: list[Element], r: Element) -> list[Element]:
    """The values with the lowest bit of their index bound to r."""
    pairs = zip(values[::2], values[1::2], strict=True)
    return [add(x, multiply(r, subtract(y, x))) for x, y in pairs]


def check_folds(
    sizes: Sizes,
    folds: list[dict[str, bytes]],
    last: bytes,
    transcript: Transcript,
    claim: Element,
    weights: list[Element],
) -> None:
    """Section 17.11: the committed vector times the weights is what is claimed."""
    missing = (sizes.last_length << sizes.rounds_of_folds) - len(weights)
    weights = weights + [ZERO] * missing
    for i, (fold, (_, k, t)) in enumerate(zip(folds, sizes.folds, strict=True)):
        point: list[Element] = []
        sent = elements(fold["messages"])
        for zero, infinity in zip(sent[::2], sent[1::2], strict=True):
            transcript.say_elements("fold", encode([zero, infinity]))
            (r,) = transcript.challenge("fold", 1)
            one = subtract(claim, zero)
            square = multiply(r, r)
            claim = add(multiply(subtract(ONE, r), zero), multiply(r, one))
            claim = add(claim, multiply(subtract(square, r), infinity))
            weights = folded(weights, r)
            point.append(r)
        if i + 1 < len(folds):
            transcript.say_bytes("folded", folds[i + 1]["commitment"])
        else:
            transcript.say_elements("last", last)
        columns = transcript.indices("folded columns", t, k)
        numbers = (i + 1).to_bytes(32, "big") * t
        opened = open_columns(fold, columns, k, b"zkwm-folded-1", numbers)
        transcript.say_elements("folded columns", fold["columns"])
        factors = transcript.challenge("claims", t)
        table = equality_table(point)
        for factor, column in zip(factors, opened, strict=True):
            value = total(map(multiply, table, of_k(column)))
            claim = add(claim, multiply(factor, value))
        points = [code_point(k, column) for column in columns]
        gained = sums_of_powers(points, factors, sizes.folded_length(i))
        weights = list(map(add, weights, gained))
    found = total(map(multiply, weights, elements(last)))
    require(found == claim, "argument.relations")
