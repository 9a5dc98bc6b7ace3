"""A judge and an owner who collude before the public: SPEC.md 18.7.

The public has the judge's public key and the files. Each test says what it is told of what rests on
the judge's word, or which check meets the forgery.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.argued import SHAPE, StandIn, argue, save_linear, signed
from tests.support.dispute import Claimant, TableSuspect, TestJudge, random_images, verdict_of
from zkwm.judge import verification
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import CheckedBy, Outcome, Verdict
from zkwm.judge.verification import verify_argument
from zkwm.quantizer.derive import derive_network
from zkwm.quantizer.network_agreement import Agreement
from zkwm.report import render_report, render_text
from zkwm_protocols.challenge import ArgumentChallenge
from zkwm_protocols.errors import InvalidOpening, NotProven, UsageError
from zkwm_protocols.evidence import class_map_bits
from zkwm_protocols.policy import Policy
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity

CLOSE = (Agreement("random blocks", 200, 200, 140, 140, 20, 20, 1.0, 0.0, 0.0, 0.0),)


@cache
def derived(path: Path, suspect: SuspectIdentity, preprocessing: Preprocessing) -> Any:
    """The network of a file, made once."""
    return derive_network(path, suspect, preprocessing)


def network(suspect: Any, preprocessing: Preprocessing, *_: object) -> Any:
    return derived(suspect.network_file(), suspect.identity, preprocessing)


@pytest.fixture(autouse=True)
def agreement(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A stand-in of the argument, a network that agrees with the file, each tested elsewhere."""
    for module in ("check_argument", "frame"):
        monkeypatch.setattr(f"zkwm.judge.{module}.measure_agreement", lambda *_, **__: CLOSE)
    for module in ("check_argument", "judge"):
        monkeypatch.setattr(f"zkwm.judge.{module}.network_of", network)
    monkeypatch.setattr("tests.support.argued.derive_network", derived)
    return StandIn().install(monkeypatch)


@pytest.fixture(scope="module")
def arguing() -> Claimant:
    return Claimant(random_images(100, shape=SHAPE), block_size=25)


@pytest.fixture
def model(arguing: Claimant, models: Path) -> Path:
    path = models / "model.onnx"
    if not path.exists():
        save_linear(path, arguing.images, arguing.commitment.labels())
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def asked(judge: TestJudge, owner: Claimant, model: Path, **options: Any) -> ArgumentChallenge:
    from zkwm.suspects import open_suspect

    with_names = open_suspect(model, shape=SHAPE)
    try:
        return judge.challenge_argument(owner.commitment, with_names, **options)
    finally:
        with_names.close()


def published(judge: TestJudge, owner: Claimant, model: Path, challenge: Any) -> Verdict:
    """What the public finds."""
    return verify_argument(
        owner.commitment.to_bytes(), model, challenge.to_bytes(),
        argue(owner, challenge, model).to_bytes(), judge.public,
    )  # fmt: skip


def words(verdict: Verdict) -> str:
    """Text and page, without line breaks."""
    return " ".join((render_text(verdict) + render_report(verdict)).split())


def test_an_honest_argument_convinces_the_public(
    judge: TestJudge, arguing: Claimant, model: Path
) -> None:
    challenge = asked(judge, arguing, model)
    verdict = published(judge, arguing, model, challenge)
    proof = argue(arguing, challenge, model)
    own = judge.verify(arguing.commitment, model, challenge, proof)
    assert verdict.proven
    assert (verdict.checked_by, own.checked_by) == (CheckedBy.PUBLIC, CheckedBy.JUDGE)
    assert (verdict.checks, verdict.evidence) == (own.checks, own.evidence)
    assert verdict.files == own.files
    assert "Checked by the public" in words(verdict)
    assert "Checked by the public" not in words(own)
    assert verdict.to_json()["checked_by"] == "public"
    assert Verdict.from_bytes(judge.sign_verdict(own), judge.public) == own
    with pytest.raises(UsageError, match="with their ledger"):
        judge.sign_verdict(verdict)


def test_the_public_opens_no_opening(judge: TestJudge, owner: Claimant) -> None:
    challenge = judge.challenge(owner.commitment, TableSuspect(), reveal=50)
    for given in (challenge, challenge.to_bytes()):
        with pytest.raises(UsageError, match="opening") as caught:
            verify_argument(
                owner.commitment, TableSuspect(), given, owner.answer(challenge, [0]), judge.public
            )
        assert caught.value.verdict is None
        assert "Verdict.from_bytes" in caught.value.hint


def test_a_judges_key_of_ones_own(
    judge: TestJudge, other_judge: Judge, arguing: Claimant, model: Path
) -> None:
    """Whoever makes a key can issue challenges, and nobody who trusts another judge believes it."""
    challenge = asked(judge, arguing, model)
    with pytest.raises(InvalidOpening) as caught:
        verify_argument(
            arguing.commitment, model, challenge, argue(arguing, challenge, model),
            other_judge.public,
        )  # fmt: skip
    assert caught.value.check == "challenge.judge"
    verdict = published(judge, arguing, model, challenge)
    assert "Anybody can make a judge's key" in " ".join(render_report(verdict).split()).replace(
        "&#39;", "'"
    )


def test_functions_tried_are_what_the_judge_states(
    judge: TestJudge, arguing: Claimant, model: Path
) -> None:
    """A ledger that knows more is the judge's alone; the public is told what a lie is worth."""
    challenge = asked(judge, arguing, model)
    judge.ledger.count_function(replace(challenge, class_map=tuple(range(9, -1, -1))))
    verdict = published(judge, arguing, model, challenge)
    assert (verdict.proven, verdict.functions_tried) == (True, 1)
    assert "takes off two bits" in words(verdict)
    with pytest.raises(InvalidOpening) as caught:  # the judge, with their ledger
        judge.verify(arguing.commitment, model, challenge, argue(arguing, challenge, model))
    assert caught.value.check == "challenge.reachable"
    many = signed(challenge, judge, policy=Policy(functions_tried=1_000_000), least_matches=80)
    stated = published(judge, arguing, model, many)
    assert stated.functions_tried == 1_000_000


def test_names_in_an_order_that_fits(judge: TestJudge, tmp_path: Path) -> None:
    """No bits are charged for it; the public is told how many are left without the judge's word."""
    names = tuple(f"class {number}" for number in range(10))
    owner = Claimant(random_images(100, shape=SHAPE), block_size=25, class_names=names)
    labels, order = owner.commitment.labels(), np.arange(9, -1, -1)
    model = tmp_path / "permuted.onnx"
    save_linear(model, owner.images, order[labels])  # another class for every label
    challenge = asked(judge, owner, model, suspect_classes=tuple(names[output] for output in order))
    verdict = published(judge, owner, model, challenge)
    assert verdict.proven
    assert verdict.evidence is not None
    price = class_map_bits(10, 10)
    left = max(0, verdict.evidence.total_hundredths - 100 * price)
    assert f"up to {price} bits would have to be taken off" in words(verdict)
    assert f"{left / 100:.2f} bits would be left" in words(verdict)


def test_a_standard_of_one_bit(judge: TestJudge, arguing: Claimant, model: Path) -> None:
    challenge = asked(judge, arguing, model, policy=Policy(threshold_bits=1))
    verdict = published(judge, arguing, model, challenge)
    assert "What is demanded (1 bit)" in words(verdict)
    assert "a standard of your own" in words(verdict)


def test_declared_labels_that_the_judge_accepts(judge: TestJudge, tmp_path: Path) -> None:
    """The judge's policy does not decide for the public."""
    declared = np.arange(100) % 10
    owner = Claimant(random_images(100, shape=SHAPE), block_size=25, declared_labels=declared)
    model = tmp_path / "model.onnx"
    save_linear(model, owner.images, declared)
    policy = Policy(accept_declared_labels=True)
    challenge = asked(judge, owner, model, policy=policy)
    proof = argue(owner, challenge, model)
    assert judge.verify(owner.commitment, model, challenge, proof).proven
    with pytest.raises(NotProven) as caught:
        verify_argument(owner.commitment, model, challenge, proof, judge.public)
    assert caught.value.check == "argument.labels"
    assert caught.value.verdict.outcome == Outcome.NOT_PROVEN
    assert not caught.value.verdict.declared_labels_accepted
    assert verify_argument(
        owner.commitment, model, challenge, proof, judge.public, accept_declared_labels=True
    ).proven


def test_a_challenge_made_for_another_network_or_altered(
    judge: TestJudge, arguing: Claimant, model: Path
) -> None:
    challenge = asked(judge, arguing, model)
    proof = argue(arguing, challenge, model)
    forged = {
        "challenge.signature": replace(challenge, least_matches=10),
        "challenge.network": signed(challenge, judge, network=bytes(32)),
        "challenge.reachable": signed(challenge, judge, least_matches=3),
        "response.challenge": signed(challenge, judge, nonce=hashlib.sha256(b"again").digest()),
    }
    for check, other in forged.items():
        answered = argue(arguing, other, model) if check == "challenge.network" else proof
        found = verdict_of(
            lambda other=other, answered=answered: verify_argument(
                arguing.commitment, model, other, answered, judge.public
            )
        )
        assert found.outcome == Outcome.COULD_NOT_CHECK
        assert [one.id for one in found.checks if one.status == "failed"] == [check]


def test_a_public_check_needs_no_secret_and_keeps_nothing(
    judge: TestJudge, arguing: Claimant, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenge = asked(judge, arguing, model)
    before = judge.ledger.verdicts(challenge.digest)
    published(judge, arguing, model, challenge)
    assert judge.ledger.verdicts(challenge.digest) == before
    assert "JudgeLedger" not in vars(verification)
