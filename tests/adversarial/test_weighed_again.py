"""Blocks weighed again: an evasive suspect, a wrong mean, and who may ask (SPEC.md 6.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.dispute import (
    Claimant,
    TableSuspect,
    TestJudge,
    marked,
    refused,
    spent,
    verdict_of,
)
from zkwm.judge.judge import Judge
from zkwm.owner.prove import prove
from zkwm.owner.vault import Vault
from zkwm.suspects import Answer
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, UsageError
from zkwm_protocols.suspect_identity import Preprocessing

MEAN = Preprocessing(mean=("0.5",), std=("0.25",))


class NeedsMean(TableSuspect):
    """A marked model that answers noise unless it is fed with its mean."""

    def answer(
        self, images: NDArray[np.uint8], preprocessing: Preprocessing, *, progress: Any = None
    ) -> tuple[Answer, ...]:
        if preprocessing != MEAN:
            return tuple(Answer(0) for _ in images)
        return super().answer(images, preprocessing, progress=progress)


def images_of(vault: Vault, commitment: Commitment) -> NDArray[np.uint8]:
    raw = vault.state.commitments[commitment.digest].images
    return np.frombuffer(raw, np.uint8).reshape(-1, *commitment.header.shape)


def thief(vault: Vault, commitment: Commitment) -> dict[bytes, int]:
    pairs = zip(images_of(vault, commitment), commitment.labels(), strict=True)
    return {image.tobytes(): int(label) for image, label in pairs}


def test_a_wrong_mean_costs_a_function_and_no_block(
    judge: TestJudge, vault: Vault, commitment: Commitment, fingerprint: str
) -> None:
    suspect = NeedsMean(thief(vault, commitment))
    first = judge.challenge(commitment, suspect, reveal=50)
    proof = prove(vault, commitment, first, judge_fingerprint=fingerprint)
    assert verdict_of(lambda: judge.verify(commitment, suspect, first, proof)).outcome == (
        "not proven"
    )
    again = judge.challenge(commitment, suspect, reveal=proof.blocks, preprocessing=MEAN)
    assert again.reopened_blocks == proof.blocks
    assert again.policy.functions_tried == 2
    answer = prove(vault, commitment, again, judge_fingerprint=fingerprint)
    assert answer.blocks == proof.blocks
    assert spent(vault, commitment) == set(proof.blocks)
    verdict = judge.verify(commitment, suspect, again, answer)
    assert verdict.proven
    assert verdict.functions_tried == 2


def test_an_evasive_endpoint_wins_no_block(
    judge: TestJudge, vault: Vault, commitment: Commitment, fingerprint: str
) -> None:
    """HTTP 500 for the triggers, then honest once the judge asks by another challenge."""
    table = thief(vault, commitment)
    suspect = TableSuspect(
        dict.fromkeys(table, "HTTP 500"), kind="http", remote=True, name="https://a.example"
    )
    first = judge.challenge(commitment, suspect, reveal=50)
    proof = prove(vault, commitment, first, judge_fingerprint=fingerprint)
    evaded = verdict_of(lambda: judge.verify(commitment, suspect, first, proof))
    assert evaded.outcome == "could not be checked"
    assert evaded.asked is not None
    assert evaded.asked.evasive
    suspect.table = dict(table)
    again = judge.challenge(commitment, suspect, reveal=(0,))
    answer = prove(vault, commitment, again, judge_fingerprint=fingerprint)
    assert judge.verify(commitment, suspect, again, answer).proven
    assert spent(vault, commitment) == {0}


def test_an_owner_weighs_nothing_again_for_another_judge_or_suspect(
    judge: TestJudge,
    other_judge: TestJudge,
    vault: Vault,
    commitment: Commitment,
    fingerprint: str,
) -> None:
    """A judge whose ledger lies: the owner's own decides."""
    suspect, other = TableSuspect(), TableSuspect(name="another model")
    first = judge.challenge(commitment, suspect, reveal=50)
    proof = prove(vault, commitment, first, judge_fingerprint=fingerprint)
    for asking, about in ((other_judge, suspect), (judge, other)):
        lie = asking.challenge(commitment, about, reveal=50)
        asking.ledger.record_opening(lie, proof.blocks)
        again = asking.challenge(commitment, about, reveal=proof.blocks)
        with refused(InvalidOpening, "challenge.reachable"):
            prove(vault, commitment, again, judge_fingerprint=asking.public.fingerprint())
    assert spent(vault, commitment) == set(proof.blocks)


def test_only_what_was_opened_can_be_weighed_again(judge: Judge, owner: Claimant) -> None:
    suspect = marked(owner.images, owner.labels)
    for blocks in ((0,), ()):
        with pytest.raises(UsageError, match="none so far"):
            judge.challenge(owner.commitment, suspect, reveal=blocks)
    first = judge.challenge(owner.commitment, suspect, reveal=50)
    judge.verify(owner.commitment, suspect, first, owner.answer(first, [2]))
    again = judge.challenge(owner.commitment, suspect, reveal=(2,))
    with refused(InvalidOpening, "response.blocks"):
        judge.verify(owner.commitment, suspect, again, owner.answer(again, [1]))
    with pytest.raises(UsageError, match="again: 2"):
        judge.challenge(owner.commitment, suspect, reveal=(2, 3))


def test_the_same_question_again_is_the_same_function(judge: Judge, owner: Claimant) -> None:
    """Nothing new is asked, so nothing can be gained: j stays."""
    suspect = TableSuspect()
    first = judge.challenge(owner.commitment, suspect, reveal=50)
    one = verdict_of(
        lambda: judge.verify(owner.commitment, suspect, first, owner.answer(first, [0]))
    )
    again = judge.challenge(owner.commitment, suspect, reveal=(0,))
    two = verdict_of(
        lambda: judge.verify(owner.commitment, suspect, again, owner.answer(again, [0]))
    )
    assert one.evidence == two.evidence
    assert len(suspect.asked) == 1
