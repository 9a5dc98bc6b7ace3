"""The suspect of an argument: the pinned file, with an integer network that agrees with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.argued import SHAPE, StandIn, signed
from tests.support.dispute import Claimant, failed, verdict_of
from zkwm.judge.judge import Judge
from zkwm.quantizer import Agreement
from zkwm.suspects import Suspect, open_suspect
from zkwm_protocols.argument_response import ArgumentResponse
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import SuspectUnusable, Unsupported


@pytest.mark.slow
def test_a_suspect_that_is_no_file(
    judge: Judge,
    owner: Claimant,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
) -> None:
    class NoFile(Suspect):
        identity = challenge.suspect

        def check_preprocessing(self, preprocessing: object) -> None:
            """Take anything."""

        def answer(self, images: Any, preprocessing: object, *, progress: Any = None) -> Any:
            """Never asked."""
            raise AssertionError

    verdict = verdict_of(lambda: judge.verify(owner.commitment, NoFile(), challenge, proof))
    assert failed(verdict) == ["challenge.network"]


def test_a_file_that_was_exchanged_after_it_was_opened(
    judge: Judge,
    owner: Claimant,
    model: Path,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(model.read_bytes())
    opened = open_suspect(path, shape=SHAPE)
    path.write_bytes(model.read_bytes() + b"\0")
    verdict = verdict_of(lambda: judge.verify(owner.commitment, opened, challenge, proof))
    opened.close()
    assert failed(verdict) == ["challenge.suspect"]


SET = Agreement("random blocks", 200, 170, 140, 126, 22, 20, 0.85, 0.03, 0.5, 1e-3)


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("argument.agreement", {"agreeing": 169}),
        ("argument.agreement", {"clear_agreeing": 125}),
        ("argument.agreement", {"sure_agreeing": 19}),
        ("argument.agreement", {"same_order": 0.849}),
        ("argument.agreement", {"same_order": float("nan")}),
        ("argument.agreement", {"high_error": 0.51}),
        ("argument.agreement", {"high_error": float("inf")}),
        ("argument.translation", {"translation_error": 1.1e-3}),
        ("argument.translation", {"translation_error": float("nan")}),
    ],
)
def test_one_set_out_of_bounds_could_not_be_checked_and_points_to_openings(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    check: str,
    changes: dict[str, Any],
) -> None:
    measured = (SET, replace(SET, **changes))
    for module in ("frame", "check_argument"):
        monkeypatch.setattr(f"zkwm.judge.{module}.measure_agreement", lambda *_, **__: measured)
    with pytest.raises(SuspectUnusable) as caught:
        judge.verify(owner.commitment, suspect, challenge, proof)
    assert caught.value.check == check
    assert "`Judge.challenge`" in caught.value.hint
    assert caught.value.verdict.outcome == "could not be checked"
    assert caught.value.verdict.argued.agreements == measured
    json.dumps(caught.value.verdict.to_json(), allow_nan=False)
    with pytest.raises(SuspectUnusable):
        judge.challenge_argument(owner.commitment, suspect)
    measured = (SET, SET)
    assert judge.verify(owner.commitment, suspect, challenge, proof).proven


def test_the_judge_compares_on_images_of_their_own(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
) -> None:
    verdict = judge.verify(owner.commitment, suspect, challenge, proof, images=owner.images[:20])
    assert verdict.argued is not None
    last = verdict.argued.agreements[-1]
    assert (last.kind, last.asked) == ("images given", 20)


def test_a_network_that_cannot_be_proven_about_points_to_openings(
    judge: Judge, owner: Claimant, suspect: Suspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Unsupported("node 'softmax': not a layer that can be proven")

    monkeypatch.setattr("zkwm.quantizer.limited_quantizer.quantize_limited", refuse)
    with pytest.raises(Unsupported) as caught:
        judge.challenge_argument(owner.commitment, suspect)
    assert "`Judge.challenge`" in caught.value.hint


def test_more_outputs_than_can_be_compared_are_refused_before_the_network_is_made(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No judge of this release issues it; a response to it costs nothing either."""
    identity = replace(suspect.identity, outputs=1001)
    wide = signed(challenge, judge, suspect=identity, least_matches=100)
    answered = replace(proof, challenge=wide.digest, signatures=()).signed_by(owner.keys)
    monkeypatch.setattr("zkwm.judge.check_argument.network_of", None)
    monkeypatch.setattr(suspect, "identity", identity)
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, wide, answered))
    assert failed(verdict) == ["argument.agreement"]
    assert verdict.outcome == "could not be checked"
