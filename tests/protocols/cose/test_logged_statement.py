"""A commitment's proof of a log, from its statement to the verification offline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.statements import ED_KEY, P256_KEY, D, contents
from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import POLICY, TIME, proof_of
from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.statement import SignedStatement, sign_statement
from zkwm_protocols.errors import InvalidLogProof, InvalidSignature, Malformed, ZkwmError
from zkwm_protocols.transparency.proof_file import ProofFile

OWNERS = [ED_KEY.public, P256_KEY.public]
STATEMENT = sign_statement(CommitmentStatement(D), ED_KEY)
ENTRIES = [b"%d" % i for i in range(30)]


def logged(statement: SignedStatement = STATEMENT, entry: bytes = b"") -> LoggedStatement:
    log = TiledLog([*ENTRIES, entry or statement.to_bytes(), b"later"])
    return LoggedStatement(statement, proof_of(log, 30))


def test_a_registration_is_verified_offline() -> None:
    data = logged().to_bytes()
    read = LoggedStatement.from_bytes(data)
    assert read.to_bytes() == data
    assert read.statement == STATEMENT
    assert len(read.verify(POLICY, latest=TIME + 2).witnesses) == 3
    read.require_commitment(D, OWNERS)
    # It is a plain proof file, too: who knows the statement needs nothing of ours.
    assert ProofFile.from_bytes(data).extra == STATEMENT.to_bytes()


def test_another_statement_than_the_logged_one_is_refused() -> None:
    other = sign_statement(CommitmentStatement(b"E" * 32), ED_KEY)
    swapped = LoggedStatement.from_bytes(LoggedStatement(other, logged().proof).to_bytes())
    with pytest.raises(InvalidLogProof):
        swapped.verify(POLICY)
    with pytest.raises(InvalidLogProof):
        logged().verify(POLICY, latest=TIME - 1)


def test_a_strangers_statement_about_a_commitment_is_no_registration_by_its_owner() -> None:
    stranger = logged()
    with pytest.raises(InvalidLogProof):
        stranger.require_commitment(D, [P256_KEY.public])
    with pytest.raises(InvalidLogProof):
        stranger.require_commitment(b"E" * 32, OWNERS)
    for content in contents(ED_KEY)[1:]:
        with pytest.raises(InvalidLogProof):
            logged(sign_statement(content, ED_KEY)).require_commitment(D, OWNERS)


def test_proofs_without_a_statement_or_with_a_bad_one_are_refused() -> None:
    with pytest.raises(Malformed):
        LoggedStatement.from_bytes(logged().proof.to_bytes())
    bad = replace(STATEMENT, signature=bytes(64)).to_bytes()
    with pytest.raises(InvalidSignature):
        LoggedStatement.from_bytes(replace(logged().proof, extra=bad).to_bytes())
    for extra in (b"", b"x", STATEMENT.to_bytes()[:-1]):
        with pytest.raises(ZkwmError):
            LoggedStatement.from_bytes(replace(logged().proof, extra=extra).to_bytes())
