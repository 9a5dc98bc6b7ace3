"""Opened triggers, trained into an innocent's model: SPEC.md 6.1 rule 2.

Blocks opened in one case are known to its judge and whoever saw them. Somebody trains them into
another model, and the accuser presents the same blocks again. The judge excludes them; a
marketplace, which remembers what was opened to it, does so by itself and cannot be made to forget.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.dispute import Claimant, TableSuspect, failed, marked, seal_to, verdict_of
from zkwm.judge.judge import Judge
from zkwm.marketplace import Marketplace
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import InvalidOpening, NotProven, UsageError, ZkwmError
from zkwm_protocols.keys import ED25519, SigningKey

STOLEN_MODEL = "the adversary's"


@pytest.fixture
def market(tmp_path: Path, judge: Judge, owner: Claimant) -> Marketplace:
    """A marketplace with the owner's commitment."""
    made = Marketplace(tmp_path / "market", judge)
    made.register(owner.commitment)
    return made


@pytest.fixture
def name(owner: Claimant) -> str:
    return owner.commitment.digest.hex()


def poisoned(owner: Claimant, *blocks: int) -> TableSuspect:
    """An innocent's model that was made to learn the opened blocks."""
    known = [index for block in blocks for index in range(50 * block, 50 * block + 50)]
    return marked(owner.images[known], owner.labels[known], name="a poisoned innocent's")


def test_an_excluded_block_that_is_opened_all_the_same_is_refused(
    judge: Judge, owner: Claimant
) -> None:
    suspect = poisoned(owner, 0)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50, excluded_blocks=(0,))
    with pytest.raises(InvalidOpening) as caught:
        judge.verify(owner.commitment, suspect, challenge, owner.answer(challenge, [0]))
    assert failed(caught.value.verdict) == ["response.blocks"]
    assert suspect.asked == []


def test_the_images_of_an_excluded_block_in_the_place_of_another_are_misses(
    judge: Judge, owner: Claimant
) -> None:
    suspect = poisoned(owner, 0)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50, excluded_blocks=(0,))
    moved = replace(owner.block(0), block=1)
    with pytest.raises(NotProven) as caught:
        judge.verify(owner.commitment, suspect, challenge, owner.answer(challenge, [moved]))
    assert {result.status for result in caught.value.verdict.triggers} == {"wrong leaf"}


def test_opened_images_under_a_new_commitment_have_other_labels(
    judge: Judge, owner: Claimant
) -> None:
    """Whoever saw an opening commits to the same images and salts."""
    suspect = poisoned(owner, 0, 1, 2, 3)
    copy = Claimant(owner.images, keys=(SigningKey.from_bytes(ED25519, bytes(32)),))
    assert copy.commitment.leaves == owner.commitment.leaves
    challenge = judge.challenge(copy.commitment, suspect, reveal=50)
    with pytest.raises(NotProven) as caught:
        judge.verify(copy.commitment, suspect, challenge, copy.answer(challenge, [0]))
    assert caught.value.verdict.evidence.matches < 20


def test_a_marketplace_excludes_what_was_opened_to_it(
    market: Marketplace, owner: Claimant, name: str
) -> None:
    stolen_model = marked(owner.images, owner.labels, name=STOLEN_MODEL)
    first = market.challenge(name, stolen_model)
    assert first.excluded_blocks == ()
    assert market.settle(stolen_model, first, owner.answer(first, [0])).proven
    suspect = poisoned(owner, 0)
    second = market.challenge(name, suspect)
    assert second.excluded_blocks == (0,)
    with pytest.raises(InvalidOpening):
        market.settle(suspect, second, owner.answer(second, [0]))
    with pytest.raises(NotProven):
        market.settle(suspect, second, owner.answer(second, [1]))
    assert market.challenge(name, suspect).excluded_blocks == (0, 1)


@pytest.mark.parametrize("garbage", ["noise", "stranger's", "another judge's box", "two blocks"])
def test_a_later_bad_response_does_not_make_a_marketplace_forget(
    market: Marketplace, owner: Claimant, other_judge: Judge, name: str, garbage: str
) -> None:
    """Settling the same challenge again with rubbish: the verdict and the opened block stay."""
    stolen_model = marked(owner.images, owner.labels, name=STOLEN_MODEL)
    first = market.challenge(name, stolen_model)
    market.settle(stolen_model, first, owner.answer(first, [0]))
    later = {
        "noise": b"zkwm-proof/1\n\x00",
        "stranger's": Claimant(owner.images, keys=(SigningKey.generate(),)).answer(first, [2]),
        "another judge's box": owner.answer(first, [2], sealed=seal_to(other_judge.public, {})),
        "two blocks": owner.answer(first, [2, 3]),
    }[garbage]
    with pytest.raises(ZkwmError):
        market.settle(stolen_model, first, later)
    assert market.verdicts()[first.digest.hex()]["outcome"] == "proven"
    assert market.challenge(name, poisoned(owner, 0)).excluded_blocks == (0,)


def test_a_second_response_of_the_owner_adds_to_what_was_opened(
    market: Marketplace, owner: Claimant, name: str
) -> None:
    """The owner signs two responses to one challenge: both blocks were seen."""
    stolen_model = marked(owner.images, owner.labels, name=STOLEN_MODEL)
    first = market.challenge(name, stolen_model)
    market.settle(stolen_model, first, owner.answer(first, [0]))
    market.settle(stolen_model, first, owner.answer(first, [3]))
    assert market.challenge(name, poisoned(owner, 0)).excluded_blocks == (0, 3)


def test_a_strangers_response_excludes_nothing(
    market: Marketplace, owner: Claimant, name: str
) -> None:
    """Or anybody could use up the owner's blocks."""
    stolen_model = marked(owner.images, owner.labels, name=STOLEN_MODEL)
    first = market.challenge(name, stolen_model)
    stranger = Claimant(owner.images, keys=(SigningKey.generate(),))
    forged = stranger.answer(first, [0], commitment=owner.commitment.digest)
    verdict = verdict_of(lambda: market.settle(stolen_model, first, forged))
    assert failed(verdict) == ["response.signature"]
    assert market.challenge(name, stolen_model).excluded_blocks == ()


def test_a_suspect_that_gave_no_answers_still_saw_the_block(
    market: Marketplace, owner: Claimant, name: str
) -> None:
    silent = TableSuspect(rule=lambda _: "timed out", name=STOLEN_MODEL, remote=True, kind="http")
    first = market.challenge(name, silent)
    verdict = verdict_of(lambda: market.settle(silent, first, owner.answer(first, [0])))
    assert verdict.outcome == "could not be checked"
    assert market.challenge(name, silent).excluded_blocks == (0,)


def test_each_further_suspect_costs_bits(market: Marketplace, owner: Claimant, name: str) -> None:
    """An accuser who holds one commitment against one model after the other."""
    tried = []
    for block, number in enumerate((0, 1, 1, 2)):
        suspect = TableSuspect(name=f"model {number}")
        challenge = market.challenge(name, suspect)
        tried.append(challenge.policy.functions_tried)
        with pytest.raises(NotProven):
            market.settle(suspect, challenge, owner.answer(challenge, [block]))
    assert tried == [1, 2, 2, 3]


def test_each_question_to_an_endpoint_is_another_function(
    market: Marketplace, owner: Claimant, name: str
) -> None:
    """An address pins no model: its owner may put up one model after the other."""
    endpoint = TableSuspect(name="https://example.org/classify", kind="http", remote=True)
    tried = []
    for block in range(3):
        challenge = market.challenge(name, endpoint)
        tried.append(challenge.policy.functions_tried)
        with pytest.raises(NotProven):
            market.settle(endpoint, challenge, owner.answer(challenge, [block]))
    assert tried == [1, 2, 3]


def test_a_challenge_of_the_same_judge_from_elsewhere_is_not_settled(
    market: Marketplace, owner: Claimant, judge: Judge
) -> None:
    """It would not have counted the functions tried, nor excluded what was opened."""
    suspect = poisoned(owner, 0)
    foreign: Challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    with pytest.raises(UsageError):
        market.settle(suspect, foreign, owner.answer(foreign, [0]))
    assert market.verdicts() == {}


@pytest.mark.parametrize(
    "hostile",
    ["../market/commitments", "../../etc/passwd", "", ".", "A" * 64, "0" * 63, "0" * 63 + "/", "*"],
)
def test_names_that_lead_out_of_the_folder_are_refused(market: Marketplace, hostile: str) -> None:
    with pytest.raises(UsageError):
        market.commitment(hostile)
    with pytest.raises(UsageError):
        market.challenge(hostile, TableSuspect())


def test_a_commitment_that_does_not_verify_is_not_registered(
    market: Marketplace, owner: Claimant
) -> None:
    stolen = replace(
        owner.commitment, header=replace(owner.commitment.header, owner_model=bytes(32))
    )
    with pytest.raises(ZkwmError):
        market.register(stolen)
    assert [kept.id for kept in market.commitments()] == [owner.commitment.digest.hex()]
