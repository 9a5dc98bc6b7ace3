"""What a judge or a marketplace may demand of an argument, and what cannot be asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.argued import SHAPE, StandIn, argue, save_linear, signed
from tests.support.dispute import Claimant, failed, new_judge, random_images, verdict_of
from zkwm.data import LabeledImages
from zkwm.judge.case import ArgumentCase, Findings, Request
from zkwm.judge.check_argument import decide
from zkwm.judge.checks import ARGUMENT_TITLES, Checks
from zkwm.judge.decision import make_verdict
from zkwm.judge.judge import Judge
from zkwm.judge.ledger import JudgeLedger
from zkwm.judge.task_accuracy import TaskData
from zkwm.marketplace import Marketplace
from zkwm.quantizer.network_agreement import GIVEN, measure_agreement
from zkwm.suspects import Suspect, open_suspect
from zkwm_protocols.argument_response import ArgumentResponse
from zkwm_protocols.challenge import ArgumentChallenge
from zkwm_protocols.errors import (
    CouldNotCheck,
    InvalidOpening,
    SuspectUnusable,
    UsageError,
    ZkwmError,
)
from zkwm_protocols.evidence import assess
from zkwm_protocols.policy import Policy
from zkwm_protocols.suspect_identity import Preprocessing


@pytest.mark.slow
def test_blocks_and_matches_can_be_chosen(judge: Judge, owner: Claimant, suspect: Suspect) -> None:
    asked = judge.challenge_argument(
        owner.commitment, suspect, blocks=3, least_matches=70, excluded_blocks=(0,)
    )
    assert (asked.block_count, asked.least_matches) == (3, 70)
    spared = judge.challenge_argument(owner.commitment, suspect, excluded_blocks=(0, 9))
    assert spared.block_count == 3
    for wrong in ({"blocks": 5}, {"blocks": 4, "excluded_blocks": (1,)}, {"least_matches": 20}):
        with pytest.raises((UsageError, CouldNotCheck)) as caught:
            judge.challenge_argument(owner.commitment, suspect, **wrong)
        assert caught.value.check == "challenge.reachable"


def test_what_cannot_reach_the_threshold_is_not_asked_for(
    judge: Judge, owner: Claimant, suspect: Suspect
) -> None:
    with pytest.raises(UsageError) as caught:
        judge.challenge_argument(owner.commitment, suspect, policy=Policy(threshold_bits=1000))
    assert caught.value.check == "challenge.reachable"


def test_a_suspect_that_cannot_be_compared_is_not_quantized(
    judge: Judge, owner: Claimant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores of more than 1,000 outputs are not kept (SPEC.md 18.1)."""
    path = tmp_path / "wide.onnx"
    save_linear(path, owner.images, owner.labels, classes=1001)
    made: list[Suspect] = []
    monkeypatch.setattr("zkwm.judge.judge.network_of", lambda suspect, _: made.append(suspect))
    wide = open_suspect(path, shape=SHAPE)
    try:
        with pytest.raises(SuspectUnusable, match="1,001 outputs") as caught:
            judge.challenge_argument(owner.commitment, wide)
    finally:
        wide.close()
    assert (caught.value.check, made) == ("argument.agreement", [])


@pytest.mark.parametrize(
    "changes",
    [
        {"least_matches": 59},
        {"least_matches": 101},
        {"policy": Policy(threshold_bits=41)},
        {"policy": Policy(functions_tried=2)},
    ],
    ids=repr,
)
def test_a_demand_under_the_threshold_fails_before_the_answer_is_read(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: ArgumentChallenge,
    changes: dict[str, Any],
) -> None:
    """So that no verdict on an argument has to hold its evidence against the threshold."""
    asked = signed(challenge, judge, **changes)
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, asked, b"not read"))
    assert failed(verdict) == ["challenge.reachable"]
    assert verdict.outcome == "could not be checked"
    assert "evidence.threshold" not in ARGUMENT_TITLES


def test_evidence_under_the_threshold_is_never_proven_by_an_argument(
    owner: Claimant, challenge: ArgumentChallenge, proof: ArgumentResponse
) -> None:
    """Even if a challenge that asks too little had passed every check before."""
    asked = replace(challenge, least_matches=1)
    case = ArgumentCase(owner.commitment, asked, proof, accept_declared_labels=False)
    checks = Checks()
    with pytest.raises(InvalidOpening) as caught:
        decide(checks, case, case.weigh(1))
    assert caught.value.check == "challenge.reachable"
    request = Request(owner.commitment, "model.onnx", asked, proof)
    verdict = make_verdict(checks, Findings(), caught.value, request=request, judge=asked.judge)
    assert not verdict.proven


@pytest.mark.parametrize("threshold", [1, 40, 117])
def test_what_may_be_demanded_is_what_reaches_the_threshold(
    owner: Claimant, challenge: ArgumentChallenge, threshold: int
) -> None:
    policy, header = Policy(threshold_bits=threshold), owner.commitment.header
    for least in range(1, 101):
        asked = replace(challenge, least_matches=least, policy=policy)
        reached = assess(
            least, blocks_used=asked.block_count, block_count=header.block_count,
            block_size=header.block_size, class_count=header.class_count, policy=policy,
        ).reached  # fmt: skip
        if reached:
            asked.verify_against(owner.commitment)
            continue
        with pytest.raises(ZkwmError) as caught:
            asked.verify_against(owner.commitment)
        assert caught.value.check == "challenge.reachable"


@pytest.mark.slow
def test_a_marketplace_settles_in_zero_knowledge(
    owner: Claimant, suspect: Suspect, model: Path, argument: StandIn, tmp_path: Path
) -> None:
    fresh = new_judge().with_ledger(JudgeLedger(tmp_path / "ledger"))
    market = Marketplace(tmp_path / "market", fresh)
    name = market.register(owner.commitment)
    asked = market.challenge(name, suspect, purpose="claim", zero_knowledge=True)
    answer = argue(owner, asked, model)
    verdict = market.settle(suspect, asked, answer, images=random_images(20, shape=SHAPE))
    assert verdict.proven
    assert verdict.argued is not None
    assert verdict.argued.agreements[-1].kind == GIVEN
    with pytest.raises(CouldNotCheck):
        market.settle(suspect, asked, replace(answer, argument=b"noise").signed_by(owner.keys))
    assert market.verdicts()[asked.digest.hex()]["outcome"] == "proven"
    assert market.judge.ledger.opened_blocks(owner.commitment.digest) == ()
    with pytest.raises(UsageError, match="whole blocks"):
        market.challenge(name, suspect, reveal=30, zero_knowledge=True)
    fewer = market.challenge(name, suspect, reveal=75, zero_knowledge=True)
    assert fewer.block_count == 3


def test_a_marketplace_compares_on_images_of_the_task_too(
    judge: Judge, owner: Claimant, suspect: Suspect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = random_images(300, shape=SHAPE)
    answers = suspect.answer(images, Preprocessing())
    labels = np.array([answer.output for answer in answers], np.int64)
    market = Marketplace(tmp_path / "market", judge)
    name = market.register(owner.commitment)
    compared: list[Any] = []

    def measure(*given: Any, images: Any, **options: Any) -> Any:
        compared.append(images)
        return measure_agreement(*given, images=images, **options)

    monkeypatch.setattr("zkwm.judge.frame.measure_agreement", measure)
    data = TaskData(LabeledImages(images, labels))
    market.challenge(name, suspect, zero_knowledge=True, test_data=data)
    assert np.array_equal(compared[0], images[:200])
