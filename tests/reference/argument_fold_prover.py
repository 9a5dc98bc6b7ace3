"""The prover of SPEC.md section 17.11, in plain Python: commits to vectors, folds, opens."""

from __future__ import annotations

from typing import Any

from tests.reference.argument_columns import CommittedColumns, committed_vector
from tests.reference.argument_field import Element, add, encode, multiply, subtract, total
from tests.reference.argument_opening import code_point, folded, sums_of_powers
from tests.reference.argument_parameters import Sizes
from tests.reference.argument_transcript import Transcript


def prove_folds(
    sizes: Sizes,
    transcript: Transcript,
    committed: CommittedColumns,
    vector: list[Element],
    weights: list[Element],
) -> tuple[list[dict[str, Any]], bytes]:
    """Section 17.11: the maps of all folds, and what is left."""
    folds: list[dict[str, Any]] = []
    last = b""
    for i, (a, k, t) in enumerate(sizes.folds):
        messages = b""
        for _ in range(a):
            zero = total(map(multiply, weights[::2], vector[::2]))
            steps = (
                map(subtract, weights[1::2], weights[::2]),
                map(subtract, vector[1::2], vector[::2]),
            )
            sent = encode([zero, total(map(multiply, *steps))])
            transcript.say_elements("fold", sent)
            messages += sent
            (r,) = transcript.challenge("fold", 1)
            weights, vector = folded(weights, r), folded(vector, r)
        current = committed
        if i + 1 < len(sizes.folds):
            committed = committed_vector(sizes, i + 1, vector)
            transcript.say_bytes("folded", committed.root)
        else:
            last = encode(vector)
            transcript.say_elements("last", last)
        columns = transcript.indices("folded columns", t, k)
        opened = current.opened(columns)
        transcript.say_elements("folded columns", opened["columns"])
        factors = transcript.challenge("claims", t)
        points = [code_point(k, column) for column in columns]
        weights = list(map(add, weights, sums_of_powers(points, factors, len(vector))))
        folds.append(
            {"parameters": [a, k, t], "commitment": current.root, "messages": messages, **opened}
        )
    return folds, last
