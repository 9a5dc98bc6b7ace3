"""Logs that signed two trees of one size: what still counts of them (SPEC 28.3.3)."""

from __future__ import annotations

import pytest

from tests.support.dispute_folder import DisputeFolder, key_of, moment
from tests.support.html_page import Page
from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import LOG_KEY, POLICY_TEXT, signed, two_histories
from zkwm.disputes.page import render_dispute_page
from zkwm.disputes.results import DisputeOutcome, LogPlace
from zkwm.disputes.text import render_dispute_text
from zkwm.disputes.verdict import DisputeVerdict
from zkwm_protocols.cose.key_contents import KeyRevocation, RevocationReason
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.equivocation import Equivocation, ProvenLeaf
from zkwm_protocols.transparency.tree import TreeHead, prove_inclusion


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


def fork_of(folder: DisputeFolder, witnesses: int) -> Equivocation:
    """Acme's entry is in the log's tree, and another one stands there in a tree that is larger."""
    index = folder.log.tree.size - 1
    own = folder.log.checkpoint(folder.log.tree.head(), 5)
    forked = TiledLog([b"another"] * (index + 1) + [b"later"] * 3)
    other = folder.log.checkpoint(forked.head(), 5)
    kept = [one for one in other.signatures if one.name == LOG_KEY.verifier.name]
    kept += [one for one in other.signatures if one not in kept][:witnesses]
    leaves = [
        ProvenLeaf(tree.hashes()(0, index), tuple(prove_inclusion(index, tree.size, tree.hashes())))
        for tree in (folder.log.tree, forked)
    ]
    return Equivocation(own, SignedCheckpoint(other.checkpoint, tuple(kept)), index, tuple(leaves))


def put(folder: DisputeFolder, evidence: Equivocation) -> None:
    """A file of evidence in the case."""
    folder.case["equivocations"] = ["log.equivocation"]
    (folder.folder / "log.equivocation").write_bytes(evidence.to_bytes())


@pytest.mark.parametrize("witnesses", [1, 2])
def test_trees_of_two_sizes_that_differ_in_one_entry_are_evidence(
    folder: DisputeFolder, witnesses: int
) -> None:
    """SPEC 23.8 with an index; two witnesses are a quorum of this policy. All sizes are told."""
    acme = folder.party("acme", days=None)
    folder.model("suspect", "doe", acme, contested=True)
    folder.claim("acme", "suspect")
    folder.register("acme", 30)
    assert places(folder) != ()
    put(folder, fork_of(folder, witnesses))
    verdict = folder.settle()
    (evidence,) = verdict.equivocations
    assert evidence.index == 0
    assert (verdict.found.party("acme").logged == ()) == (witnesses == 2)
    sizes = "of sizes 1 and 4, neither of which grew from the other"
    assert sizes in told(verdict)
    text, page = render_dispute_text(verdict), Page(render_dispute_page(verdict)).text
    for shown in (" ".join(text.split()), " ".join(page.split())):
        assert shown.count(sizes) >= 2
        assert "entry 0" in shown.lower()
    for head in (evidence.first.checkpoint.head, evidence.second.checkpoint.head):
        assert f"size {head.size}, root {head.root.hex()}" in " ".join(text.split())


def test_a_file_that_proves_no_contradiction_accuses_no_log(folder: DisputeFolder) -> None:
    """The same leaf in both trees; a leaf that is not in the second; another tree of that size."""
    acme = folder.party("acme", days=None)
    folder.model("suspect", "doe", acme, contested=True)
    folder.claim("acme", "suspect")
    folder.register("acme", 30)
    before, honest = places(folder), fork_of(folder, 3)
    grown = folder.log.tree
    grown.append([b"later"])
    same = ProvenLeaf(grown.hashes()(0, 0), tuple(prove_inclusion(0, 2, grown.hashes())))
    forged = Equivocation(honest.first, signed(grown), 0, (honest.leaves[0], same))
    unproven = Equivocation(honest.first, signed(grown), 0, honest.leaves)
    swapped = Equivocation(honest.first, two_histories().second, 0, honest.leaves)
    for false in (forged, unproven, swapped):
        put(folder, false)
        verdict = folder.settle()
        assert (verdict.equivocations, places(folder)) == ((), before)
        assert any("log.equivocation" in one for one in verdict.not_checked)
