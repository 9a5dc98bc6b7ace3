"""The argument's stored vectors: regenerated they are the same, and the stored proof verifies."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.reference import argument_verifier as reference
from tests.reference.argument_parameters import Rejected
from tests.support.argument_case import ArgumentCase
from tests.support.stored_vectors import vectors
from tests.vectors.argument import LIMIT, PROOF, changed, mutations, small_vectors, vector_case
from tests.vectors.build import hexadecimal
from zkwm_protocols.argument.verifier import verify
from zkwm_protocols.encoding import unpack
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
    "change",
    vectors("argument")["proof"]["changed"],
    ids=lambda c: c["field"] if c["fold"] is None else f"{c['field']} of fold {c['fold']}",
)
def test_a_changed_proof_fails_its_check(case: ArgumentCase, change: dict[str, Any]) -> None:
    with pytest.raises(CouldNotCheck) as caught:
        verify(case.statement, changed(PROOF.read_bytes(), change))
    assert caught.value.check == change["check"]


def test_every_field_is_changed_once(case: ArgumentCase) -> None:
    proof = PROOF.read_bytes()
    assert mutations(case, proof) == vectors("argument")["proof"]["changed"]


@pytest.mark.slow
def test_the_reference_agrees_on_the_stored_proof(case: ArgumentCase) -> None:
    """It accepts the proof, and refuses those changed ones that take no second slow replay."""
    proof = PROOF.read_bytes()
    by_reference(case, proof)
    for change in vectors("argument")["proof"]["changed"]:
        early = (None, "parameters"), (0, "parameters"), (None, "columns")
        if (change["fold"], change["field"]) in early:
            with pytest.raises(Rejected) as caught:
                by_reference(case, changed(proof, change))
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
