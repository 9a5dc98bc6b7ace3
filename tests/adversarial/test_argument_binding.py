"""A proof is for one statement, byte for byte: under any other, or changed, it is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.argument_case import ArgumentCase, argument_case
from tests.support.small_networks import small_network
from tests.vectors.argument import CHANGED
from zkwm_protocols.argument.proof import Proof, read_proof
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.argument.verifier import verify
from zkwm_protocols.encoding import decode, encode
from zkwm_protocols.errors import CouldNotCheck, InvalidOpening, Malformed, NotEnoughMatches
from zkwm_protocols.field.scalar import P

LIMIT = 64 * 2**20


@pytest.fixture(scope="module")
def case() -> ArgumentCase:
    return argument_case(3, wrong=1)


@pytest.fixture(scope="module")
def proof(case: ArgumentCase) -> bytes:
    return case.prove().to_bytes()


def refuse(statement: Statement, proof: bytes) -> str:
    with pytest.raises((InvalidOpening, Malformed)) as caught:
        verify(statement, proof)
    return caught.value.check


@pytest.mark.slow
def test_the_statement_itself(case: ArgumentCase, proof: bytes) -> None:
    layout = verify(case.statement, proof)
    assert layout.soundness_bits >= 120


def test_another_context_nonce_or_judge(case: ArgumentCase, proof: bytes) -> None:
    refuse(replace(case.statement, context=b"contexu"), proof)


def test_another_threshold(case: ArgumentCase, proof: bytes) -> None:
    for least in (1, 3):
        assert refuse(replace(case.statement, least_matches=least), proof)


def test_another_leaf_order_or_commitment(case: ArgumentCase, proof: bytes) -> None:
    leaves = case.statement.leaves
    refuse(replace(case.statement, leaves=(leaves[1], leaves[0], leaves[2])), proof)
    refuse(replace(case.statement, leaves=(bytes(32), *leaves[1:])), proof)


def test_other_labels(case: ArgumentCase, proof: bytes) -> None:
    outputs = case.statement.outputs
    changed = ((outputs[0] + 1) % 3, *outputs[1:])
    refuse(replace(case.statement, outputs=changed), proof)
    refuse(replace(case.statement, label_fields=(0xFFFF, 0xFFFF, 0)), proof)


def test_another_network(case: ArgumentCase, proof: bytes) -> None:
    refuse(replace(case.statement, network=small_network(1)), proof)


def test_another_number_of_triggers(case: ArgumentCase, proof: bytes) -> None:
    statement = case.statement
    fewer = replace(
        statement,
        leaves=statement.leaves[:2],
        label_fields=statement.label_fields[:2],
        outputs=statement.outputs[:2],
        least_matches=2,
    )
    assert refuse(fewer, proof) == "argument.format"


def test_fewer_matches_than_demanded_make_no_proof(case: ArgumentCase) -> None:
    with pytest.raises(NotEnoughMatches):
        argument_case(3, wrong=1, least_matches=3)


def test_a_count_that_the_match_bits_do_not_have(case: ArgumentCase) -> None:
    """An honest witness of two matches under a statement that demands three."""
    cheat = replace(case, statement=replace(case.statement, least_matches=3))
    assert refuse(cheat.statement, cheat.prove().to_bytes()) == "argument.relations"


def test_match_bits_of_other_labels(case: ArgumentCase) -> None:
    """A witness whose match bits stand at other outputs than the labels'."""
    outputs = case.statement.outputs
    changed = tuple((output + 1) % 3 for output in outputs)
    cheat = replace(case, statement=replace(case.statement, outputs=changed))
    assert refuse(cheat.statement, cheat.prove().to_bytes()) == "argument.relations"


def test_a_wrong_multiplicity(case: ArgumentCase, monkeypatch: pytest.MonkeyPatch) -> None:
    original = type(case.witness).multiplicities

    def wrong(self: object, count: int) -> np.ndarray:
        found = original(self, count)
        found[np.flatnonzero(found)[0]] += 1
        return found

    monkeypatch.setattr(type(case.witness), "multiplicities", wrong)
    assert refuse(case.statement, case.prove().to_bytes()) == "argument.relations"


def test_a_lookup_in_another_table(case: ArgumentCase) -> None:
    """Tags keep tables apart: a row of one counts in no other, even with the same values."""
    rows = case.witness.rows.copy()
    first = case.relation.first_lookups["argmax"]
    tables = case.relation.tables
    rows[0, first] = tables.first_row("positive") + 255
    cheat = replace(case.witness, rows=rows)
    with pytest.raises(InvalidOpening) as caught:
        verify(case.statement, replace(case, witness=cheat).prove().to_bytes())
    assert caught.value.check == "argument.relations"


FIELDS = [key for key in CHANGED if key != "parameters"]


@pytest.mark.parametrize("key", FIELDS)
def test_a_byte_changed(case: ArgumentCase, proof: bytes, key: str) -> None:
    """Messages before the challenge of columns: a change draws other columns than were opened.

    That the polynomials have checks of their own is tests/protocols/argument/ligero/test_ligero.py.
    """
    fields = decode(proof, limit=LIMIT)
    rng = np.random.default_rng(5)
    data = bytearray(fields[key])
    for place in {0, len(data) - 1, *(int(i) for i in rng.integers(0, len(data), 4))}:
        changed = bytearray(data)
        changed[place // 4 * 4] ^= 1  # the lowest byte of an element, which stays below p
        check = refuse(case.statement, encode({**fields, key: bytes(changed)}))
        assert check == "argument.columns", (key, place, check)


@pytest.mark.parametrize("key", FIELDS)
@pytest.mark.parametrize("change", ["shorter", "longer", "empty", "element"])
def test_a_length_changed(case: ArgumentCase, proof: bytes, key: str, change: str) -> None:
    fields = decode(proof, limit=LIMIT)
    data = fields[key]
    changed = {
        "shorter": data[:-1],
        "longer": data + b"\0",
        "empty": b"",
        "element": data + bytes(32 if key == "nodes" else 20),
    }[change]
    check = refuse(case.statement, encode({**fields, key: changed}))
    assert check == ("argument.columns" if _whole_nodes(key, changed) else "argument.format")


def _whole_nodes(key: str, data: bytes) -> bool:
    return key == "nodes" and len(data) % 32 == 0


@pytest.mark.parametrize("key", ["messages", "columns", "last"])
@pytest.mark.parametrize("value", [P, 2**31, 2**32 - 1])
def test_elements_out_of_range(case: ArgumentCase, proof: bytes, key: str, value: int) -> None:
    fields = decode(proof, limit=LIMIT)
    data = value.to_bytes(4, "little") + fields[key][4:]
    assert refuse(case.statement, encode({**fields, key: data})) == "argument.format"


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda p: [p[0], p[1], 10], "argument.soundness"),
        (lambda p: [p[0], p[1], p[2] - 1], "argument.soundness"),
        (lambda p: [p[0], p[1], p[2] + 1], "argument.format"),
        (lambda p: [p[0] + 1, p[1], p[2]], "argument.soundness"),
        (lambda p: [p[0], p[1] + 1, p[2]], "argument.columns"),
        (lambda p: [p[0], 22, p[2]], "argument.columns"),
        (lambda p: [p[0], 23, p[2]], "argument.format"),
        (lambda p: [17, p[1], p[2]], "argument.format"),
        (lambda p: [2**20, 2**20, 2**20], "argument.format"),
        (lambda p: [-1, p[1], p[2]], "argument.format"),
        (lambda p: p[:2], "argument.format"),
        (lambda p: [*p, 1], "argument.format"),
        (lambda p: [True, p[1], p[2]], "argument.format"),
    ],
)
def test_other_parameters(
    case: ArgumentCase, proof: bytes, change: Callable[[list[int]], list[int]], check: str
) -> None:
    fields = decode(proof, limit=LIMIT)
    parameters = change(fields["parameters"])
    assert refuse(case.statement, encode({**fields, "parameters": parameters})) == check


def of_fold(
    key: str, change: Callable[[Any], Any]
) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    """The folds with a key of the first changed."""
    return lambda folds: [{**folds[0], key: change(folds[0][key])}, *folds[1:]]


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda folds: [], "argument.format"),
        (lambda folds: folds * 9, "argument.format"),
        (lambda folds: [*folds, folds[-1]], "argument.format"),
        (lambda folds: folds[1:], "argument.format"),
        (lambda folds: [{**folds[0], "more": 0}, *folds[1:]], "argument.format"),
        (of_fold("parameters", lambda p: [p[0], p[1], p[2] - 1]), "argument.soundness"),
        (of_fold("parameters", lambda p: [p[0], p[1] - 1, p[2]]), "argument.soundness"),
        (of_fold("parameters", lambda p: [p[0], p[1], p[2] + 1]), "argument.format"),
        (of_fold("parameters", lambda p: [p[0], 23, p[2]]), "argument.format"),
        (of_fold("parameters", lambda p: [p[0], p[1] + 1, p[2]]), "argument.columns"),
        (of_fold("parameters", lambda p: [p[0] - 1, p[1], p[2]]), "argument.soundness"),
        (of_fold("parameters", lambda p: [9, p[1], p[2]]), "argument.format"),
        (of_fold("parameters", lambda p: [0, p[1], p[2]]), "argument.format"),
        (of_fold("parameters", lambda p: p[:2]), "argument.format"),
        (of_fold("commitment", lambda data: data[1:]), "argument.format"),
        (of_fold("commitment", lambda data: bytes(32)), "argument.columns"),
        (of_fold("messages", lambda data: data[:-20]), "argument.format"),
        (of_fold("messages", lambda data: bytes(len(data))), "argument.columns"),
        (of_fold("columns", lambda data: data[:-4]), "argument.format"),
        (of_fold("columns", lambda data: b"\xff" * len(data)), "argument.format"),
        (of_fold("columns", lambda data: bytes(len(data))), "argument.columns"),
        (of_fold("nodes", lambda data: data[:-1]), "argument.format"),
        (of_fold("nodes", lambda data: data[32:]), "argument.columns"),
    ],
)
def test_other_folds(
    case: ArgumentCase, proof: bytes, change: Callable[[list[Any]], list[Any]], check: str
) -> None:
    fields = decode(proof, limit=LIMIT)
    folds = change(fields["folds"])
    assert refuse(case.statement, encode({**fields, "folds": folds})) == check


@pytest.mark.parametrize("data", [b"", b"\xa0", b"\xf6", encode({"parameters": [1, 2, 3]})])
def test_no_proof_at_all(case: ArgumentCase, data: bytes) -> None:
    with pytest.raises(CouldNotCheck) as caught:
        verify(case.statement, data)
    assert caught.value.check == "argument.format"


def test_a_map_with_one_field_too_many(case: ArgumentCase, proof: bytes) -> None:
    fields = decode(proof, limit=LIMIT)
    assert refuse(case.statement, encode({**fields, "more": 0})) == "argument.format"


@pytest.mark.slow
def test_every_byte_of_a_proof(case: ArgumentCase, proof: bytes) -> None:
    """One bit of 60 bytes spread over the proof; of every byte with ZKWM_EVERY_BYTE=1 (hours)."""
    import os

    step = 1 if os.environ.get("ZKWM_EVERY_BYTE") else len(proof) // 60
    for place in range(0, len(proof), step):
        changed = bytearray(proof)
        changed[place] ^= 1 << place % 8
        with pytest.raises(CouldNotCheck):
            verify(case.statement, bytes(changed))


def test_reading_gives_back_the_same_bytes(case: ArgumentCase, proof: bytes) -> None:
    relation = case.relation
    parsed = read_proof(
        proof,
        triggers=3,
        cells=relation.cell_count,
        lookups=relation.lookup_count,
        rows=relation.tables.total_rows,
    )
    assert isinstance(parsed, Proof)
    assert parsed.to_bytes() == proof


@pytest.mark.slow
@pytest.mark.parametrize("triggers", [1, 5])
def test_other_numbers_of_triggers(triggers: int) -> None:
    case = argument_case(triggers, seed=7)
    verify(case.statement, case.prove().to_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("triggers", [50, 100, 127, 128, 129])
def test_numbers_of_triggers_around_powers_of_two(triggers: int) -> None:
    case = argument_case(triggers, seed=8, wrong=triggers // 3)
    verify(case.statement, case.prove().to_bytes())
