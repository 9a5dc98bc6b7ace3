"""Openings that omit, repeat, invent or alter triggers: SPEC.md 6.2, 6.3.

The suspect of these tests carries the mark, so that only the check under attack stands between the
response and a proven verdict.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.dispute import (
    Claimant,
    TableSuspect,
    failed,
    random_images,
    status,
    verdict_of,
)
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Verdict
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.opening import OpenedBlock


@pytest.fixture
def challenge(judge: Judge, owner: Claimant, stolen_model: TableSuspect) -> Challenge:
    """One block of 50; block 3 is excluded."""
    return judge.challenge(owner.commitment, stolen_model, reveal=50, excluded_blocks=(3,))


def judged(
    judge: Judge, owner: Claimant, stolen_model: Any, challenge: Challenge, proof: Any
) -> Verdict:
    return verdict_of(
        lambda: judge.verify(owner.commitment, stolen_model, challenge, proof.to_bytes())
    )


@pytest.mark.parametrize(
    ("blocks", "named"),
    [
        ([3], None),
        ([0, 1], None),
        ([1, 0], None),
        ([0], (0, 0)),
        ([0], (4,)),
        ([0], (99_999,)),
        ([0, 0], None),
    ],
    ids=["excluded", "unasked", "descending", "named twice", "outside", "far outside", "twice"],
)
def test_blocks_that_were_not_asked_for(
    judge: Judge,
    owner: Claimant,
    stolen_model: TableSuspect,
    challenge: Challenge,
    blocks: list[int],
    named: tuple[int, ...] | None,
) -> None:
    proof = owner.answer(challenge, blocks, named_blocks=named)
    verdict = judged(judge, owner, stolen_model, challenge, proof)
    assert verdict.outcome == "could not be checked"
    assert failed(verdict) == ["response.blocks"]


@pytest.mark.parametrize("inside", [[1], [0, 1], [2, 0]])
def test_other_blocks_are_sealed_than_the_response_names(
    judge: Judge,
    owner: Claimant,
    stolen_model: TableSuspect,
    challenge: Challenge,
    inside: list[int],
) -> None:
    """The public part of the response names blocks that an outsider may count on."""
    proof = owner.answer(challenge, inside, named_blocks=(0,))
    assert failed(judged(judge, owner, stolen_model, challenge, proof)) == ["opening.format"]


@pytest.mark.parametrize("keep", [0, 1, 49, 51, 100])
def test_a_block_that_is_not_whole(
    judge: Judge, owner: Claimant, stolen_model: TableSuspect, challenge: Challenge, keep: int
) -> None:
    """Too few triggers or too many: nothing is left out, nothing is added."""
    triggers = (owner.block(0).triggers * 2)[:keep]
    proof = owner.answer(challenge, [OpenedBlock(0, triggers)])
    assert failed(judged(judge, owner, stolen_model, challenge, proof)) == ["opening.format"]


@pytest.mark.parametrize("missing", [1, 25, 50])
def test_triggers_that_are_not_opened_are_misses_and_stay_in_the_count(
    judge: Judge, owner: Claimant, stolen_model: TableSuspect, challenge: Challenge, missing: int
) -> None:
    hidden = {f"t{i}": None for i in range(missing)}
    proof = owner.answer(challenge, [owner.block(0, **hidden)])
    verdict = judged(judge, owner, stolen_model, challenge, proof)
    assert status(verdict, "opening.leaves") == "failed"
    assert verdict.evidence is not None
    assert verdict.evidence.trials == 50
    assert verdict.evidence.matches == 50 - missing
    assert [result.status for result in verdict.triggers].count("missing leaf") == missing
    assert verdict.proven == (missing == 1)


@pytest.mark.parametrize("what", ["pixel", "salt", "another leaf", "order"])
def test_triggers_that_do_not_open_their_leaf_are_misses_though_the_suspect_would_match(
    judge: Judge, owner: Claimant, stolen_model: TableSuspect, challenge: Challenge, what: str
) -> None:
    pixels = owner.images[0].copy()
    pixels[0, 0, 0] ^= 1
    wrong = {
        "pixel": {"t0": replace(owner.trigger(0), pixels=pixels)},
        "salt": {"t0": replace(owner.trigger(0), salt=bytes(32))},
        "another leaf": {"t0": owner.trigger(1)},
        "order": {"t0": owner.trigger(1), "t1": owner.trigger(0)},
    }[what]
    stolen_model.table[pixels.tobytes()] = int(owner.labels[0])
    verdict = judged(
        judge, owner, stolen_model, challenge, owner.answer(challenge, [owner.block(0, **wrong)])
    )
    assert verdict.evidence is not None
    assert verdict.evidence.trials == 50
    assert verdict.evidence.matches == 50 - len(wrong)
    assert [result.status for result in verdict.triggers].count("wrong leaf") == len(wrong)
    assert all(result.image is None for result in verdict.triggers[: len(wrong)])


def test_images_made_after_the_labels_are_known_are_misses(
    judge: Judge, owner: Claimant, challenge: Challenge
) -> None:
    """Adversarial images for an innocent model, each answered with its derived label."""
    innocent = TableSuspect(name="the adversary's")
    found: dict[int, np.ndarray] = {}
    for image in random_images(2000, 8):
        found.setdefault(int(innocent.rule(image)), image)
    crafted = {
        f"t{i}": replace(owner.trigger(i), pixels=found[int(owner.labels[i])]) for i in range(50)
    }
    proof = owner.answer(challenge, [owner.block(0, **crafted)])
    verdict = judged(judge, owner, innocent, challenge, proof)
    assert verdict.evidence is not None
    assert verdict.evidence.matches == 0
    assert innocent.asked == []


@pytest.mark.parametrize(("needed_less", "outcome"), [(0, "proven"), (1, "not proven")])
def test_the_threshold_is_exact(
    judge: Judge,
    owner: Claimant,
    stolen_model: TableSuspect,
    challenge: Challenge,
    needed_less: int,
    outcome: str,
) -> None:
    """As many matches as are needed, and one fewer."""
    proof = owner.answer(challenge, [0])
    perfect = judged(judge, owner, stolen_model, challenge, proof)
    assert perfect.evidence is not None
    assert perfect.evidence.needed_matches is not None
    wanted = perfect.evidence.needed_matches - needed_less
    for index in range(wanted, 50):
        stolen_model.table[owner.images[index].tobytes()] = int(owner.labels[index] + 1) % 10
    judge.forget()
    verdict = judged(judge, owner, stolen_model, challenge, proof)
    assert verdict.outcome == outcome
    assert verdict.evidence is not None
    assert verdict.evidence.matches == wanted
    assert verdict.evidence.reached == (outcome == "proven")


def test_verdicts_cannot_be_added(
    judge: Judge, owner: Claimant, stolen_model: TableSuspect, challenge: Challenge
) -> None:
    """Two half verdicts do not make a whole one: there is nothing to add them with."""
    verdict = judged(judge, owner, stolen_model, challenge, owner.answer(challenge, [0]))
    assert verdict.evidence is not None
    for left, right in ((verdict, verdict), (verdict.evidence, verdict.evidence)):
        with pytest.raises(TypeError):
            left + right
        with pytest.raises(TypeError):
            sum([left, right])
