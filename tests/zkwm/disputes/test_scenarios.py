"""What thieves and honest people do in disputes, each with its verdict (SPEC 28)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.support.dispute import Claimant, random_images
from tests.support.dispute_folder import DisputeFolder, key_of
from zkwm.disputes.results import DisputeOutcome, FoundClaim, Standing
from zkwm.disputes.verdict import DisputeVerdict
from zkwm_protocols.cose.contents import SpentBlocks
from zkwm_protocols.cose.key_contents import KeyRevocation, RevocationReason
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.tree import TreeHead


def outcome(verdict: DisputeVerdict) -> tuple[DisputeOutcome, str]:
    return verdict.decision.outcome, verdict.decision.party


def worth(verdict: DisputeVerdict, mark: str, model: str) -> Standing:
    return verdict.standing(claim(verdict, mark, model))


def claim(verdict: DisputeVerdict, mark: str, model: str) -> FoundClaim:
    return next(one for one in verdict.found.claims if (one.mark, one.model) == (mark, model))


def rules(verdict: DisputeVerdict) -> set[str]:
    return {one.section for one in verdict.remarks}


def theft(folder: DisputeFolder, *, thief_days: float | None, **thief: object) -> None:
    """Acme's marked model, copied by Doe, who adds a mark of their own."""
    acme = folder.party("acme", days=30)
    doe = folder.party("doe", days=thief_days, **thief)
    folder.model("suspect", "doe", acme, doe, contested=True)
    folder.model("original", "acme", acme, published=20)
    folder.claim("acme", "suspect")
    folder.claim("doe", "suspect")
    folder.claim("doe", "original")


def test_the_owner_wins_against_a_thief_who_overwrites_and_registers_later(
    folder: DisputeFolder,
) -> None:
    theft(folder, thief_days=3)
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.SUPPORTED, "acme")
    assert worth(verdict, "acme", "suspect") == Standing.COUNTS
    assert worth(verdict, "doe", "suspect") == Standing.OWN_PRODUCT
    assert worth(verdict, "doe", "original") == Standing.NOT_FOUND
    assert "older than that of doe, by tokens" in verdict.remarks[0].words


def test_a_thief_backdates_by_an_authority_of_their_own(folder: DisputeFolder) -> None:
    theft(folder, thief_days=300, false=True)
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.SUPPORTED, "acme")
    assert verdict.found.party("doe").existed is None
    assert "it is not known which commitment is older" in verdict.remarks[0].words


def test_a_backdated_mark_in_somebody_elses_product_has_no_date(folder: DisputeFolder) -> None:
    doe = folder.party("doe", days=300, false=True)
    folder.model("suspect", "acme", doe, contested=True)
    folder.claim("doe", "suspect")
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.TRUST_MATERIAL_MISSING, "")
    assert worth(verdict, "doe", "suspect") == Standing.NO_DATE


def test_a_thief_who_registered_a_thousand_commitments_first(folder: DisputeFolder) -> None:
    """The one that they embed afterwards is older than the owner's, and wins nothing."""
    theft(folder, thief_days=60)
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.SUPPORTED, "acme")
    assert "the commitment of doe is older than that of acme" in verdict.remarks[0].words


def test_a_thief_who_copies_public_leaves_cannot_open_them(folder: DisputeFolder) -> None:
    acme = folder.party("acme", days=30)
    copied = Claimant(acme.images, keys=(key_of("doe"),), salt_seed=9)
    header = replace(
        acme.commitment.header, owner_keys=(key_of("doe").public,), root=acme.commitment.header.root
    )
    copied.commitment = replace(
        acme.commitment,
        header=header,
        timestamps=(),
        signatures=(key_of("doe").sign("commitment", header.digest),),
    )
    folder.join("doe", copied, days=40)
    folder.model("suspect", "acme", acme, contested=True, published=20)
    folder.claim("doe", "suspect")
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.NOT_SUPPORTED, "")
    assert worth(verdict, "doe", "suspect") == Standing.NOT_FOUND
    assert "28.8.1" in rules(verdict)


def test_a_split_view_is_evidence_and_its_log_is_not_believed(folder: DisputeFolder) -> None:
    """By tokens it is undecided which commitment is older; a log with two trees says nothing."""
    acme = folder.party("acme", days=None)
    folder.party("doe", days=None)
    folder.register("acme", 30)
    folder.register("doe", 20)
    folder.model("suspect", "doe", acme, contested=True)
    folder.claim("acme", "suspect")
    before = folder.settle()
    assert any("by the log" in one.words for one in before.remarks)
    head = folder.log.tree.head()
    folder.saw(
        folder.log.checkpoint(head, 5),
        folder.log.checkpoint(TreeHead(head.size, leaf_hash(b"another tree")), 5),
    )
    verdict = folder.settle()
    assert len(verdict.equivocations) == 1
    verdict.equivocations[0].verify([log.key for log in _policy(folder).logs])
    assert "28.3.3" in rules(verdict)
    assert not any("by the log" in one.words for one in verdict.remarks)
    assert verdict.found.party("acme").logged == ()


def _policy(folder: DisputeFolder):
    from zkwm_protocols.transparency.policy import LogPolicy

    return LogPolicy.from_bytes(folder.trust.log_policy)


def test_adversarial_images_with_chosen_labels_do_not_count(folder: DisputeFolder) -> None:
    """A judge accepted declared labels; in a dispute they support nothing."""
    images = random_images(200, 5)
    doe = folder.party("doe", days=30, images=images, declared_labels=np.arange(200) % 10)
    folder.model("suspect", "acme", doe, contested=True)
    from zkwm_protocols.policy import Policy

    folder.claim("doe", "suspect", policy=Policy(accept_declared_labels=True))
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.NOT_SUPPORTED, "")
    assert worth(verdict, "doe", "suspect") == Standing.OBJECTED
    assert [one.section for one in claim(verdict, "doe", "suspect").objections] == ["28.5.1"]


def test_a_claim_on_an_unmarked_model_is_supported_for_nobody(folder: DisputeFolder) -> None:
    folder.party("doe", days=30)
    folder.model("suspect", "acme", contested=True)
    folder.claim("doe", "suspect")
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.NOT_SUPPORTED, "")
    assert worth(verdict, "doe", "suspect") == Standing.NOT_FOUND


def test_an_owner_who_opens_a_block_that_was_opened_before_the_publication(
    folder: DisputeFolder,
) -> None:
    """Whoever saw its triggers can have trained them into an innocent's model."""
    acme = folder.party("acme", days=30)
    folder.model("suspect", "doe", acme, contested=True)
    folder.earlier_opening("acme", [0], days=20)
    folder.claim("acme", "suspect")
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.NOT_SUPPORTED, "")
    assert [one.section for one in claim(verdict, "acme", "suspect").objections] == ["28.5.4"]


def test_a_block_that_was_opened_after_the_publication_counts(folder: DisputeFolder) -> None:
    acme = folder.party("acme", days=30)
    folder.model("suspect", "doe", acme, contested=True)
    folder.earlier_opening("acme", [0], days=2)
    folder.claim("acme", "suspect")
    assert outcome(folder.settle()) == (DisputeOutcome.SUPPORTED, "acme")


def test_an_endpoint_that_answers_the_judge_otherwise_than_its_published_weights(
    folder: DisputeFolder,
) -> None:
    acme = folder.party("acme", days=30)
    folder.model("weights", "doe", acme, contested=True)
    folder.model("service", "doe", contested=True, endpoint=True)
    folder.claim("acme", "weights")
    folder.claim("acme", "service")
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.SUPPORTED, "acme")
    (told,) = [one for one in verdict.remarks if one.section == "28.8.2"]
    assert "answered the judge otherwise than the published weights" in told.words


def test_a_stolen_vault_that_is_revoked_wins_nothing(folder: DisputeFolder) -> None:
    """The thief answers in the owner's name after the revocation."""
    acme = folder.party("acme", days=30)
    folder.model("suspect", "doe", acme, contested=True)
    key = key_of("acme")
    since = int(_days(5))
    revoked = KeyRevocation(key.public.fingerprint(), since, RevocationReason.COMPROMISED)
    folder.state(revoked, key, days=5)
    folder.claim("acme", "suspect")
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.NOT_SUPPORTED, "")
    assert [one.section for one in claim(verdict, "acme", "suspect").objections] == ["28.5.3"]


def test_what_was_decided_before_the_revocation_counts(folder: DisputeFolder) -> None:
    acme = folder.party("acme", days=30)
    folder.model("suspect", "doe", acme, contested=True)
    verdict = folder.verdict("acme", "suspect", [0])
    folder.put_claim("acme", "suspect", replace(verdict, checked=int(_days(6))))
    key = key_of("acme")
    revoked = KeyRevocation(key.public.fingerprint(), int(_days(5)), RevocationReason.COMPROMISED)
    folder.state(revoked, key, days=5)
    assert outcome(folder.settle()) == (DisputeOutcome.SUPPORTED, "acme")


def test_a_commitment_dated_after_its_keys_revocation_does_not_count(
    folder: DisputeFolder,
) -> None:
    acme = folder.party("acme", days=10)
    folder.model("suspect", "doe", acme, contested=True)
    key = key_of("acme")
    revoked = KeyRevocation(key.public.fingerprint(), int(_days(20)), RevocationReason.COMPROMISED)
    folder.state(revoked, key, days=20)
    folder.claim("acme", "suspect")
    objections = claim(folder.settle(), "acme", "suspect").objections
    assert {one.section for one in objections} == {"28.5.2", "28.5.3"}


def test_a_restored_old_vault_is_caught_by_the_logged_counter(folder: DisputeFolder) -> None:
    acme = folder.party("acme", days=30)
    folder.model("suspect", "doe", acme, contested=True)
    digest = acme.commitment.digest
    for blocks, days in ((1, 20), (3, 15), (1, 2)):
        folder.state(SpentBlocks(digest, blocks, blocks), key_of("acme"), days)
    folder.claim("acme", "suspect")
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.NOT_SUPPORTED, "")
    (told,) = claim(verdict, "acme", "suspect").objections
    assert told.section == "28.5.5"
    assert "fell from 3 to 1" in told.words


def test_a_counter_by_somebody_elses_key_means_nothing(folder: DisputeFolder) -> None:
    acme = folder.party("acme", days=30)
    folder.model("suspect", "doe", acme, contested=True)
    for blocks, key, days in ((3, "acme", 20), (0, "doe", 10)):
        folder.state(SpentBlocks(acme.commitment.digest, blocks, blocks), key_of(key), days)
    folder.claim("acme", "suspect")
    assert outcome(folder.settle()) == (DisputeOutcome.SUPPORTED, "acme")


def test_two_honest_owners_of_two_models(folder: DisputeFolder) -> None:
    """A copy of one of them by a third party: its owner wins, the other loses nothing."""
    acme, doe = folder.party("acme", days=30), folder.party("doe", days=40)
    folder.model("suspect", "somebody else", acme, contested=True)
    folder.model("acme-model", "acme", acme, published=20)
    folder.model("doe-model", "doe", doe, published=20)
    for mark in ("acme", "doe"):
        folder.claim(mark, "suspect")
    folder.claim("acme", "doe-model")
    folder.claim("doe", "acme-model")
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.SUPPORTED, "acme")
    assert worth(verdict, "acme", "doe-model") == Standing.NOT_FOUND


def test_a_merge_of_both_models_is_undecided(folder: DisputeFolder) -> None:
    acme, doe = folder.party("acme", days=30), folder.party("doe", days=40)
    folder.model("suspect", "somebody else", acme, doe, contested=True)
    folder.claim("acme", "suspect")
    folder.claim("doe", "suspect")
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.UNDECIDED, "")
    assert verdict.decision.section == "28.6.2"


def test_a_stolen_model_passed_on_is_told_by_the_thiefs_own_product(folder: DisputeFolder) -> None:
    """Both marks stand in a third party's copy; the owner's stands in the thief's product too."""
    acme, doe = folder.party("acme", days=30), folder.party("doe", days=25)
    folder.model("suspect", "somebody else", acme, doe, contested=True)
    folder.model("doe-model", "doe", acme, doe, published=10)
    folder.claim("acme", "suspect")
    folder.claim("doe", "suspect")
    folder.claim("acme", "doe-model", [1])
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.SUPPORTED, "acme")


def test_nobody_is_marked(folder: DisputeFolder) -> None:
    folder.party("acme", days=30)
    folder.party("doe", days=40)
    folder.model("suspect", "somebody else", contested=True)
    folder.claim("acme", "suspect")
    folder.claim("doe", "suspect")
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.NOT_SUPPORTED, "")


def test_a_commitment_later_than_the_publication_supports_nothing(folder: DisputeFolder) -> None:
    acme = folder.party("acme", days=3)
    folder.model("suspect", "doe", acme, contested=True)
    folder.claim("acme", "suspect")
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.NOT_SUPPORTED, "")
    assert worth(verdict, "acme", "suspect") == Standing.NOT_OLDER


def test_overlapping_dates_are_undecided_in_time(folder: DisputeFolder) -> None:
    acme = folder.party("acme", days=7)
    folder.model("suspect", "doe", acme, contested=True)
    folder.claim("acme", "suspect")
    verdict = folder.settle()
    assert outcome(verdict) == (DisputeOutcome.UNDECIDED, "")
    assert worth(verdict, "acme", "suspect") == Standing.UNDECIDED_IN_TIME


def _days(days: float) -> float:
    from tests.support.dispute_folder import moment

    return moment(days).timestamp()
