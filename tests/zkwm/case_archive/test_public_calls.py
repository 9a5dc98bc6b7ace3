"""The public calls about case archives: pack a case, check it."""

from __future__ import annotations

from pathlib import Path

import pytest

import zkwm
from tests.support.case_files import save_lookup
from tests.support.dispute import SHAPE, Claimant, TestJudge, new_judge, random_images

pytestmark = pytest.mark.usefixtures("quick_labels")


@pytest.fixture
def files(tmp_path: Path, judge: TestJudge) -> list[Path]:
    """The files of a proven case."""
    owner, model = Claimant(random_images(200)), tmp_path / "model.onnx"
    save_lookup(model, owner.images, owner.labels, shape=SHAPE)
    with zkwm.open_suspect(model, shape=SHAPE) as suspect:
        challenge = judge.challenge(owner.commitment, suspect, reveal=50)
        proof = owner.answer(challenge, [0])
        verdict = judge.verify(owner.commitment, suspect, challenge, proof)
    for name, data in {
        "a.commitment": owner.commitment.to_bytes(),
        "a.challenge": challenge.to_bytes(),
        "a.proof": proof.to_bytes(),
        "a.verdict": judge.sign_verdict(verdict),
        "judge.key.pub": judge.public.to_bytes(),
    }.items():
        (tmp_path / name).write_bytes(data)
    return sorted(tmp_path.iterdir())


def test_a_case_is_packed_and_repeated(files: list[Path], judge: TestJudge) -> None:
    data, manifest = zkwm.pack_case(files, triggers=judge.secret_key)
    assert {file.role for file in manifest.files} >= {"commitment", "suspect", "opened-triggers"}
    replay = zkwm.check_case(data, judge.public)
    assert (replay.outcome, replay.whole, replay.differs) == ("proven", True, False)
    assert {step.state for step in replay.steps} == {zkwm.ReplayState.REPEATED}
    assert (replay.judge_given, zkwm.check_case(data).judge_given) == (True, False)


def test_a_case_without_triggers_is_not_whole(files: list[Path], judge: TestJudge) -> None:
    replay = zkwm.check_case(zkwm.pack_case(files)[0], judge.public)
    assert (replay.outcome, replay.whole) == (None, False)


def test_what_is_refused(files: list[Path]) -> None:
    with pytest.raises(zkwm.UsageError, match="missing"):
        zkwm.pack_case(files[:1])
    data, _ = zkwm.pack_case(files)
    with pytest.raises(zkwm.InvalidSignature):
        zkwm.check_case(data, new_judge().public)
    with pytest.raises(zkwm.Malformed):
        zkwm.check_case(data[:-1])
