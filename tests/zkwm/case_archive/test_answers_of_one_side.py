"""Answers that one side alone has, where they rest on each other: ranks, points, extracted keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import zkwm
from tests.support.case_files import save_lookup
from tests.support.dispute import SHAPE, Claimant, TestJudge, new_judge, random_images
from tests.support.extraction_case import COUNT, new_case
from zkwm.case_archive import other_rounding
from zkwm.case_archive.pack import pack_case
from zkwm.case_archive.replay import Replay, check_case
from zkwm.judge.counted import sums_of
from zkwm.judge.results import TriggerResult, TriggerStatus
from zkwm.judge.verdict import Verdict
from zkwm.suspects import ExtractionSettings
from zkwm.suspects.extraction_suspect import ExtractionSuspect
from zkwm.suspects.onnx_suspect import OnnxSuspect
from zkwm.suspects.suspect import TIMED_OUT, Answer
from zkwm_protocols.errors import SuspectUnusable
from zkwm_protocols.evidence import assess

pytestmark = pytest.mark.usefixtures("quick_labels")
Late = frozenset[int]
REPEATED, NOT_REPEATED, DIFFERS = "repeated", "not repeated", "differs"
ALONE = "have an answer in the verdict alone, or here alone"


@contextmanager
def slow(images: NDArray[np.uint8], late: Late, kind: type[Any] = OnnxSuspect) -> Iterator[None]:
    """A machine that gets no answer in time to these images."""
    own = {images[place].tobytes() for place in late}
    answer = kind.answer

    def patched(self: Any, asked: NDArray[np.uint8], *given: Any, **more: Any) -> Any:
        found = answer(self, asked, *given, **more)
        return tuple(
            Answer(None, TIMED_OUT) if image.tobytes() in own else one
            for image, one in zip(asked, found, strict=True)
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "answer", patched)
        yield


@dataclass(frozen=True)
class Case:
    """A case whose judge got no answer to some triggers."""

    folder: Path
    owner: Claimant
    judge: TestJudge
    verdict: Verdict

    def check(
        self, late: Late = frozenset(), change: Callable[[Verdict], Verdict] = replace
    ) -> Replay:
        """The replay on a machine that gets none to these, of a verdict that the judge changes."""
        signed = self.judge.sign_verdict(change(self.verdict))
        (self.folder / "a.verdict").write_bytes(signed)
        data, _ = zkwm.pack_case(sorted(self.folder.iterdir()), triggers=self.judge.secret_key)
        with slow(self.owner.images, late):
            return zkwm.check_case(data, self.judge.public)


def decided(folder: Path, judge: TestJudge, statistic: str, late: Late) -> Case:
    """By 100 triggers, of which the suspect's scores know nine tenths."""
    owner, model = Claimant(random_images(200)), folder / "model.onnx"
    answers = np.where(np.arange(200) % 10, owner.labels, owner.labels + 1) % 10
    save_lookup(model, owner.images, answers, shape=SHAPE)
    with slow(owner.images, late), zkwm.open_suspect(model, shape=SHAPE) as suspect:
        challenge = judge.challenge(owner.commitment, suspect, reveal=100, statistic=statistic)
        proof = owner.answer(challenge, range(2))
        verdict = judge.verify(owner.commitment, suspect, challenge, proof)
    for name, data in {
        "a.commitment": owner.commitment.to_bytes(),
        "a.challenge": challenge.to_bytes(),
        "a.proof": proof.to_bytes(),
        "judge.key.pub": judge.public.to_bytes(),
    }.items():
        (folder / name).write_bytes(data)
    return Case(folder, owner, judge, verdict)


def answers(replay: Replay) -> tuple[str, str]:
    """State and words of the step "answers"; every other step is repeated."""
    (step,) = (one for one in replay.steps if one.name == "answers")
    assert {one.state for one in replay.steps if one is not step} == {REPEATED}
    return step.state, step.words


FEW = frozenset({3, 4})


@pytest.mark.parametrize("statistic", ["matches", "ranks", "scores"])
@pytest.mark.parametrize(
    ("there", "here"),
    [
        pytest.param(frozenset[int](), FEW, id="here"),
        pytest.param(FEW, frozenset[int](), id="at the judge's"),
        pytest.param(FEW, frozenset({3, 5}), id="others here"),
        pytest.param(FEW, FEW, id="on both sides"),
    ],
)
def test_answers_that_one_side_has_not(
    statistic: str, there: Late, here: Late, tmp_path: Path, judge: TestJudge
) -> None:
    """Matches stand each by itself; ranks and points of all move with an answer that is missing."""
    state, words = answers(decided(tmp_path, judge, statistic, there).check(here))
    if statistic == "matches" or there == here:
        assert state == REPEATED
    else:
        assert state == NOT_REPEATED
        assert ALONE in words


def lies(true: Verdict) -> Verdict:
    """Ten matches fewer than the suspect gives, and ranks of 0 for the others."""
    triggers = tuple(
        replace(one, status=TriggerStatus.NO_MATCH, answer=((one.expected_output or 0) + 1) % 10)
        if one.status == TriggerStatus.MATCH and place % 50 in range(10, 16)
        else replace(one, rank=one.rank and 0)
        for place, one in enumerate(true.triggers)
    )
    return recounted_as(true, triggers)


def recounted_as(true: Verdict, triggers: tuple[TriggerResult, ...]) -> Verdict:
    """The verdict with other answers, and the evidence that follows from matches and ranks."""
    assert true.header is not None
    assert true.challenge is not None
    matches = sum(one.status == TriggerStatus.MATCH for one in triggers)
    rank_sum, score_sum = sums_of(triggers, true.challenge.statistic, true.header.class_count)
    evidence = assess(
        matches, blocks_used=len(true.blocks), block_count=true.header.block_count,
        block_size=true.header.block_size, class_count=true.header.class_count,
        policy=replace(true.challenge.policy, functions_tried=true.functions_tried or 1),
        rank_sum=rank_sum, score_sum=score_sum,
    )  # fmt: skip
    return replace(true, triggers=triggers, evidence=evidence)


@pytest.mark.parametrize("statistic", ["matches", "ranks", "scores"])
@pytest.mark.parametrize("late", [frozenset[int](), FEW], ids=["none late", "the same late"])
def test_a_lie_about_answers_differs_beside_those_that_nobody_has(
    statistic: str,
    late: Late,
    tmp_path: Path,
    judge: TestJudge,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The outcome stays proven, and the sum follows from what the verdict lists."""
    monkeypatch.setattr(other_rounding, "ORDERS", 1)
    state, words = answers(decided(tmp_path, judge, statistic, late).check(late, lies))
    assert state == DIFFERS
    number = 20 if statistic == "ranks" else 10
    assert f"the model answers {number} triggers otherwise" in words


def test_a_suspect_too_large_to_be_put_in_another_order(
    tmp_path: Path, judge: TestJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether rounding decides is then not known: an honest verdict of another machine may be."""
    opened = other_rounding.suspect_again

    def large(*given: Any, order: int = 0) -> Any:
        if order:
            raise SuspectUnusable("out of memory", check="suspect.answers")
        return opened(*given)

    monkeypatch.setattr(other_rounding, "ORDERS", 1)
    monkeypatch.setattr(other_rounding, "suspect_again", large)
    case = decided(tmp_path, judge, "matches", frozenset())
    assert answers(case.check(frozenset()))[0] == REPEATED
    state, words = answers(case.check(frozenset(), lies))
    assert state == NOT_REPEATED
    assert words.endswith("; its sums were not put in another order: out of memory")


@pytest.mark.parametrize("late", [frozenset[int](), FEW], ids=["none late", "the same late"])
def test_keys_of_an_extracted_mark(late: Late, tmp_path: Path) -> None:
    """They get answers from one network at once: one that one side alone has decides nothing."""
    case, judge, marked = new_case(tmp_path), new_judge(), tmp_path / "marked"
    with slow(case.keys, late, ExtractionSuspect), case.suspect(marked) as suspect:
        challenge = judge.challenge(case.commitment, suspect, reveal=COUNT)
        proof = case.answered(judge, challenge)
        verdict = judge.verify(case.commitment, suspect, challenge, proof)
    files = {
        "a.commitment": case.commitment.to_bytes(),
        "a.challenge": challenge.to_bytes(),
        "a.proof": proof,
        "a.verdict": judge.sign_verdict(verdict),
        "judge.key.pub": judge.public.to_bytes(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    settings = ExtractionSettings("uchida", {}, tmp_path / "unmarked")
    packed, _ = pack_case(
        [*(tmp_path / name for name in files), marked], triggers=judge.key, extraction=settings
    )
    with slow(case.keys, late, ExtractionSuspect):
        assert answers(check_case(packed, judge.public))[0] == REPEATED
    other = FEW - late
    with slow(case.keys, other, ExtractionSuspect):
        state, words = answers(check_case(packed, judge.public))
    assert state == NOT_REPEATED
    assert "2 keys" in words
    assert ALONE in words
