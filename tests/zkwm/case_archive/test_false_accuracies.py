"""A judge who states another accuracy than the suspect has, and packs the very test data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zkwm
from tests.support.case_files import save_lookup
from tests.support.dispute import SHAPE, Claimant, TestJudge, random_images
from zkwm.data import load_test_data
from zkwm.judge import frame
from zkwm.judge.task_accuracy import TaskAccuracy, TaskData
from zkwm_protocols import suspect_identity

pytestmark = pytest.mark.usefixtures("quick_labels")
ASKED, RIGHT = 200, 150


def archive(
    folder: Path,
    judge: TestJudge,
    monkeypatch: pytest.MonkeyPatch,
    right: int = RIGHT,
    count: int = ASKED,
) -> bytes:
    """A case whose suspect gets 150 of 200 test images right, and whose judge says otherwise."""
    owner = Claimant(random_images(200))
    images = random_images(ASKED, seed=9)
    labels = np.arange(ASKED) % 10
    model, tests = folder / "model.onnx", folder / "tests.npz"
    np.savez(tests, x_test=images, y_test=labels)
    answers = (labels + (np.arange(ASKED) >= RIGHT)) % 10
    save_lookup(
        model, np.concatenate([owner.images, images]), np.concatenate([owner.labels, answers]),
        shape=SHAPE,
    )  # fmt: skip
    measured = frame.measure_accuracy

    def lie(*given: Any, **more: Any) -> TaskAccuracy:
        true = measured(*given, **more).accuracy
        assert (true.right, true.count) == (RIGHT, ASKED)
        return TaskAccuracy(suspect_identity.TestAccuracy(right, count, true.data), ())

    monkeypatch.setattr(frame, "measure_accuracy", lie)
    with zkwm.open_suspect(model, shape=SHAPE) as suspect:
        data = TaskData(load_test_data(tests))
        challenge = judge.challenge(owner.commitment, suspect, reveal=50, test_data=data)
        proof = owner.answer(challenge, [0])
        verdict = judge.verify(owner.commitment, suspect, challenge, proof)
    for name, content in {
        "a.commitment": owner.commitment.to_bytes(),
        "a.challenge": challenge.to_bytes(),
        "a.proof": proof.to_bytes(),
        "a.verdict": judge.sign_verdict(verdict),
        "judge.key.pub": judge.public.to_bytes(),
    }.items():
        (folder / name).write_bytes(content)
    return zkwm.pack_case(sorted(folder.iterdir()), triggers=judge.secret_key)[0]


@pytest.mark.parametrize(
    ("right", "count", "state"),
    [
        pytest.param(150, 200, "repeated", id="as it is"),
        pytest.param(150, 150, "differs", id="of fewer images"),
        pytest.param(150, 1000, "differs", id="of more images"),
        pytest.param(151, 200, "differs", id="more of them right"),
        pytest.param(149, 200, "differs", id="fewer of them right"),
    ],
)
def test_an_accuracy_is_repeated_as_it_is_alone(
    right: int,
    count: int,
    state: str,
    tmp_path: Path,
    judge: TestJudge,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = archive(tmp_path, judge, monkeypatch, right, count)
    replay = zkwm.check_case(data, judge.public)
    states = {step.name: step.state for step in replay.steps}
    assert states.pop("accuracy") == state
    assert set(states.values()) == {"repeated"}
    assert replay.whole == (state == "repeated")
