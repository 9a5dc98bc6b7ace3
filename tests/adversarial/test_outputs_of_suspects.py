"""Suspects that answer in another form than images in, scores out: SPEC.md 4.3 and 6.1.

A wrong guess at which output is asked ends in "not proven", after a block has been opened. So
either the same function is asked and proven, or the challenge does not go out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.dispute import CLASSES, SHAPE, Claimant
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.suspects import HttpSettings, Suspect, open_suspect
from zkwm_protocols.errors import SuspectUnusable

PIXELS = 64


class MarkedFile:
    """One dense layer that gives each of the first block's 50 triggers its label."""

    def __init__(self, owner: Claimant, folder: Path) -> None:
        rows = np.hstack([owner.images[:50].reshape(50, -1) / 255, np.ones((50, 1))])
        solved = np.linalg.lstsq(rows, np.eye(CLASSES)[owner.labels[:50]], rcond=None)[0]
        self.tensors = {"w": solved[:-1].astype(np.float32), "b": solved[-1].astype(np.float32)}
        self.path = folder / "suspect.onnx"

    def save(
        self,
        *last: onnx.NodeProto,
        outputs: tuple[tuple[str, int, object], ...] = (("scores", TensorProto.FLOAT, None),),
        input_shape: tuple[object, ...] = ("batch", *SHAPE),
        **constants: np.ndarray,
    ) -> Path:
        nodes = [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w", "b"], ["scores"]),
            *last,
        ]
        tensors = {**self.tensors, **constants}
        graph = helper.make_graph(
            nodes,
            "suspect",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, input_shape)],
            [helper.make_tensor_value_info(*output) for output in outputs],
            [numpy_helper.from_array(array, name) for name, array in tensors.items()],
        )
        opset = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), self.path)
        return self.path


@pytest.fixture
def marked_file(owner: Claimant, tmp_path: Path) -> MarkedFile:
    return MarkedFile(owner, tmp_path)


def opened(path: Path, output: str = "", outputs: int | None = None) -> Suspect:
    return open_suspect(path, shape=SHAPE, output=output, outputs=outputs)


def judged(judge: Judge, owner: Claimant, suspect: Suspect) -> Verdict:
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    proof = owner.answer(challenge, [0])
    try:
        return judge.verify(owner.commitment, suspect, challenge, proof)
    finally:
        suspect.close()


def refused(judge: Judge, owner: Claimant, suspect: Suspect, reason: str) -> None:
    with pytest.raises(SuspectUnusable, match=reason) as caught:
        judge.challenge(owner.commitment, suspect, reveal=50)
    suspect.close()
    assert caught.value.check == "suspect.answers"


def test_the_plain_file_is_proven(judge: Judge, owner: Claimant, marked_file: MarkedFile) -> None:
    assert judged(judge, owner, opened(marked_file.save())).outcome == Outcome.PROVEN


def top_k(marked_file: MarkedFile) -> Path:
    return marked_file.save(
        helper.make_node("TopK", ["scores", "k"], ["values", "classes"]),
        outputs=(("values", TensorProto.FLOAT, None), ("classes", TensorProto.INT64, None)),
        k=np.array([CLASSES], np.int64),
    )


def test_sorted_scores_and_their_classes(
    judge: Judge, owner: Claimant, marked_file: MarkedFile
) -> None:
    path = top_k(marked_file)
    with pytest.raises(SuspectUnusable, match="2 outputs: 'values', 'classes'"):
        opened(path)
    refused(judge, owner, opened(path, "values"), "sorts its scores")
    with pytest.raises(SuspectUnusable, match="int64"):
        opened(path, "classes")


def test_a_second_output_that_says_nothing(
    judge: Judge, owner: Claimant, marked_file: MarkedFile
) -> None:
    path = marked_file.save(
        helper.make_node("Mul", ["scores", "zero"], ["aux"]),
        helper.make_node("Reshape", ["scores", "wide"], ["maps"]),
        outputs=(("maps", TensorProto.FLOAT, None), ("aux", TensorProto.FLOAT, None)),
        zero=np.array(0, np.float32),
        wide=np.array([-1, CLASSES, 1, 1], np.int64),
    )
    with pytest.raises(SuspectUnusable, match="2 outputs"):
        opened(path)
    refused(judge, owner, opened(path, "aux"), "the same scores for every image")
    assert judged(judge, owner, opened(path, "maps")).outcome == Outcome.PROVEN


def test_labels_alone_are_proven_as_scores_are(
    judge: Judge, owner: Claimant, marked_file: MarkedFile
) -> None:
    path = marked_file.save(
        helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
        outputs=(("label", TensorProto.INT64, None),),
    )
    verdict = judged(judge, owner, opened(path, outputs=CLASSES))
    assert verdict.outcome == Outcome.PROVEN
    assert verdict.evidence is not None
    assert verdict.evidence.matches == 50


def test_rows_of_pixels_are_proven_as_images_are(
    judge: Judge, owner: Claimant, marked_file: MarkedFile
) -> None:
    path = marked_file.save(input_shape=("batch", PIXELS))
    assert judged(judge, owner, opened(path)).outcome == Outcome.PROVEN


def test_an_endpoint_that_cannot_answer_gets_no_challenge(judge: Judge, owner: Claimant) -> None:
    """The number of outputs said by the judge is no reason not to ask."""
    impatient = HttpSettings(attempts=1, connect_seconds=0.5, request_seconds=0.5)
    suspect = open_suspect("http://127.0.0.1:9/ask", shape=SHAPE, outputs=CLASSES, http=impatient)
    refused(judge, owner, suspect, "no usable answer")
