"""A large commitment and a false story of which triggers are spent.

The accuser commits to a thousand images, waits for an innocent model, finds its hundred chance
matches and would like to open just those ("all the others were opened before"). Whole blocks, paid
for in advance, leave nothing to choose: SPEC.md 6.2, 6.3, 8.2.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.dispute import CLASSES, Claimant, TableSuspect, failed, random_images, verdict_of
from zkwm.judge.judge import Judge
from zkwm_protocols.errors import InvalidOpening, NotProven, UsageError
from zkwm_protocols.evidence import assess, null_distribution, smallest_reveal
from zkwm_protocols.labels import label
from zkwm_protocols.policy import Policy

LEAVES = 1000


def matches_of(accuser: Claimant, suspect: TableSuspect) -> NDArray[np.bool_]:
    """Which of all triggers the suspect happens to answer with their labels."""
    answers = np.array([suspect.rule(image) for image in accuser.images])
    return np.asarray(answers == accuser.labels)


def best_blocks(matched: NDArray[np.bool_], block_size: int, count: int) -> list[int]:
    """The luckiest blocks, ascending."""
    sums = matched.reshape(-1, block_size).sum(axis=1)
    return sorted(int(block) for block in np.argsort(-sums, kind="stable")[:count])


def test_fifty_lucky_leaves_of_a_thousand_blocks_of_one_are_refused(judge: Judge) -> None:
    accuser = Claimant(random_images(LEAVES, 1), block_size=1)
    suspect = TableSuspect(name="innocent")
    assert matches_of(accuser, suspect).sum() >= 50
    with pytest.raises(UsageError) as caught:
        judge.challenge(accuser.commitment, suspect, reveal=50)
    assert caught.value.check == "challenge.reachable"


def test_blocks_of_one_that_can_reach_the_threshold_need_more_luck_than_there_is(
    judge: Judge,
) -> None:
    accuser = Claimant(random_images(LEAVES, 1), block_size=1)
    suspect = TableSuspect(name="innocent")
    fewest = smallest_reveal(block_count=LEAVES, block_size=1, class_count=CLASSES, policy=Policy())
    assert fewest is not None
    matched = matches_of(accuser, suspect)
    assert fewest > matched.sum()
    challenge = judge.challenge(accuser.commitment, suspect, reveal=fewest)
    proof = accuser.answer(challenge, best_blocks(matched, 1, fewest))
    with pytest.raises(NotProven) as caught:
        judge.verify(accuser.commitment, suspect, challenge, proof)
    assert failed(caught.value.verdict) == ["evidence.threshold"]
    assert caught.value.verdict.evidence.matches == matched.sum()


@pytest.mark.parametrize("block_size", [5, 50])
def test_the_luckiest_blocks_are_not_proven(judge: Judge, block_size: int) -> None:
    accuser = Claimant(random_images(LEAVES, 2), block_size=block_size)
    suspect = TableSuspect(name="innocent")
    blocks = LEAVES // block_size
    fewest = smallest_reveal(
        block_count=blocks, block_size=block_size, class_count=CLASSES, policy=Policy()
    )
    assert fewest is not None
    challenge = judge.challenge(accuser.commitment, suspect, reveal=fewest * block_size)
    lucky = best_blocks(matches_of(accuser, suspect), block_size, fewest)
    proof = accuser.answer(challenge, lucky)
    verdict = verdict_of(lambda: judge.verify(accuser.commitment, suspect, challenge, proof))
    assert verdict.outcome == "not proven"
    assert failed(verdict) == ["evidence.threshold"]
    assert verdict.evidence is not None
    assert verdict.evidence.total_bits < -20


def test_fifty_single_triggers_instead_of_a_block_are_refused(judge: Judge) -> None:
    """The accuser names as many lucky triggers as a block has, from all over the commitment."""
    accuser = Claimant(random_images(LEAVES, 3))
    suspect = TableSuspect(name="innocent")
    lucky = np.flatnonzero(matches_of(accuser, suspect))[:50]
    challenge = judge.challenge(accuser.commitment, suspect, reveal=50)
    gathered = accuser.block(0, **{f"t{i}": accuser.trigger(int(k)) for i, k in enumerate(lucky)})
    proof = accuser.answer(challenge, [gathered])
    with pytest.raises(NotProven) as caught:
        judge.verify(accuser.commitment, suspect, challenge, proof)
    assert "opening.leaves" in failed(caught.value.verdict)
    counts = [result.status for result in caught.value.verdict.triggers]
    assert len(counts) == 50
    assert counts.count("wrong leaf") >= 44


def test_only_the_lucky_triggers_of_a_block_are_opened(judge: Judge) -> None:
    accuser = Claimant(random_images(LEAVES, 4))
    suspect = TableSuspect(name="innocent")
    matched = matches_of(accuser, suspect)
    (lucky,) = best_blocks(matched, 50, 1)
    challenge = judge.challenge(accuser.commitment, suspect, reveal=50)
    hidden = {f"t{i}": None for i in range(50) if not matched[50 * lucky + i]}
    proof = accuser.answer(challenge, [accuser.block(lucky, **hidden)])
    with pytest.raises(NotProven) as caught:
        judge.verify(accuser.commitment, suspect, challenge, proof)
    evidence = caught.value.verdict.evidence
    assert evidence.trials == 50
    assert evidence.matches == matched[50 * lucky : 50 * lucky + 50].sum()


def test_a_list_of_spent_blocks_in_the_response_is_malformed(judge: Judge) -> None:
    """There is no place for such a list; one that is put in is an unknown field."""
    accuser = Claimant(random_images(LEAVES, 5))
    suspect = TableSuspect(name="innocent")
    challenge = judge.challenge(accuser.commitment, suspect, reveal=50)
    spent = list(range(1, 20))
    proof = accuser.answer(challenge, [0], plaintext={"spent": spent})
    verdict = verdict_of(lambda: judge.verify(accuser.commitment, suspect, challenge, proof))
    assert failed(verdict) == ["opening.format"]


def test_spent_blocks_never_lower_the_number_of_blocks(judge: Judge) -> None:
    """Nineteen of twenty blocks excluded: B stays 20 in the sum."""
    accuser = Claimant(random_images(LEAVES, 6))
    suspect = TableSuspect(name="innocent")
    challenge = judge.challenge(
        accuser.commitment, suspect, reveal=50, excluded_blocks=tuple(range(19))
    )
    proof = accuser.answer(challenge, [19])
    with pytest.raises(NotProven) as caught:
        judge.verify(accuser.commitment, suspect, challenge, proof)
    terms = {term.name: term.bits for term in caught.value.verdict.evidence.terms}
    assert terms["size of the commitment"] == -4.33
    assert terms["choice of blocks"] == -4.33


@pytest.fixture(scope="module")
def chances() -> NDArray[np.bool_]:
    """Chance matches (400 commitments, 1,000 triggers): derived labels against an innocent."""
    answers = np.random.default_rng(1).integers(0, CLASSES, (400, LEAVES))
    seeds = [hashlib.sha256(bytes([number % 256, number // 256])).digest() for number in range(400)]
    labels = [[label(seed, index, CLASSES) for index in range(LEAVES)] for seed in seeds]
    return np.asarray(answers == np.array(labels))


def test_chance_matches_are_binomial(chances: NDArray[np.bool_]) -> None:
    """8,000 blocks of 50: chi-square of their matches stays under its 0.1 % point."""
    sums = chances.reshape(-1, 50).sum(axis=1)
    expected = len(sums) * np.array(null_distribution(50, CLASSES))
    bins = [sums == k for k in range(12)] + [sums >= 12]
    found = np.array([int(chosen.sum()) for chosen in bins])
    wanted = np.array([*expected[:12], expected[12:].sum()])
    assert ((found - wanted) ** 2 / wanted).sum() < 32.9  # 12 degrees of freedom


@pytest.mark.parametrize("block_size", [1, 5, 20, 50, 100, 1000])
def test_no_innocent_model_is_convicted_in_400_commitments(
    chances: NDArray[np.bool_], block_size: int
) -> None:
    """The best blocks of 400 commitments, for numbers of blocks that could prove a theft."""
    blocks = LEAVES // block_size
    policy = Policy()
    fewest = smallest_reveal(
        block_count=blocks, block_size=block_size, class_count=CLASSES, policy=policy
    )
    assert fewest is not None
    sums = np.sort(chances.reshape(400, blocks, block_size).sum(axis=2), axis=1)[:, ::-1]
    for count in sorted({fewest, min(blocks, 2 * fewest), (fewest + blocks) // 2, blocks}):
        evidence = assess(
            int(sums[:, :count].sum(axis=1).max()),
            blocks_used=count,
            block_count=blocks,
            block_size=block_size,
            class_count=CLASSES,
            policy=policy,
        )
        assert not evidence.reached
        # Without grinding and the choice of suspect, 400 tries earn nine bits and some luck.
        assert evidence.total_bits + 48 + 20 < math.log2(400) + 10


def test_a_response_with_the_blocks_of_another_choice_is_refused(judge: Judge) -> None:
    """More blocks than asked for, so that the judge may take the best of them."""
    accuser = Claimant(random_images(LEAVES, 7))
    suspect = TableSuspect(name="innocent")
    challenge = judge.challenge(accuser.commitment, suspect, reveal=50)
    proof = accuser.answer(challenge, range(20))
    with pytest.raises(InvalidOpening) as caught:
        judge.verify(accuser.commitment, suspect, challenge, proof)
    assert failed(caught.value.verdict) == ["response.blocks"]
