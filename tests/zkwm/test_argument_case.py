"""The judge's side of zero knowledge: each check in its order, and what the verdict says."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from argued import StandIn, save_linear
from dispute import CLASSES, Accuser, failed, new_judge, random_images, status, verdict_of

from zkwm.checks import ARGUMENT_TITLES
from zkwm.judge import Judge
from zkwm.marketplace import Marketplace
from zkwm.models import Suspect, open_suspect
from zkwm.report import render_report, render_text
from zkwm.suspect_network import derive_network
from zkwm.verdict import Verdict
from zkwm_protocols.argument_response import ArgumentResponse, Refusal, make_statement
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import (
    CouldNotCheck,
    NotProven,
    SuspectUnusable,
    Unsupported,
    UsageError,
    ZkwmError,
)
from zkwm_protocols.evidence import Policy, assess
from zkwm_protocols.suspect import Preprocessing, SuspectIdentity

SHAPE = (1, 16, 16)
DECLARED = np.arange(100, dtype=np.int64) % CLASSES


@pytest.fixture(scope="module", autouse=True)
def _quick_labels() -> Iterator[None]:
    """Seeds of labels without Argon2id, for the fixtures of this module too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "zkwm_protocols.labels.label_seed",
            lambda digest, beacon: hashlib.sha256(digest).digest(),
        )
        yield


@pytest.fixture(scope="module")
def owner() -> Accuser:
    return Accuser(random_images(100, shape=SHAPE), block_size=25)


@pytest.fixture(scope="module")
def model(owner: Accuser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model.onnx"
    save_linear(path, owner.images, owner.labels)
    return path


@pytest.fixture(scope="module")
def suspect(model: Path) -> Iterator[Suspect]:
    opened = open_suspect(model, shape=SHAPE)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def judge() -> Judge:
    return new_judge()


@pytest.fixture(scope="module")
def challenge(judge: Judge, owner: Accuser, suspect: Suspect) -> Challenge:
    return judge.challenge_argument(owner.commitment, suspect, purpose="Acme v. Doe")


@pytest.fixture
def argument(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return StandIn().install(monkeypatch)


@pytest.fixture
def proof(owner: Accuser, challenge: Challenge, model: Path) -> ArgumentResponse:
    return argue(owner, challenge, model)


def argue(owner: Accuser, asked: Challenge, model: Path) -> ArgumentResponse:
    """A true argument about the first r blocks, whatever the suspect does."""
    network = derive_network(model, asked.suspect, asked.preprocessing)
    blocks = tuple(range(asked.block_count))
    labels = None
    if owner.declared is not None:
        labels = tuple(int(label) for label in owner.declared[: 25 * len(blocks)])
    statement = make_statement(owner.commitment, asked, network, blocks, labels)
    return ArgumentResponse(
        asked.digest, owner.commitment.digest, blocks, labels, StandIn().of(statement)
    ).signed_by(owner.keys)


def signed(challenge: Challenge, judge: Judge, **changes: Any) -> Challenge:
    return replace(challenge, signature=b"", **changes).signed_by(judge._key.signing)


def test_a_true_argument_is_proven(
    judge: Judge,
    owner: Accuser,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
) -> None:
    verdict = judge.verify(owner.commitment, suspect, challenge, proof)
    assert verdict.proven
    assert [check.id for check in verdict.checks] == list(ARGUMENT_TITLES)
    assert {check.status for check in verdict.checks} == {"passed"}
    assert verdict.reason.startswith("at least 60 of 100 triggers match: ")
    assert verdict.triggers == ()
    assert verdict.argued is not None
    assert verdict.argued.network == challenge.network
    assert verdict.argued.soundness_bits == 121.5
    assert [one.kind for one in verdict.argued.agreements] == ["public images", "random images"]
    value = json.loads(json.dumps(verdict.to_json()))
    assert value["mode"] == "argument"
    assert value["matches"] == value["argument"]["least_matches"] == 60
    assert value["matches_are"] == "at least"
    assert (value["triggers_opened"], value["triggers_counted"]) == (0, 100)
    assert value["argument"]["network"] == challenge.network.hex()
    assert value["argument"]["agreement"][0]["asked"] == 500
    assert value["evidence"]["reached"]


def test_files_and_a_path_do_as_well(
    judge: Judge,
    owner: Accuser,
    model: Path,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
) -> None:
    verdict = judge.verify(
        owner.commitment.to_bytes(), model, challenge.to_bytes(), proof.to_bytes()
    )
    assert verdict.proven


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
    owner: Accuser,
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
    judge: Judge, owner: Accuser, suspect: Suspect, challenge: Challenge, changes: dict[str, Any]
) -> None:
    """So that no verdict on an argument has to hold its evidence against the threshold."""
    asked = signed(challenge, judge, **changes)
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, asked, b"not read"))
    assert failed(verdict) == ["challenge.reachable"]
    assert verdict.outcome == "could not be checked"
    assert "evidence.threshold" not in ARGUMENT_TITLES


@pytest.mark.parametrize("threshold", [1, 40, 117])
def test_what_may_be_demanded_is_what_reaches_the_threshold(
    owner: Accuser, challenge: Challenge, threshold: int
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


def test_the_verdict_names_the_verifiers_own_check(
    judge: Judge,
    owner: Accuser,
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
    owner: Accuser,
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
    owner: Accuser,
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


def test_a_suspect_that_is_no_file(
    judge: Judge,
    owner: Accuser,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
) -> None:
    class NoFile:
        identity, remote = challenge.suspect, False

        def check_preprocessing(self, preprocessing: object) -> None:
            """Take anything."""

    verdict = verdict_of(lambda: judge.verify(owner.commitment, NoFile(), challenge, proof))
    assert failed(verdict) == ["challenge.network"]


def test_a_file_that_was_exchanged_after_it_was_opened(
    judge: Judge,
    owner: Accuser,
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


def test_low_agreement_could_not_be_checked_and_points_to_openings(
    judge: Judge,
    owner: Accuser,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from zkwm.quantize import Agreement

    monkeypatch.setattr(
        "zkwm.quantize.agreement", lambda *_, **__: Agreement(agreeing=89, count=100)
    )
    with pytest.raises(SuspectUnusable) as caught:
        judge.verify(owner.commitment, suspect, challenge, proof)
    assert caught.value.check == "argument.agreement"
    assert "--reveal" in caught.value.hint
    assert caught.value.verdict.outcome == "could not be checked"
    assert caught.value.verdict.argued.agreements[0].agreeing == 89
    with pytest.raises(SuspectUnusable):
        judge.challenge_argument(owner.commitment, suspect)
    monkeypatch.setattr(
        "zkwm.quantize.agreement", lambda *_, **__: Agreement(agreeing=90, count=100)
    )
    assert judge.verify(owner.commitment, suspect, challenge, proof).proven


def test_the_judge_compares_on_his_own_images(
    judge: Judge,
    owner: Accuser,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
) -> None:
    verdict = judge.verify(owner.commitment, suspect, challenge, proof, images=owner.images[:20])
    assert verdict.argued is not None
    assert (verdict.argued.agreements[0].kind, verdict.argued.agreements[0].asked) == (
        "images given",
        20,
    )


def test_a_refusal_could_not_be_checked(
    judge: Judge, owner: Accuser, suspect: Suspect, challenge: Challenge
) -> None:
    refusal = Refusal(challenge.digest, owner.commitment.digest, 3).signed_by(owner.keys)
    with pytest.raises(CouldNotCheck) as caught:
        judge.verify(owner.commitment, suspect, challenge, refusal.to_bytes())
    assert caught.value.hint == "issue a new challenge for 3 blocks"
    assert failed(caught.value.verdict) == ["response.blocks"]
    assert caught.value.verdict.outcome == "could not be checked"


def test_an_argument_is_for_its_judge_and_challenge_only(
    judge: Judge,
    owner: Accuser,
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
    owner = Accuser(random_images(100, 7, SHAPE), block_size=25, declared_labels=DECLARED)
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


# Issuing.


def test_blocks_and_matches_can_be_chosen(judge: Judge, owner: Accuser, suspect: Suspect) -> None:
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
    judge: Judge, owner: Accuser, suspect: Suspect
) -> None:
    with pytest.raises(UsageError) as caught:
        judge.challenge_argument(owner.commitment, suspect, policy=Policy(threshold_bits=1000))
    assert caught.value.check == "challenge.reachable"


def test_a_network_that_cannot_be_proven_about_points_to_openings(
    judge: Judge, owner: Accuser, suspect: Suspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Unsupported("node 'softmax': not a layer that can be proven")

    monkeypatch.setattr("zkwm.quantize.quantize", refuse)
    with pytest.raises(Unsupported) as caught:
        judge.challenge_argument(owner.commitment, suspect)
    assert "--reveal" in caught.value.hint


def test_a_marketplace_settles_in_zero_knowledge(
    owner: Accuser, suspect: Suspect, model: Path, argument: StandIn, tmp_path: Path
) -> None:
    market = Marketplace(tmp_path / "market", new_judge())
    name = market.register(owner.commitment)
    asked = market.challenge(name, suspect, purpose="claim", zero_knowledge=True)
    answer = argue(owner, asked, model)
    assert market.settle(suspect, asked, answer).proven
    with pytest.raises(CouldNotCheck):
        market.settle(suspect, asked, replace(answer, argument=b"noise").signed_by(owner.keys))
    assert market.verdicts()[asked.digest.hex()]["outcome"] == "proven"
    assert list((tmp_path / "market" / "opened").iterdir()) == []
    with pytest.raises(UsageError, match="whole blocks"):
        market.challenge(name, suspect, reveal=30, zero_knowledge=True)
    fewer = market.challenge(name, suspect, reveal=75, zero_knowledge=True)
    assert fewer.block_count == 3


# What is shown.


@pytest.fixture
def proven(
    judge: Judge,
    owner: Accuser,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
) -> Verdict:
    return judge.verify(owner.commitment, suspect, challenge, proof)


def test_the_text_says_what_was_proven_and_what_stays_hidden(proven: Verdict) -> None:
    shown = " ".join(render_text(proven).split())
    for expected in (
        "PROVEN: at least 60 of 100 triggers match",
        "Matches at least 60 of 100",
        "Claim at least 60 triggers match; none is opened",
        "Stays hidden images, salts, answers, which triggers match, and how many more",
        "of 500 public images",
        "at most 2^-121.5",
        "Nothing was opened.",
    ):
        assert expected in shown
    assert "Opened triggers" not in shown


def test_the_page_says_so_too(proven: Verdict) -> None:
    page = render_report(proven)
    for expected in (
        "matches, at least",
        "For this case the owner showed no image",
        "Which ones, and how many more, stays hidden",
        "at least: 60 matches",
        "is sealed to nobody",
        "The integer network",
        "Argument (in zero knowledge)",
    ):
        assert expected in page
    assert "The opened triggers" not in page
    assert "sealed to the judge's secret key" not in page


@pytest.mark.slow
def test_checking_an_argument_loads_neither_torch_nor_numba(
    judge: Judge, owner: Accuser, model: Path, challenge: Challenge, tmp_path: Path
) -> None:
    """With the real verifier, which refuses this argument; what it needs is loaded by then."""
    proof = argue(owner, challenge, model)
    for name, value in (("c", owner.commitment), ("q", challenge), ("p", proof)):
        (tmp_path / name).write_bytes(value.to_bytes())
    program = f"""
import sys
from pathlib import Path
from zkwm.judge import Judge
from zkwm.vault import JudgeKey
from zkwm_protocols.errors import CouldNotCheck
folder = Path({str(tmp_path)!r})
judge = Judge(JudgeKey.generate())
import zkwm.case
from zkwm_protocols.challenge import Challenge
files = [(folder / name).read_bytes() for name in "cqp"]
judge._key = type("Key", (), {{"public": Challenge.from_bytes(files[1]).judge}})()
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


def test_a_suspects_identity_is_not_enough(model: Path) -> None:
    with pytest.raises(CouldNotCheck) as caught:
        derive_network(
            model, SuspectIdentity("onnx", bytes(32), "other", 10, SHAPE), Preprocessing()
        )
    assert caught.value.check == "challenge.suspect"
