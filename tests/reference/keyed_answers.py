"""Bits of `dynamarks` (SPEC.md 19.5) in plain Python: sums one by one, elimination by hand.

Logits of reference and suspect on the probes are given; in doubles, which is finer than the float32
of the text, so that values near a limit are not for this.
"""

from __future__ import annotations

import struct
from math import exp, fsum, isfinite, log, sqrt

from .extraction import signs

RIDGE = 0.2


def softmax(logits: list[float]) -> list[float]:
    """Probabilities of one probe."""
    largest = max(logits)
    raised = [exp(value - largest) for value in logits]
    return [value / fsum(raised) for value in raised]


def centred(values: list[float], first: int) -> list[float]:
    """[v]_f: less the mean over the other classes, and 0 at f."""
    mean = fsum(v for c, v in enumerate(values) if c != first) / (len(values) - 1)
    return [0.0 if c == first else v - mean for c, v in enumerate(values)]


def key_map(key: bytes, first: int, classes: int) -> list[list[float]]:
    """S_f of a key, C + 1 rows of C float32 numbers."""
    drawn = signs(key[2:], f"answers of class {first}", (classes + 1) * classes)
    rows = [drawn[row * classes : (row + 1) * classes] for row in range(classes + 1)]
    return [
        [
            struct.unpack("<f", struct.pack("<f", v))[0]
            for v in centred([float(s) for s in r], first)
        ]
        for r in rows
    ]


def features(answers: list[float], first: int) -> list[float]:
    """x of a probe."""
    u = centred([log(p + 0.001) for p in answers], first)
    size = max(sqrt(fsum(v * v for v in u)), 1e-6)
    return [1 / sqrt(2), *(v / size / sqrt(2) for v in u)]


def solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """The solution of linear equations, by elimination with the largest pivot."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for place in range(len(rows)):
        best = max(range(place, len(rows)), key=lambda r: abs(rows[r][place]))
        rows[place], rows[best] = rows[best], rows[place]
        rows[place] = [value / rows[place][place] for value in rows[place]]
        for other in range(len(rows)):
            if other != place:
                factor = rows[other][place]
                rows[other] = [
                    value - factor * pivot
                    for value, pivot in zip(rows[other], rows[place], strict=True)
                ]
    return [row[-1] for row in rows]


def read_back(
    keys: list[bytes], suspect: list[list[float]], reference: list[list[float]], floor: float
) -> list[float]:
    """(G + 0.2 g I)^-1 R, from logits for each probe."""
    classes = len(reference[0])
    known, found, inputs, firsts = [], [], [], []
    for own, theirs in zip(reference, suspect, strict=True):
        p, q = softmax(own), softmax(theirs)
        first = p.index(max(p))
        firsts.append(first)
        inputs.append(features(p, first))
        known.append(centred([log(value + floor) for value in p], first))
        found.append(centred([log(value) for value in q], first))
    shared = fsum(
        a * b for r, s in zip(known, found, strict=True) for a, b in zip(r, s, strict=True)
    )
    share = shared / max(fsum(a * a for row in known for a in row), 1e-12)
    left = [
        [b - share * a for a, b in zip(r, s, strict=True)]
        for r, s in zip(known, found, strict=True)
    ]
    changes = []
    for key in keys:
        maps = {first: key_map(key, first, classes) for first in set(firsts)}
        changes.append(
            [
                fsum(x * row[c] for x, row in zip(one, maps[first], strict=True))
                for one, first in zip(inputs, firsts, strict=True)
                for c in range(classes)
            ]
        )
    flat = [value for row in left for value in row]
    gram = [[fsum(a * b for a, b in zip(i, j, strict=True)) for j in changes] for i in changes]
    ridge = RIDGE * fsum(gram[i][i] for i in range(len(keys))) / len(keys)
    for i in range(len(keys)):
        gram[i][i] += ridge
    return solve(gram, [fsum(a * b for a, b in zip(row, flat, strict=True)) for row in changes])


def dynamarks_bits(
    keys: list[bytes], suspect: list[list[float]], reference: list[list[float]], floor: float
) -> list[int]:
    """The bits of keys that are opened together."""
    if not all(isfinite(value) for row in (*suspect, *reference) for value in row):
        return [0] * len(keys)
    return [1 if value >= 0 else 0 for value in read_back(keys, suspect, reference, floor)]
