"""A verdict without evidence is not recounted: it may list no answers, or what nobody answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import zkwm
from tests.support.case_files import save_lookup
from tests.support.dispute import SHAPE, Claimant, TestJudge, random_images
from zkwm.judge.results import CheckStatus
from zkwm.judge.verdict import Outcome, Verdict

pytestmark = pytest.mark.usefixtures("quick_labels")


def without_evidence(true: Verdict, *, listed: bool) -> Verdict:
    """A verdict that could not check the answers, and lists none or ranks of no class."""
    return replace(
        true,
        outcome=Outcome.COULD_NOT_CHECK,
        evidence=None,
        triggers=tuple(replace(one, rank=999_999) for one in true.triggers if listed),
        checks=tuple(
            replace(one, status=CheckStatus.FAILED) if one.id == "suspect.answers" else one
            for one in true.checks
        ),
    )


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (True, {"leaves": "repeated", "answers": "differs", "evidence": "not repeated"}),
        (False, {"answers": "not repeated"}),
    ],
)
def test_answers_without_evidence(
    tmp_path: Path, judge: TestJudge, *, listed: bool, expected: dict[str, str]
) -> None:
    owner, model = Claimant(random_images(200)), tmp_path / "model.onnx"
    save_lookup(model, owner.images, owner.labels, shape=SHAPE)
    with zkwm.open_suspect(model, shape=SHAPE) as suspect:
        challenge = judge.challenge(owner.commitment, suspect, reveal=50, statistic="ranks")
        proof = owner.answer(challenge, [0])
        verdict = judge.verify(owner.commitment, suspect, challenge, proof)
    for name, data in {
        "a.commitment": owner.commitment.to_bytes(),
        "a.challenge": challenge.to_bytes(),
        "a.proof": proof.to_bytes(),
        "a.verdict": judge.sign_verdict(without_evidence(verdict, listed=listed)),
        "judge.key.pub": judge.public.to_bytes(),
    }.items():
        (tmp_path / name).write_bytes(data)
    data, _ = zkwm.pack_case(sorted(tmp_path.iterdir()), triggers=judge.secret_key)
    found = {step.name: step.state for step in zkwm.check_case(data, judge.public).steps}
    assert (
        found == dict.fromkeys(("verdict", "files", "signatures", "suspect"), "repeated") | expected
    )
