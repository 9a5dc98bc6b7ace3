"""Bits of `dynamarks` (SPEC.md 19.5) in plain Python: sums one by one, elimination by hand.

Logits of reference and suspect on the probes are given, and the probes; in doubles, which is finer
than the float32 of the text, so that values near a limit are not for this.
"""

from __future__ import annotations

from math import cos, exp, fsum, isfinite, log, pi, sqrt

from tests.reference.extraction import signs

SIDE = 8
RIDGE = 0.1

Pixels = list[list[list[float]]]
"""One probe: channels, rows, columns, each pixel divided by 255."""


def softmax(logits: list[float]) -> list[float]:
    """Probabilities of one probe."""
    largest = max(logits)
    raised = [exp(value - largest) for value in logits]
    return [value / fsum(raised) for value in raised]


def as_sure(answers: list[list[float]], sure: float) -> list[list[float]]:
    """r of all probes, from the logarithms of q."""
    low, high = -6.0, 6.0
    for _ in range(40):
        middle = (low + high) / 2
        found = [max(softmax([2**middle * value for value in row])) for row in answers]
        if fsum(found) / len(found) < sure:
            low = middle
        else:
            high = middle
    return [softmax([2 ** ((low + high) / 2) * value for value in row]) for row in answers]


def logarithms(logits: list[float]) -> list[float]:
    """log q, which softmax would lose where q is tiny."""
    largest = max(logits)
    total = log(fsum(exp(value - largest) for value in logits))
    return [value - largest - total for value in logits]


def centered(values: list[float], first: int) -> list[float]:
    """[v]_f: less the mean over the other classes, and 0 at f."""
    mean = fsum(v for c, v in enumerate(values) if c != first) / (len(values) - 1)
    return [0.0 if c == first else v - mean for c, v in enumerate(values)]


def key_map(key: bytes, classes: int) -> list[list[float]]:
    """S of a key, 63 rows of C signs."""
    count = SIDE * SIDE - 1
    drawn = signs(key[2:], "answers", count * classes)
    return [[float(s) for s in drawn[row * classes : (row + 1) * classes]] for row in range(count)]


def features(image: Pixels) -> list[float]:
    """x of a probe."""
    height, width = len(image[0]), len(image[0][0])
    gray = [
        [fsum(channel[y][x] for channel in image) / len(image) for x in range(width)]
        for y in range(height)
    ]
    found = []
    for i in range(SIDE):
        for j in range(SIDE):
            if (i, j) != (0, 0):
                total = fsum(
                    gray[y][x] * basis(i, y, height) * basis(j, x, width)
                    for y in range(height)
                    for x in range(width)
                )
                found.append(total * sqrt(i * i + j * j))
    size = max(sqrt(fsum(v * v for v in found)), 0.01)
    return [v / size for v in found]


def basis(frequency: int, place: int, length: int) -> float:
    """A number of the orthonormal DCT-II."""
    scale = sqrt((1 if frequency == 0 else 2) / length)
    return scale * cos(pi * frequency * (2 * place + 1) / (2 * length))


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
    keys: list[bytes],
    suspect: list[list[float]],
    reference: list[list[float]],
    probes: list[Pixels],
    floor: float,
) -> list[float]:
    """(G + 0.1 g I)^-1 R, from logits for each probe."""
    classes = len(reference[0])
    expected = [softmax(own) for own in reference]
    firsts = [p.index(max(p)) for p in expected]
    sure = fsum((max(p) + floor) / (1 + classes * floor) for p in expected) / len(expected)
    answers = as_sure([logarithms(theirs) for theirs in suspect], sure)
    known, found = [], []
    for p, r, first in zip(expected, answers, firsts, strict=True):
        known.append(centered([log(value + floor) for value in p], first))
        found.append(centered([log(value + floor / 3) for value in r], first))
    shared = fsum(
        a * b for r, s in zip(known, found, strict=True) for a, b in zip(r, s, strict=True)
    )
    share = shared / max(fsum(a * a for row in known for a in row), 1e-12)
    left = [
        [b - share * a for a, b in zip(r, s, strict=True)]
        for r, s in zip(known, found, strict=True)
    ]
    inputs = [features(image) for image in probes]
    changes = []
    for key in keys:
        columns = list(zip(*key_map(key, classes), strict=True))
        change: list[float] = []
        for x, first in zip(inputs, firsts, strict=True):
            moved = [fsum(a * s for a, s in zip(x, column, strict=True)) for column in columns]
            change.extend(centered(moved, first))
        changes.append(change)
    flat = [value for row in left for value in row]
    gram = [[fsum(a * b for a, b in zip(i, j, strict=True)) for j in changes] for i in changes]
    ridge = RIDGE * fsum(gram[i][i] for i in range(len(keys))) / len(keys)
    for i in range(len(keys)):
        gram[i][i] += ridge
    return solve(gram, [fsum(a * b for a, b in zip(row, flat, strict=True)) for row in changes])


def dynamarks_bits(
    keys: list[bytes],
    suspect: list[list[float]],
    reference: list[list[float]],
    probes: list[Pixels],
    floor: float,
) -> list[int] | None:
    """The bits of keys that are opened together; None where an answer is not finite."""
    if not all(isfinite(value) for row in (*suspect, *reference) for value in row):
        return None
    return [1 if value >= 0 else 0 for value in read_back(keys, suspect, reference, probes, floor)]
