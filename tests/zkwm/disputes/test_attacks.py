"""Files of a case chosen to make its judge wrong: by thieves with a key, and by false accusers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.dispute import Claimant
from tests.support.dispute_folder import DisputeFolder, key_of, moment
from zkwm.disputes.findings import Shown
from zkwm.disputes.logged import Logs
from zkwm.disputes.objections import Evidence, Opened, objections
from zkwm.disputes.results import DisputeOutcome, Standing
from zkwm.disputes.verdict import DisputeVerdict
from zkwm_protocols.cose.contents import SpentBlocks
from zkwm_protocols.cose.key_contents import KeyRevocation, RevocationReason
from zkwm_protocols.errors import Malformed
from zkwm_protocols.make_commitment import make_commitment
from zkwm_protocols.timestamps.chain import key_digest
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tree import prove_inclusion


@pytest.fixture
def acme(folder: DisputeFolder) -> Claimant:
    """The owner of a mark that stands in Doe's model."""
    party = folder.party("acme", days=30)
    folder.model("suspect", "doe", party, contested=True)
    return party


def sections(verdict: DisputeVerdict) -> list[str]:
    return [item.section for one in verdict.found.claims for item in one.objections]


def revoke(folder: DisputeFolder, days: float, *, stolen: float | None = None) -> None:
    """Acme's key is revoked, perhaps since an earlier day."""
    key, since = key_of("acme"), int(moment(stolen or days).timestamp())
    content = KeyRevocation(key.public.fingerprint(), since, RevocationReason.COMPROMISED)
    folder.state(content, key, days)


def decided(folder: DisputeFolder, days: float) -> None:
    """A verdict on Acme's mark that the judge gave so many days ago."""
    verdict = folder.verdict("acme", "suspect", [0])
    folder.put_claim("acme", "suspect", replace(verdict, checked=int(moment(days).timestamp())))


def count(folder: DisputeFolder, acme: Claimant, blocks: int, days: float) -> None:
    folder.state(SpentBlocks(acme.commitment.digest, blocks, blocks), key_of("acme"), days)


def test_an_argument_about_blocks_that_were_opened_before_does_not_count(
    folder: DisputeFolder, acme: Claimant
) -> None:
    """Others have the triggers of an opened block, however the owner answers the next time."""
    folder.claim("acme", "suspect")
    verdict = folder.settle()
    (claim,) = verdict.found.claims
    before = Opened(acme.commitment.digest, bytes(32), (0,), int(moment(20).timestamp()))
    found = objections(
        Shown(claim, opened=False),
        acme.commitment,
        verdict.found.party("acme"),
        verdict.found.model("suspect"),
        Evidence((before,), Logs(), verdict.checked),
    )
    assert [one.section for one in found] == ["28.5.4"]


def test_an_opening_that_a_thief_of_the_key_signed_does_not_end_the_owners_mark(
    folder: DisputeFolder, acme: Claimant
) -> None:
    """The challenge is old; nothing says that the answer is."""
    decided(folder, days=6)
    revoke(folder, days=5)
    folder.earlier_opening("acme", [0], days=20)
    verdict = folder.settle()
    assert verdict.decision.party == "acme"
    assert any("nothing dates it before" in one for one in verdict.not_checked)


def test_an_owner_who_revokes_their_key_does_not_undo_what_they_opened(
    folder: DisputeFolder, acme: Claimant
) -> None:
    """The verdict of the judge who asked dates the opening."""
    decided(folder, days=6)
    revoke(folder, days=5)
    trusting = replace(acme.commitment, authorities=folder.trust.authorities)
    suspect = folder.tables["suspect"]
    challenge = folder.judge.challenge(trusting, suspect, reveal=50, trust=folder.trust)
    issued = int(moment(20).timestamp())
    challenge = replace(challenge, issued=issued).signed_by(folder.judge.key.signing)
    proof = acme.answer(challenge, [0])
    found = folder.judge.verify(trusting, suspect, challenge, proof, trust=folder.trust)
    files = {
        "challenge": challenge.to_bytes(),
        "proof": proof.to_bytes(),
        "verdict": folder.judge.sign_verdict(replace(found, checked=issued + 60)),
    }
    names = {name: f"old.{name}" for name in files}
    for name, data in files.items():
        (folder.folder / names[name]).write_bytes(data)
    folder.case["earlier_openings"] = [names]
    verdict = folder.settle()
    assert sections(verdict) == ["28.5.4"]
    names["verdict"] = "acme-suspect.verdict"
    verdict = folder.settle()
    assert sections(verdict) == []
    assert any("is about another answer" in one for one in verdict.not_checked)


def test_a_count_that_a_thief_of_the_key_logged_undoes_nothing_from_before(
    folder: DisputeFolder, acme: Claimant
) -> None:
    decided(folder, days=6)
    for blocks, days in ((1, 20), (10_000, 5), (1, 4)):
        count(folder, acme, blocks, days)
    assert folder.settle().decision.party == "acme"


def test_an_answer_between_two_counts_that_fall_does_not_count(
    folder: DisputeFolder, acme: Claimant
) -> None:
    """The older copy was put back, and answered, before its count was logged."""
    decided(folder, days=5)
    for blocks, days in ((1, 20), (3, 6), (1, 4)):
        count(folder, acme, blocks, days)
    assert sections(folder.settle()) == ["28.5.5"]


def test_two_parties_with_one_commitment_are_refused(folder: DisputeFolder, acme: Claimant) -> None:
    """Else a thief who hands in the owner's file makes both right, and nobody wins."""
    folder.join("roe", acme, days=None)
    folder.claim("acme", "suspect")
    with pytest.raises(Malformed, match="acme and roe have the same commitment"):
        folder.settle()


@pytest.mark.parametrize("days", [3, 200])
def test_a_timestamp_that_somebody_put_first_dates_nobodys_mark(
    folder: DisputeFolder, days: float
) -> None:
    """A thief makes the owner's labels younger, or an owner their own ground ones older."""
    acme = folder.party("acme", days=None)
    acme.commitment = make_commitment(
        acme.images, acme.salts, class_count=10, signers=acme.keys, block_size=50,
        timestamp_authority=key_digest(folder.forger.honest.root.certificate),
    )  # fmt: skip
    folder.forger.dated(acme, 30)
    acme.commitment = replace(acme.commitment, authorities=folder.trust.authorities)
    folder.model("suspect", "doe", acme, contested=True)
    folder.claim("acme", "suspect")
    assert folder.settle().decision.party == "acme"
    (own,) = acme.commitment.timestamps
    folder.forger.dated(acme, days)
    (other,) = acme.commitment.timestamps
    acme.commitment = replace(acme.commitment, timestamps=(other, own))
    verdict = folder.settle()
    assert verdict.outcome == DisputeOutcome.COULD_NOT_CHECK
    (claim,) = verdict.found.claims
    assert verdict.standing(claim) == Standing.NOT_CHECKED
    assert "another timestamp in the first place" in claim.detail


def test_a_place_in_the_log_before_the_revocation_is_enough(folder: DisputeFolder) -> None:
    """Its proof was fetched after the revocation, and its only timestamp is of later, too."""
    acme = folder.party("acme", days=10)
    folder.model("suspect", "doe", acme, contested=True)
    folder.register("acme", days=28)
    revoke(folder, days=20)
    (logged,) = acme.commitment.log_proofs
    late = ProofFile(
        0,
        tuple(prove_inclusion(0, folder.log.tree.size, folder.log.tree.hashes())),
        folder.log.checkpoint(folder.log.tree.head(), 1),
    )
    acme.commitment = replace(acme.commitment, log_proofs=(replace(logged, proof=late),))
    folder.claim("acme", "suspect")
    assert sections(folder.settle()) == ["28.5.3"]  # the answer is of now; the commitment is not


def test_an_answer_between_theft_and_revocation_is_told_as_suspected(
    folder: DisputeFolder, acme: Claimant
) -> None:
    """It counts, as all that the owner signed then, and nobody overlooks it."""
    decided(folder, days=5)
    revoke(folder, days=4, stolen=6)
    verdict = folder.settle()
    assert verdict.decision.party == "acme"
    (told,) = [one.words for one in verdict.remarks if one.section == "28.5.3"]
    assert "may have been in other hands when it signed the answer about suspect" in told
