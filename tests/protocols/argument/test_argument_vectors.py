"""The argument's stored vectors: regenerated they are the same, and the stored proof verifies."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.reference import argument_verifier as reference
from tests.reference.argument_parameters import Rejected
from tests.support.argument_case import ArgumentCase
from tests.support.stored_vectors import vectors
from tests.vectors.argument import LIMIT, PROOF, mutations, small_vectors, vector_case
from tests.vectors.build import hexadecimal
from zkwm_protocols.argument.verifier import verify
from zkwm_protocols.encoding import decode, encode, unpack
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.integer_network.codec import to_bytes


@pytest.fixture(scope="module")
def case() -> ArgumentCase:
    return vector_case()


def test_regenerated_they_are_the_same(case: ArgumentCase) -> None:
    stored = vectors("argument")
    for name, value in hexadecimal(small_vectors(case)).items():
        assert stored[name] == value, name


def test_the_stored_proof_verifies(case: ArgumentCase) -> None:
    proof = PROOF.read_bytes()
    assert hashlib.sha256(proof).hexdigest() == vectors("argument")["proof"]["sha256"]
    assert verify(case.statement, proof).soundness_bits >= 120


@pytest.mark.parametrize(
    "change", vectors("argument")["proof"]["changed"], ids=lambda c: c["field"]
)
def test_a_changed_proof_fails_its_check(case: ArgumentCase, change: dict[str, Any]) -> None:
    fields = decode(PROOF.read_bytes(), limit=LIMIT)
    if change["place"] is None:
        fields[change["field"]] = change["value"]
    else:
        data = bytearray(fields[change["field"]])
        data[change["place"]] = change["byte"]
        fields[change["field"]] = bytes(data)
    with pytest.raises(CouldNotCheck) as caught:
        verify(case.statement, encode(fields))
    assert caught.value.check == change["check"]


def test_every_field_is_changed_once(case: ArgumentCase) -> None:
    proof = PROOF.read_bytes()
    assert [change["field"] for change in mutations(case, proof)] == [
        change["field"] for change in vectors("argument")["proof"]["changed"]
    ]


@pytest.mark.slow
def test_the_reference_agrees_on_the_stored_proof(case: ArgumentCase) -> None:
    """It accepts the proof, and refuses those changed ones that take no second slow replay."""
    proof = PROOF.read_bytes()
    by_reference(case, proof)
    fields = decode(proof, limit=LIMIT)
    changes = {change["field"]: change for change in vectors("argument")["proof"]["changed"]}
    for name in ("parameters", "columns"):
        change = changes[name]
        value = change["value"]
        if value is None:
            data = bytearray(fields[name])
            data[change["place"]] = change["byte"]
            value = bytes(data)
        with pytest.raises(Rejected) as caught:
            by_reference(case, encode({**fields, name: value}))
        assert caught.value.args[0] == change["check"]


def by_reference(case: ArgumentCase, proof: bytes) -> None:
    statement = case.statement
    reference.verify(
        statement.context,
        unpack("network", to_bytes(statement.network), limit=LIMIT),
        list(statement.leaves),
        list(statement.label_fields),
        list(statement.outputs),
        statement.least_matches,
        proof,
    )
