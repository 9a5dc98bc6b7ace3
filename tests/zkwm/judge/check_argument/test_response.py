"""Responses of an argument that a judge refuses: argument, challenge, labels, refusals."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.argued import SHAPE, StandIn, argue, save_linear, signed
from tests.support.dispute import (
    CLASSES,
    Claimant,
    failed,
    new_judge,
    random_images,
    status,
    verdict_of,
)
from zkwm.judge.judge import Judge
from zkwm.judge.ledger import JudgeLedger
from zkwm.report import render_text
from zkwm.suspects import Suspect, open_suspect
from zkwm_protocols.argument_response import ArgumentResponse, Refusal
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import CouldNotCheck, InvalidOpening, NotProven
from zkwm_protocols.suspect_identity import Preprocessing

DECLARED = np.arange(100, dtype=np.int64) % CLASSES


@pytest.mark.parametrize(
    ("data", "check"),
    [
        (b"noise", "argument.format"),
        (b"argument:weak:weak", "argument.soundness"),
        (b"argument:" + bytes(32), "argument.proof"),
    ],
)
def test_a_bad_argument_could_not_be_checked(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
    data: bytes,
    check: str,
) -> None:
    bad = replace(proof, argument=data).signed_by(owner.keys)
    with pytest.raises(CouldNotCheck) as caught:
        judge.verify(owner.commitment, suspect, challenge, bad)
    assert caught.value.check == check
    verdict = caught.value.verdict
    assert failed(verdict) == [check]
    assert verdict.evidence is None


def test_the_verdict_names_the_verifiers_own_check(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
) -> None:
    bad = replace(proof, argument=b"argument:" + bytes(32)).signed_by(owner.keys)
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, challenge, bad))
    assert "argument.relations" in verdict.reason


def test_too_little_memory_is_could_not_check(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exhausted(statement: object, data: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr("zkwm_protocols.argument.verifier.verify", exhausted)
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, challenge, proof))
    assert verdict.outcome == "could not be checked"
    assert failed(verdict) == ["argument.proof"]


def test_another_network_than_the_challenges(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
) -> None:
    asked = signed(challenge, judge, network=bytes(32))
    answer = replace(proof, challenge=asked.digest).signed_by(owner.keys)
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, asked, answer))
    assert failed(verdict) == ["challenge.network"]
    assert status(verdict, "response.blocks") == "passed"
    assert status(verdict, "argument.proof") == "skipped"


def test_a_refusal_could_not_be_checked(
    judge: Judge, owner: Claimant, suspect: Suspect, challenge: Challenge
) -> None:
    refusal = Refusal(challenge.digest, owner.commitment.digest, 3).signed_by(owner.keys)
    with pytest.raises(CouldNotCheck) as caught:
        judge.verify(owner.commitment, suspect, challenge, refusal.to_bytes())
    assert caught.value.hint == "issue a new challenge for 3 blocks"
    assert failed(caught.value.verdict) == ["response.blocks"]
    assert caught.value.verdict.outcome == "could not be checked"


def test_an_argument_is_for_its_judge_and_challenge_only(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
) -> None:
    other = new_judge()
    verdict = verdict_of(lambda: other.verify(owner.commitment, suspect, challenge, proof))
    assert failed(verdict) == ["challenge.judge"]
    fresh = signed(challenge, judge, nonce=bytes(32))
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, fresh, proof))
    assert failed(verdict) == ["response.challenge"]
    moved = replace(proof, challenge=fresh.digest).signed_by(owner.keys)
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, fresh, moved))
    assert failed(verdict) == ["argument.proof"]


def test_declared_labels_prove_nothing_unless_accepted(
    judge: Judge, argument: StandIn, tmp_path: Path
) -> None:
    owner = Claimant(random_images(100, 7, SHAPE), block_size=25, declared_labels=DECLARED)
    path = tmp_path / "declared.onnx"
    save_linear(path, owner.images, DECLARED)
    suspect = open_suspect(path, shape=SHAPE)
    asked = judge.challenge_argument(owner.commitment, suspect)
    answer = argue(owner, asked, path)
    with pytest.raises(NotProven) as caught:
        judge.verify(owner.commitment, suspect, asked, answer)
    assert caught.value.check == "argument.labels"
    verdict = caught.value.verdict
    assert failed(verdict) == ["argument.labels"]
    assert status(verdict, "argument.proof") == "passed"
    assert verdict.to_json()["evidence"] is None
    assert "the argument holds" in render_text(verdict)
    accepted = judge.verify(owner.commitment, suspect, asked, answer, accept_declared_labels=True)
    suspect.close()
    assert accepted.proven
    assert accepted.to_json()["evidence"] is None


@pytest.mark.slow
def test_checking_an_argument_loads_neither_torch_nor_numba(
    judge: Judge, owner: Claimant, model: Path, challenge: Challenge, tmp_path: Path
) -> None:
    """With the real verifier, which refuses this argument; what it needs is loaded by then."""
    proof = argue(owner, challenge, model)
    for name, value in (("c", owner.commitment), ("q", challenge), ("p", proof)):
        (tmp_path / name).write_bytes(value.to_bytes())
    signing, box = judge.key.signing.to_bytes().hex(), judge.key.box.to_bytes().hex()
    program = f"""
import sys
from pathlib import Path
from zkwm.judge.judge import Judge
from zkwm.judge.key_file import JudgeKey
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.keys import ED25519, BoxKey, SigningKey
folder = Path({str(tmp_path)!r})
files = [(folder / name).read_bytes() for name in "cqp"]
judge = Judge.from_key(
    JudgeKey(SigningKey.from_bytes(ED25519, bytes.fromhex("{signing}")),
             BoxKey(bytes.fromhex("{box}")))
)
try:
    judge.verify(files[0], {str(model)!r}, files[1], files[2])
except CouldNotCheck as error:
    assert error.check.startswith("argument."), error.check
print([name for name in ("torch", "numba") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_an_argument_that_other_answers_made_dearer_is_refused_before_its_network(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
) -> None:
    busy = judge.with_ledger(JudgeLedger())
    for number in range(1, 21):
        fed = Preprocessing(mean=(f"0.{number}",), std=("1",))
        busy.ledger.count_function(replace(challenge, preprocessing=fed, signature=b""))
    with pytest.raises(InvalidOpening, match="no longer reach the threshold") as caught:
        busy.verify(owner.commitment, suspect, challenge, proof)
    verdict = caught.value.verdict
    assert failed(verdict) == ["challenge.reachable"]
    assert verdict.functions_tried == 21
    assert status(verdict, "challenge.network") == "skipped"
