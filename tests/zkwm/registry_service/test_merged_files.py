"""Files of one commitment, merged: no registrant chooses for good by what it is dated."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from tests.support.dispute import Claimant, random_images
from tests.support.logged_commitment import ED25519_WITNESSES, log_proof, stated
from tests.support.timestamp_tokens import TIME, TokenMaker, generalized
from tests.support.witnessed_log import LOG_KEY, POLICY
from tests.support.witnessed_log import TIME as SEEN
from zkwm.registry_service.merged_files import KnownDates, item_digest, merged
from zkwm_protocols.commitment import MAXIMUM_LOG_PROOFS, MAXIMUM_TIMESTAMPS, Commitment
from zkwm_protocols.cose.key_contents import KeyRevocation, RevocationReason
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.statement import sign_statement
from zkwm_protocols.keys import ED25519, SigningKey
from zkwm_protocols.timestamps.chain import key_digest
from zkwm_protocols.timestamps.evidence import TimestampEvidence
from zkwm_protocols.transparency.note_keys import NoteSigningKey
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.trust import Trust

OWNER, STRANGER = (SigningKey.from_bytes(ED25519, bytes([n] * 32)) for n in (51, 52))
GOOD, OTHER, FAKE = TokenMaker.new(), TokenMaker.new(), TokenMaker.new()
TRUST = Trust(
    tuple(
        maker.trusted(name=name, demand_revocation=False)
        for name, maker in (("good", GOOD), ("other", OTHER))
    )
)
KNOWN = KnownDates((POLICY, LogPolicy.of_keys([LOG_KEY.verifier])), TRUST)
NOW = SEEN + 1_000


@pytest.fixture(scope="module")
def bare() -> Commitment:
    """A commitment without dates."""
    return Claimant(random_images(50), keys=(OWNER,)).commitment


def tokens(
    commitment: Commitment, maker: TokenMaker, count: int = 1, *, late: int = 0
) -> tuple[TimestampEvidence, ...]:
    """Tokens over D, a minute after the other, the first ``late`` minutes after ``TIME``."""
    minutes = (datetime.timedelta(minutes=late + number) for number in range(count))
    return tuple(
        maker.but(digest=commitment.digest, time=generalized(TIME + one)).evidence()
        for one in minutes
    )


def logged(
    commitment: Commitment, key: SigningKey = OWNER, late: int = 0, log: NoteSigningKey = LOG_KEY
) -> LoggedStatement:
    """A proof of a log, by witnesses who looked ``late`` seconds later."""
    times = {witness: time + late for witness, time in ED25519_WITNESSES.items()}
    return log_proof(stated(commitment.digest, key), times, log_key=log)


def test_no_registrant_keeps_good_dates_out(bare: Commitment) -> None:
    """Whoever came first filled every place, with tokens that nobody trusts."""
    foreign = NoteSigningKey("log.example/9", LOG_KEY.verifier.signature_type, b"x" * 32)
    hostage = replace(
        bare,
        timestamps=tokens(bare, FAKE, MAXIMUM_TIMESTAMPS),
        log_proofs=tuple(logged(bare, late=n, log=foreign) for n in range(MAXIMUM_LOG_PROOFS)),
    )
    owners = replace(bare, timestamps=tokens(bare, GOOD, late=90), log_proofs=(logged(bare),))
    found = merged(hostage, owners, KNOWN, NOW)
    assert found.timestamps == (*owners.timestamps, *hostage.timestamps[:-1])
    assert found.log_proofs == (*owners.log_proofs, *hostage.log_proofs[:-1])
    assert Commitment.from_bytes(found.to_bytes()) == found
    assert merged(found, hostage, KNOWN, NOW) == merged(found, owners, KNOWN, NOW) == found
    assert merged(owners, hostage, KNOWN, NOW) == found, "and nobody pushes them out later"


def test_the_earliest_of_each_comes_first(bare: Commitment) -> None:
    """A stranger gets as many tokens and proofs as they like, but none that is older."""
    owners = replace(bare, timestamps=tokens(bare, OTHER), log_proofs=(logged(bare, late=5),))
    flood = replace(
        bare,
        timestamps=tokens(bare, GOOD, MAXIMUM_TIMESTAMPS, late=10),
        log_proofs=tuple(logged(bare, late=10 + n) for n in range(MAXIMUM_LOG_PROOFS)),
    )
    for found in (merged(owners, flood, KNOWN, NOW), merged(flood, owners, KNOWN, NOW)):
        assert found.timestamps == (*owners.timestamps, *flood.timestamps[:-1])
        assert found.log_proofs == (*owners.log_proofs, *flood.log_proofs[:-1])


def test_what_is_about_something_else_is_left_out(bare: Commitment) -> None:
    other = replace(bare, header=replace(bare.header, owner_model=bytes(32)))
    (token,), (proof,) = tokens(other, GOOD), [logged(bare, STRANGER)]
    broken = replace(token, token=b"no token")
    given = replace(bare, timestamps=(token, broken), log_proofs=(proof, logged(other)))
    assert merged(given, bare, KNOWN, NOW) == bare
    assert merged(bare, given, KNOWN, NOW) == bare


def test_a_witness_of_the_future_dates_nothing(bare: Commitment) -> None:
    future, past = logged(bare, late=2_000), logged(bare)
    found = merged(
        replace(bare, log_proofs=(future,)), replace(bare, log_proofs=(past,)), KNOWN, NOW
    )
    assert found.log_proofs == (past, future)


def test_of_one_token_the_evidence_that_verifies_is_kept(bare: Commitment) -> None:
    demanding = KnownDates((), Trust((GOOD.trusted(name="good", demand_revocation=True),)))
    (without,) = tokens(bare, GOOD)
    whole = replace(without, crls=GOOD.crls())
    found = merged(
        replace(bare, timestamps=(without,)), replace(bare, timestamps=(whole,)), demanding, NOW
    )
    assert found.timestamps == (whole,)


def test_where_nobody_is_trusted_dates_stand_as_they_came(bare: Commitment) -> None:
    first = replace(bare, timestamps=tokens(bare, FAKE, 5))
    second = replace(bare, timestamps=tokens(bare, GOOD, 5))
    found = merged(first, second, KnownDates(), NOW)
    assert found.timestamps == (*first.timestamps, *second.timestamps[:3])


def test_what_nobody_can_verify_has_the_turns_of_those_who_brought_it(bare: Commitment) -> None:
    """Where nobody is trusted, whoever filled all places first makes room for the next ones."""
    files = {
        name: replace(bare, timestamps=tokens(bare, maker, count))
        for name, maker, count in (("first", FAKE, 8), ("owner", GOOD, 2), ("third", OTHER, 8))
    }
    brought = {item_digest(item): name for name, file in files.items() for item in file.timestamps}

    def by_turns(*names: str) -> list[str]:
        kept = files[names[0]]
        for name in names[1:]:
            kept = merged(kept, files[name], KnownDates(), NOW, brought)
        return [brought[item_digest(item)] for item in kept.timestamps]

    two = ["first", "owner"] * 2 + ["first"] * 4
    assert by_turns("first", "owner") == by_turns("first", "owner", "first", "owner") == two
    three = [*(["first", "owner", "third"] * 2), "first", "third"]
    assert by_turns("first", "owner", "third") == by_turns("first", "owner", "third", "first")
    assert by_turns("first", "owner", "third") == three


@pytest.mark.parametrize("trusted", [True, False])
def test_labels_follow_the_earliest_token_of_the_named_authority(
    bare: Commitment, trusted: bool
) -> None:
    """Whoever knows D from the log gets only later tokens; without trust the first one stays."""
    named = key_digest(GOOD.root.certificate)
    header = replace(bare.header, timestamp_authority=named)
    plain = replace(bare, header=header)
    known = KNOWN if trusted else KnownDates()
    (own,) = tokens(plain, GOOD)
    later = replace(plain, timestamps=(*tokens(plain, GOOD, late=60), *tokens(plain, OTHER, 7)))
    owners = replace(plain, timestamps=(own,))
    found = merged(later, owners, known, NOW)
    assert found.timestamps[0] == (own if trusted else later.timestamps[0])
    assert len(found.timestamps) == MAXIMUM_TIMESTAMPS
    assert merged(owners, later, known, NOW).timestamps[0] == own


def test_what_is_said_of_the_owners_keys_is_merged_too(bare: Commitment) -> None:
    """Each statement once, those that verify first, at most eight, and none by a stranger."""

    def said(since: int, key: SigningKey = OWNER, log: NoteSigningKey = LOG_KEY) -> LoggedStatement:
        content = KeyRevocation(key.public.fingerprint(), since, RevocationReason.LOST)
        return log_proof(sign_statement(content, key), log_key=log)

    foreign = NoteSigningKey("log.example/9", LOG_KEY.verifier.signature_type, b"x" * 32)
    false = tuple(said(since, log=foreign) for since in range(16))
    hostage = replace(bare, key_proofs=false)
    owners = replace(bare, log_proofs=(logged(bare),), key_proofs=(said(1), said(99, STRANGER)))
    found = merged(hostage, owners, KNOWN, NOW)
    assert found.key_proofs == (said(1), false[0], *false[2:8])
    assert found.log_proofs == owners.log_proofs
    assert Commitment.from_bytes(found.to_bytes()) == found
    assert merged(owners, hostage, KNOWN, NOW) == found
