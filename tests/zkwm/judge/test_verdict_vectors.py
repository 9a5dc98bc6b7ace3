"""``verdict.json``: built again it is the same, and every case ends with its check."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.reference.verdict import failing_check
from tests.support.dispute import verdict_of
from tests.support.stored_vectors import TableSuspect, cases, judge_key, vectors
from tests.vectors.build import hexadecimal
from tests.vectors.verdict import generate
from zkwm.judge.judge import Judge
from zkwm.judge.key_file import JudgeKey
from zkwm.judge.verdict import Outcome, Verdict
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.keys import BoxKey, JudgePublic, SigningKey
from zkwm_protocols.suspect_identity import SuspectIdentity

STORED = vectors("verdict")
CASES = {case["name"]: case for case in STORED["cases"]}


def public() -> JudgePublic:
    return JudgePublic.from_bytes(bytes.fromhex(STORED["judge"]["public"]))


def test_generated_again_they_are_the_same() -> None:
    assert hexadecimal(generate()) == STORED


@pytest.mark.parametrize("case", [case for case in CASES.values() if case["check"] is None],
                         ids=lambda case: case["name"])  # fmt: skip
def test_good_verdicts_are_read_and_written_alike(case: Any) -> None:
    data = bytes.fromhex(case["file"])
    verdict = Verdict.from_bytes(data, public())
    assert verdict.proven == case["name"].startswith("proven")
    key = JudgeKey(
        SigningKey.from_bytes("ed25519", bytes.fromhex(STORED["judge"]["signing"])),
        BoxKey(bytes.fromhex(STORED["judge"]["box"])),
    )
    assert Judge.from_key(key).sign_verdict(verdict) == data


@pytest.mark.parametrize("case", [case for case in CASES.values() if case["check"] is not None],
                         ids=lambda case: case["name"])  # fmt: skip
def test_changed_verdicts_are_refused(case: Any) -> None:
    with pytest.raises(CouldNotCheck) as caught:
        Verdict.from_bytes(bytes.fromhex(case["file"]), public())
    assert caught.value.check == case["check"]


def test_the_proven_case_says_what_it_is_about() -> None:
    verdict = Verdict.from_bytes(bytes.fromhex(CASES["proven"]["file"]), public())
    assert verdict.outcome == Outcome.PROVEN
    assert verdict.particulars.owner_name == "Prüfstein GmbH"
    assert verdict.evidence is not None
    assert (verdict.evidence.matches, verdict.evidence.trials) == (38, 40)


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case["name"])
def test_the_reference_finds_the_same(case: Any) -> None:
    """A second reader, written from SPEC.md 10.4 alone."""
    assert failing_check(bytes.fromhex(case["file"]), public().to_map()) == case["check"]


@pytest.mark.usefixtures("quick_labels")
def test_a_verdict_on_any_exchange_can_be_signed() -> None:
    """Whatever check fails, and whatever is known then."""
    judge, ended = Judge(judge_key()), set()
    for case in cases():
        identity = SuspectIdentity(**{**case.suspect, "shape": tuple(case.suspect["shape"])})
        verdict = verdict_of(
            lambda case=case, identity=identity: judge.verify(
                case.commitment, TableSuspect(identity, case.answers), case.challenge, case.proof
            )
        )
        ended.update(check.id for check in verdict.checks if check.status == "failed")
        triggers = tuple(replace(trigger, image=None) for trigger in verdict.triggers)
        read = Verdict.from_bytes(judge.sign_verdict(verdict), judge.public)
        assert read == replace(verdict, triggers=triggers), case.name
        assert read.to_json() == verdict.to_json()
    assert len(ended) > 15
