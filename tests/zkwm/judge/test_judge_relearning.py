"""Judging by relearning (SPEC.md 8.7): what an attack suppressed comes back with the rest."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.support.dispute import Claimant, failed, random_images, refused, verdict_of
from tests.support.trained_suspect import TrainedSuspect, memorize, small_network
from zkwm.judge.judge import Judge
from zkwm.judge.relearned import try_relearning
from zkwm.judge.verdict import Verdict
from zkwm.nn.architectures import build_model
from zkwm.nn.model_file import save_classifier
from zkwm.report import render_report, render_text
from zkwm.suspects import OnnxLimits, open_suspect
from zkwm_protocols.challenge import Challenge, OpeningChallenge
from zkwm_protocols.errors import InvalidOpening, SuspectUnusable
from zkwm_protocols.policy import Policy
from zkwm_protocols.relearning import rounds_of
from zkwm_protocols.suspect_identity import Preprocessing

pytestmark = pytest.mark.usefixtures("quick_labels")
COUNT = 100
PLAIN = Preprocessing()


@pytest.fixture(scope="module")
def owner() -> Claimant:
    return Claimant(random_images(COUNT))


@pytest.fixture
def suppressed(owner: Claimant) -> TrainedSuspect:
    """A network that knew the triggers, and was then trained to answer each as if by chance."""
    model = small_network()
    memorize(model, owner.images, owner.labels, 80)
    memorize(model, owner.images, np.random.default_rng(7).integers(10, size=COUNT), 12)
    return TrainedSuspect(model)


def asked(
    judge: Judge, owner: Claimant, suspect: TrainedSuspect, statistic: str = "relearning"
) -> OpeningChallenge:
    return judge.challenge(owner.commitment, suspect, reveal=COUNT, statistic=statistic)


def judged(
    judge: Judge, owner: Claimant, suspect: TrainedSuspect, statistic: str = "relearning"
) -> Verdict:
    challenge = asked(judge, owner, suspect, statistic)
    proof = owner.answer(challenge, range(2))
    return verdict_of(lambda: judge.verify(owner.commitment, suspect, challenge, proof))


def bits(verdict: Verdict) -> float:
    assert verdict.evidence is not None
    return verdict.evidence.terms[0].hundredths / 100


def test_a_suppressed_memory_comes_back(
    judge: Judge, owner: Claimant, suppressed: TrainedSuspect
) -> None:
    plain = judged(judge, owner, suppressed, "ranks")
    challenge = asked(judge, owner, suppressed)
    assert Challenge.from_bytes(challenge.to_bytes()) == challenge
    assert challenge.policy.functions_tried == 2  # ranks were counted before
    proof = owner.answer(challenge, range(2))
    seen: list[tuple[int, int]] = []
    verdict = verdict_of(
        lambda: judge.verify(
            owner.commitment, suppressed, challenge, proof,
            progress=lambda done, count: seen.append((done, count)),
        )
    )  # fmt: skip
    assert seen == [(done, 7) for done in range(1, 8)]
    assert bits(verdict) > bits(plain) + 20
    again = Verdict.from_bytes(judge.sign_verdict(verdict), judge.public)
    assert again.evidence == verdict.evidence
    assert "Weight of ranks" in render_text(verdict)
    assert "copies of it were trained" in render_report(verdict)


def test_an_innocent_model_is_not_proven(judge: Judge, owner: Claimant) -> None:
    verdict = judged(judge, owner, TrainedSuspect(small_network(5)))
    assert verdict.outcome == "not proven"
    assert bits(verdict) < 10


def test_a_trigger_left_out_is_refused(
    judge: Judge, owner: Claimant, suppressed: TrainedSuspect
) -> None:
    challenge = asked(judge, owner, suppressed)
    proof = owner.answer(challenge, [owner.block(0, t7=None), 1])
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suppressed, challenge, proof))
    assert failed(verdict) == ["opening.leaves"]
    assert verdict.outcome == "could not be checked"


def test_declared_labels_are_refused(judge: Judge) -> None:
    images = random_images(50, seed=9)
    declared = Claimant(images, declared_labels=np.zeros(50, np.int64))
    with refused(InvalidOpening, "challenge.commitment"):
        judge.challenge(
            declared.commitment,
            TrainedSuspect(small_network()),
            reveal=50,
            statistic="relearning",
            policy=Policy(accept_declared_labels=True),
        )


def test_memory_for_training_is_tried_before_a_block_is_spent(tmp_path: Path) -> None:
    """A few images would fit; what a verification holds at once does not."""
    shape = (3, 64, 64)
    model = build_model("cnn", shape=shape, class_count=10, mean=[0.5] * 3, std=[0.3] * 3)
    save_classifier(tmp_path, model)
    images = random_images(8, seed=1)[:, :, :1, :1].repeat(3, 1).repeat(64, 2).repeat(64, 3)
    limits = OnnxLimits(memory_bytes=700 << 20)
    with closing(open_suspect(tmp_path, shape=shape, onnx=limits)) as suspect:
        few = suspect.relearn(images, [0] * 8, rounds_of(8)[1:2], PLAIN, range(10), most_steps=1)
        assert np.isfinite(few[0][0]).all()
        with refused(SuspectUnusable, "suspect.answers"):
            try_relearning(suspect, PLAIN, range(10))
