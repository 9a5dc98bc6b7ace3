"""Generates spec/vectors/scores.json from the slow reference (SPEC.md 8.6)."""

from __future__ import annotations

import random
from typing import Any

from tests.reference import points


def scores_vectors() -> dict[str, Any]:
    """`scores.json`: points of all classes, the sum of the labels', and the first term."""
    drawn = random.Random(1983)
    rows = [[9.0, 5.0, 1.0], [9.0, 1.0, 5.0], [5.0, 1.0, 9.0], [5.0, 9.0, 1.0]]
    examples = [{"name": "of the chapter", "scores": rows, "labels": [1, 2, 2, 1]}]
    for count, classes, places in ((1, 2, 3), (8, 2, 3), (7, 5, 0), (12, 10, 3), (20, 4, 17)):
        rows = [[round(drawn.gauss(0, 3), places) for _ in range(classes)] for _ in range(count)]
        labels = [drawn.randrange(classes) for _ in range(count)]
        examples.append({"name": f"{count} of {classes}", "scores": rows, "labels": labels})
    last = rows
    quarters = [[0.5, 0.25, 0.25, 0.0], [0.0, 0.0, 1.0, 0.0], [0.25, 0.25, 0.25, 0.25]]
    nasty = {
        "probabilities": [*quarters, [0.1, 0.2, 0.3, 0.4004], [2.0**-41, 2.0**-40, 0.0, 1.0]],
        "nearly probabilities": [*quarters, [0.1, 0.2, 0.3, 0.4016]],
        "each row times a factor": [[2.0**k * v for v in row] for k, row in enumerate(last)],
        "wild rows": [[1e300, -1e300, 3.0, 1e300], *last[1:]],
        "beyond the limit": [[1.7e308, -1.7e308, 3.0, 1e305], *last[1:6]],
        "next to nothing": [[5e-324, 0.0, -5e-324, 0.0], *last[1:6]],
        "rows of equal scores": [[2.0] * 4, [0.0] * 4, *last[:3]],
        "a class without a spread": [[1.0, *row[1:]] for row in last[:6]],
        "labels alone": [[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]],
    }
    for name, rows in nasty.items():
        labels = [drawn.randrange(4) for _ in rows]
        examples.append({"name": name, "scores": rows, "labels": labels})
    for number, example in enumerate(examples):
        table = points.points(example["scores"])
        classes = len(table[0])
        # every third example has a trigger without an answer, beside the rows
        silent = [None] * (number % 3 == 2)
        labels = example["labels"] + [0] * len(silent)
        value = points.total(table + silent, labels)
        example |= {
            "points": table,
            "unanswered": len(silent),
            "sum": value,
            "term": points.term(points.tail(table + silent, classes, value)),
        }
    return {"examples": examples}
