"""Writes the argument's vectors of SPEC.md section 15: ``python -m tests.vectors.argument``.

Small ones of every part: made again, they are the same. And one whole proof, ``argument.proof``,
random, with bytes changed in it and the check that MUST fail then; a stored proof is kept while it
is one of the same statement.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from tests.support.argument_case import ArgumentCase, argument_case
from tests.support.small_networks import small_network
from tests.vectors.build import hexadecimal
from tests.vectors.generate import FOLDER
from zkwm_protocols.argument.ligero.column_tree import (
    FOLD_PREFIX,
    build_tree,
    fold_nonces,
    hash_columns,
)
from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.argument.verifier import verify
from zkwm_protocols.encoding import decode, encode
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.field import scalar
from zkwm_protocols.integer_network.codec import digest, to_bytes
from zkwm_protocols.integer_network.evaluate import labels, logits

PROOF = FOLDER / "argument.proof"
LIMIT = 64 * 2**20
CHANGED = ("parameters", "commitment", "messages", "columns", "nonces", "nodes", "last")
CHANGED_OF_FOLDS = ("parameters", "commitment", "messages", "columns", "nodes")


def small_vectors(case: ArgumentCase) -> dict[str, Any]:
    """Field, transcript, column tree, network, relation: made again, they are the same."""
    return {
        "field": _field(),
        "transcript": _transcript(),
        "columns": _columns(),
        "folded_columns": _folded_columns(),
        "network": _network(case),
        "relation": _relation(case),
        "statement": _statement(case),
    }


def vector_case() -> ArgumentCase:
    """Two triggers of the small network that has every kind of node; one match is claimed."""
    return argument_case(2, seed=20261124, network=small_network(), wrong=1)


def mutations(case: ArgumentCase, proof: bytes) -> list[dict[str, Any]]:
    """One byte changed in every field, and what is refused then."""
    fields = decode(proof, limit=LIMIT)
    places: list[tuple[int | None, str]] = [(None, key) for key in CHANGED]
    for fold in range(len(fields["folds"])):
        places += [(fold, key) for key in CHANGED_OF_FOLDS]
    found = []
    for fold, key in places:
        before = (fields if fold is None else fields["folds"][fold])[key]
        change: dict[str, Any] = {"field": key, "fold": fold, "place": None, "byte": None}
        change["value"] = None
        if key == "parameters":
            change["value"] = [*before[:2], before[2] - 100]
        else:
            change["place"] = len(before) // 3 // 4 * 4
            change["byte"] = before[change["place"]] ^ 1
        try:
            verify(case.statement, changed(proof, change))
        except CouldNotCheck as error:
            change["check"] = error.check
        found.append(change)
    return found


def changed(proof: bytes, change: dict[str, Any]) -> bytes:
    """The proof with one of the changes of ``mutations``."""
    fields = decode(proof, limit=LIMIT)
    where = fields if change["fold"] is None else fields["folds"][change["fold"]]
    if change["place"] is None:
        where[change["field"]] = change["value"]
    else:
        data = bytearray(where[change["field"]])
        data[change["place"]] = change["byte"]
        where[change["field"]] = bytes(data)
    return encode(fields)


def _field() -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    pairs = [
        tuple(tuple(int(v) for v in rng.integers(0, scalar.P, 5)) for _ in range(2))
        for _ in range(3)
    ]
    largest = (scalar.P - 1,) * 5
    pairs.append((largest, largest))
    pairs.append(((0, 1, 0, 0, 0), (0, 0, 0, 0, 1)))
    return [
        {
            "a": list(a),
            "b": list(b),
            "product": list(scalar.multiply(a, b)),
            "inverse_of_a": list(scalar.inverse(a)),
        }
        for a, b in pairs
    ]


def _transcript() -> dict[str, Any]:
    transcript = Transcript()
    transcript.absorb_bytes("protocol", b"zkwm-argument-2")
    transcript.absorb_elements("root", [(1, 2, 3, 4, 5)])
    return {
        "absorbed": [
            {"label": "protocol", "bytes": b"zkwm-argument-2"},
            {"label": "root", "elements": [[1, 2, 3, 4, 5]]},
        ],
        "challenges": [
            {
                "label": "look-ups",
                "elements": [list(e) for e in transcript.challenge_list("look-ups", 2)],
            },
            {"label": "round", "elements": [list(transcript.challenge_element("round"))]},
            {
                "label": "columns",
                "bits": 8,
                "indices": transcript.challenge_indices("columns", 8, 12),
            },
        ],
    }


def _columns() -> dict[str, Any]:
    columns = np.arange(8 * 3, dtype=np.uint32).reshape(8, 3)
    nonces = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(8))
    leaves = hash_columns(columns, nonces, np.arange(8))
    tree = build_tree(leaves)
    opened = [1, 2, 6]
    return {
        "elements": columns.tolist(),
        "nonces": nonces,
        "leaves": leaves,
        "root": tree.root,
        "opened": opened,
        "nodes": b"".join(tree.missing_nodes(opened)),
    }


def _folded_columns() -> dict[str, Any]:
    columns = np.arange(8 * 10, dtype=np.uint32).reshape(8, 10)
    leaves = hash_columns(columns, fold_nonces(2, 8), np.arange(8), FOLD_PREFIX)
    return {
        "fold": 2,
        "elements": columns.tolist(),
        "leaves": leaves,
        "root": build_tree(leaves).root,
    }


def _network(case: ArgumentCase) -> dict[str, Any]:
    network = case.statement.network
    return {
        "file": to_bytes(network),
        "digest": digest(network),
        "logit_bound": network.logit_bound,
        "images": case.images.tobytes(),
        "logits": logits(network, case.images).tolist(),
        "labels": labels(network, case.images).tolist(),
    }


def _relation(case: ArgumentCase) -> dict[str, Any]:
    relation, layout = case.relation, case.layout
    leaf_first = relation.leaf.first_cell
    return {
        "cells": relation.cell_count,
        "look_ups": relation.lookup_count,
        "table_rows": relation.tables.total_rows,
        "first_look_ups": relation.first_lookups,
        "salts": b"".join(case.salts),
        "leaf_cells": _digest(case.witness.cells[leaf_first:][: relation.leaf.cell_count, 0]),
        "network_cells": _digest(
            case.witness.cells[relation.network.first_cell : relation.argmax.first_cell, 0]
        ),
        "rows": _digest(case.witness.rows[0, : relation.first_lookups["argmax"]]),
        "levels": layout.levels,
    }


def _digest(values: Any) -> bytes:
    """SHA-256 of the values as 4 bytes, little-endian."""
    return hashlib.sha256(np.ascontiguousarray(values).astype("<u4").tobytes()).digest()


def _statement(case: ArgumentCase) -> dict[str, Any]:
    statement = case.statement
    return {
        "context": statement.context,
        "leaves": list(statement.leaves),
        "label_fields": list(statement.label_fields),
        "outputs": list(statement.outputs),
        "least_matches": statement.least_matches,
        "encoded": hashlib.sha256(statement.to_bytes(case.layout)).digest(),
    }


def main() -> None:
    """Write ``argument.json``, and ``argument.proof`` where the stored one does not verify."""
    case = vector_case()
    try:
        proof = PROOF.read_bytes()
        verify(case.statement, proof)
    except (OSError, CouldNotCheck):
        proof = case.prove().to_bytes()
        PROOF.write_bytes(proof)
    made = {
        **small_vectors(case),
        "proof": {"sha256": hashlib.sha256(proof).digest(), "changed": mutations(case, proof)},
    }
    text = json.dumps(hexadecimal(made), indent=1, ensure_ascii=False) + "\n"
    (FOLDER / "argument.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
