"""Logs that signed two trees of one size: what still counts of them (SPEC 28.3.3)."""

from __future__ import annotations

import pytest

from tests.support.dispute_folder import DisputeFolder, key_of, moment
from tests.support.witnessed_log import LOG_KEY, POLICY_TEXT
from zkwm.disputes.results import DisputeOutcome, LogPlace
from zkwm.disputes.verdict import DisputeVerdict
from zkwm_protocols.cose.key_contents import KeyRevocation, RevocationReason
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.tree import TreeHead


def second_tree(folder: DisputeFolder, witnesses: int) -> SignedCheckpoint:
    """Another tree of the log's size, signed by the log and by so many of its witnesses."""
    head = TreeHead(folder.log.tree.head().size, leaf_hash(b"another tree"))
    signed = folder.log.checkpoint(head, 5)
    cosigned = [one for one in signed.signatures if one.name != LOG_KEY.verifier.name]
    own = [one for one in signed.signatures if one.name == LOG_KEY.verifier.name]
    return SignedCheckpoint(signed.checkpoint, (*own, *cosigned[:witnesses]))


def told(verdict: DisputeVerdict) -> str:
    """The remark about two trees."""
    (words,) = [one.words for one in verdict.remarks if one.section == "28.3.3"]
    return words


def places(folder: DisputeFolder) -> tuple[LogPlace, ...]:
    """Where the log has Acme's commitment."""
    return folder.settle().found.party("acme").logged


@pytest.fixture
def stolen(folder: DisputeFolder) -> DisputeFolder:
    """A thief's commitment by Acme's key, dated after its revocation, and a mark that counts."""
    acme = folder.party("acme", days=10)
    folder.model("suspect", "doe", acme, contested=True)
    folder.claim("acme", "suspect")
    key = key_of("acme")
    since = int(moment(20).timestamp())
    content = KeyRevocation(key.public.fingerprint(), since, RevocationReason.COMPROMISED)
    folder.state(content, key, 15)
    return folder


@pytest.mark.parametrize("witnesses", [0, 1])
def test_an_unwitnessed_second_tree_does_not_undo_a_revocation(
    stolen: DisputeFolder, witnesses: int
) -> None:
    """One witness is no quorum of this policy."""
    assert stolen.settle().outcome == DisputeOutcome.NOT_SUPPORTED
    stolen.saw(stolen.log.checkpoint(stolen.log.tree.head(), 5), second_tree(stolen, witnesses))
    verdict = stolen.settle()
    assert verdict.outcome == DisputeOutcome.NOT_SUPPORTED
    (claim,) = verdict.found.claims
    assert [one.section for one in claim.objections] == ["28.5.2", "28.5.3"]
    assert len(verdict.equivocations) == 1
    assert "counts still" in told(verdict)


def test_an_unwitnessed_second_tree_does_not_undo_an_owners_log_date(
    folder: DisputeFolder,
) -> None:
    acme = folder.party("acme", days=None)
    folder.model("suspect", "doe", acme, contested=True)
    folder.claim("acme", "suspect")
    folder.register("acme", 30)
    before = places(folder)
    folder.saw(folder.log.checkpoint(folder.log.tree.head(), 5), second_tree(folder, 0))
    assert places(folder) == before != ()


@pytest.mark.parametrize("split", [False, True])
def test_two_trees_that_quorums_signed_end_belief(stolen: DisputeFolder, split: bool) -> None:
    """Also where the cosignatures stand in two copies, behind a copy without any."""
    head = stolen.log.checkpoint(stolen.log.tree.head(), 5)
    whole = second_tree(stolen, 3)
    copies = [whole]
    if split:
        own = second_tree(stolen, 0)
        lines = [one for one in whole.signatures if one not in own.signatures]
        copies = [own, *(own.with_signatures([line]) for line in lines)]
    stolen.saw(head, *copies)
    verdict = stolen.settle()
    assert "nothing that it says counts" in told(verdict)
    (claim,) = verdict.found.claims
    assert claim.objections == ()


def test_a_policy_without_witnesses_ends_belief_by_any_two_trees(folder: DisputeFolder) -> None:
    acme = folder.party("acme", days=None)
    folder.model("suspect", "doe", acme, contested=True)
    folder.claim("acme", "suspect")
    folder.register("acme", 30)
    lines = [one for one in POLICY_TEXT.splitlines() if not one.startswith("quorum")]
    policy = folder.folder / "trust" / "log-policy"
    policy.write_text("\n".join([*lines, "quorum none", ""]), encoding="utf-8")
    assert places(folder) != ()
    folder.saw(folder.log.checkpoint(folder.log.tree.head(), 5), second_tree(folder, 0))
    assert places(folder) == ()
