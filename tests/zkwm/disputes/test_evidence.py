"""Evidence that is not what a case says it is: told, and never counted (SPEC 28.2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.dispute import new_judge
from tests.support.dispute_folder import DisputeFolder
from zkwm.disputes.results import Basis, DisputeOutcome, FoundClaim, Standing
from zkwm.disputes.settle import settle_dispute
from zkwm.disputes.verdict import DisputeVerdict
from zkwm_protocols.errors import Malformed


@pytest.fixture
def theft(folder: DisputeFolder) -> DisputeFolder:
    """Acme's mark in Doe's product, and a verdict that says so."""
    acme = folder.party("acme", days=30)
    folder.model("suspect", "doe", acme, contested=True)
    folder.claim("acme", "suspect")
    return folder


def only(verdict: DisputeVerdict) -> FoundClaim:
    (claim,) = verdict.found.claims
    return claim


def refused(folder: DisputeFolder, words: str) -> None:
    """Nothing is decided on this evidence, and the verdict says why."""
    verdict = folder.settle()
    assert verdict.outcome == DisputeOutcome.COULD_NOT_CHECK
    assert only(verdict).basis == Basis.NOTHING
    assert words in only(verdict).detail
    assert any(words in one for one in verdict.not_checked)


def test_a_verdict_by_a_judge_whom_the_case_does_not_name(theft: DisputeFolder) -> None:
    theft.judge = new_judge()
    theft.case["claims"] = []
    theft.claim("acme", "suspect")
    theft.judge = new_judge()
    refused(theft, "none whom the case names")


def test_a_verdict_that_was_altered(theft: DisputeFolder) -> None:
    path = theft.folder / "acme-suspect.verdict"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    refused(theft, "")


def test_a_verdict_about_another_model(theft: DisputeFolder) -> None:
    (theft.folder / "suspect.onnx").write_bytes(b"another model")
    refused(theft, "another model than the one at hand")


def test_a_verdict_about_another_commitment(theft: DisputeFolder) -> None:
    theft.party("doe", days=30)
    theft.case["claims"][0]["mark"] = "doe"
    theft.case["models"][0]["published_by"] = "somebody else"
    refused(theft, "another commitment than the party's")


def test_a_commitment_by_another_key_than_the_partys(theft: DisputeFolder) -> None:
    theft.case["parties"][0]["key"] = theft.judge.public.signing.fingerprint()
    refused(theft, "commitment cannot be used")


def test_a_model_that_is_not_there(theft: DisputeFolder) -> None:
    (theft.folder / "suspect.onnx").unlink()
    refused(theft, "model at hand cannot be used")


def test_an_opening_sealed_to_the_judge_is_verified_by_them_alone(
    folder: DisputeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = folder.party("acme", days=30)
    suspect = folder.model("suspect", "doe", acme, contested=True)
    owner = replace(acme.commitment, authorities=folder.trust.authorities)
    challenge = folder.judge.challenge(owner, suspect, reveal=50, trust=folder.trust)
    (folder.folder / "a.challenge").write_bytes(challenge.to_bytes())
    (folder.folder / "a.proof").write_bytes(acme.answer(challenge, [0]).to_bytes())
    folder.case["claims"].append(
        {"mark": "acme", "model": "suspect", "challenge": "a.challenge", "proof": "a.proof"}
    )
    alone = settle_dispute(folder.write())
    assert "sealed to the judge who asked" in only(alone).detail
    verify = folder.judge.verify

    def answered(commitment, location, *rest, **more):
        """The model's file is a table here."""
        return verify(commitment, suspect, *rest, **more)

    monkeypatch.setattr(folder.judge, "verify", answered)
    verdict = folder.settle()
    assert only(verdict).basis == Basis.REPEATED
    assert verdict.outcome == DisputeOutcome.SUPPORTED


def test_a_counterclaim_that_cannot_be_checked_blocks_nothing(theft: DisputeFolder) -> None:
    theft.party("doe", days=40)
    theft.model("original", "acme", theft.parties["acme"], published=20)
    (theft.folder / "junk.verdict").write_bytes(b"junk")
    theft.case["claims"].append({"mark": "doe", "model": "original", "verdict": "junk.verdict"})
    verdict = theft.settle()
    assert verdict.decision.party == "acme"
    assert verdict.standing(verdict.found.claims[1]) == Standing.NOT_CHECKED
    assert any("doe in original could not be checked" in one for one in verdict.not_checked)


def test_without_trust_nothing_has_a_date(theft: DisputeFolder) -> None:
    del theft.case["trust"]
    verdict = theft.settle()
    assert verdict.outcome == DisputeOutcome.TRUST_MATERIAL_MISSING
    assert "no date of a commitment was checked" in verdict.not_checked[0]


def test_without_a_date_of_publication_a_mark_supports_nothing(folder: DisputeFolder) -> None:
    acme = folder.party("acme", days=30)
    folder.model("suspect", "doe", acme, contested=True, published=None)
    folder.claim("acme", "suspect")
    assert folder.settle().outcome == DisputeOutcome.TRUST_MATERIAL_MISSING


def test_a_judges_key_that_is_none(theft: DisputeFolder) -> None:
    (theft.folder / "judge.key.pub").write_bytes(b"junk")
    with pytest.raises(Malformed, match=r"judge\.key\.pub"):
        theft.settle()


def test_statements_without_a_log_policy_are_told(theft: DisputeFolder) -> None:
    (theft.folder / "trust" / "log-policy").unlink()
    theft.case["checkpoints"] = ["a.checkpoint"]
    assert any("no log-policy" in one for one in theft.settle().not_checked)


def test_an_earlier_opening_by_an_unknown_judge_is_told_and_changes_nothing(
    theft: DisputeFolder,
) -> None:
    known, theft.judge = theft.judge, new_judge()
    theft.earlier_opening("acme", [0], days=20)
    theft.judge = known
    verdict = theft.settle()
    assert verdict.decision.party == "acme"
    assert any(
        "nobody whom the case names dates this opening" in one for one in verdict.not_checked
    )
