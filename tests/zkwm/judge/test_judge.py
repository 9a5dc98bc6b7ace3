"""``zkwm.judge.judge``: keys, challenges, verdicts of every outcome. Attacks: adversarial/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.dispute import (
    CLASSES,
    Claimant,
    TableSuspect,
    failed,
    marked,
    new_judge,
    random_images,
)
from zkwm.judge.checks import TITLES
from zkwm.judge.dating import NO_DATE
from zkwm.judge.judge import Judge
from zkwm_protocols.errors import CouldNotCheck, NotProven, UsageError
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.policy import Policy
from zkwm_protocols.suspect_identity import Preprocessing

pytestmark = pytest.mark.usefixtures("quick_labels")


@pytest.fixture
def stolen_model(owner: Claimant) -> TableSuspect:
    return marked(owner.images, owner.labels, name="the adversary's")


def test_keys_are_made_and_opened_again(tmp_path: Path) -> None:
    made = Judge.create(tmp_path / "judge.key", "five random words")
    assert Judge.open(tmp_path / "judge.key", "five random words").public == made.public
    published = JudgePublic.from_bytes((tmp_path / "judge.key.pub").read_bytes())
    assert published == made.public


def test_a_challenge_fixes_what_the_judge_said(judge: Judge, owner: Claimant) -> None:
    suspect = TableSuspect(outputs=20)
    challenge = judge.challenge(
        owner.commitment,
        suspect,
        reveal=100,
        purpose="a dispute",
        preprocessing=Preprocessing(mean=("0.5",), std=("0.25",)),
        class_map=tuple(range(10, 20)),
        policy=Policy(threshold_bits=30, functions_tried=3),
        excluded_blocks=(2, 0, 2),
    )
    challenge.verify_signature()
    assert challenge.commitment == owner.commitment.digest
    assert challenge.suspect == suspect.identity
    assert challenge.block_count == 2
    assert challenge.excluded_blocks == (0, 2)
    assert challenge.class_map == tuple(range(10, 20))
    assert challenge.judge == judge.public


def test_two_challenges_are_never_the_same(judge: Judge, owner: Claimant) -> None:
    made = [judge.challenge(owner.commitment, TableSuspect(), reveal=50) for _ in range(2)]
    assert made[0].nonce != made[1].nonce


@pytest.mark.parametrize(
    ("options", "check"),
    [
        ({"reveal": 0}, ""),
        ({"reveal": 49}, ""),
        ({"reveal": -50}, ""),
        ({"reveal": 250}, "challenge.reachable"),
        ({"reveal": 200, "excluded_blocks": (0,)}, "challenge.reachable"),
        ({"reveal": 50, "policy": Policy(threshold_bits=100)}, "challenge.reachable"),
        ({"reveal": 50, "class_map": (0, 0, *range(2, 10))}, "challenge.class_map"),
        ({"reveal": 50, "class_map": tuple(range(9))}, "challenge.class_map"),
        ({"reveal": 50, "class_map": tuple(range(1, 11))}, "challenge.class_map"),
        ({"reveal": 50, "purpose": "x" * 501}, ""),
        ({"reveal": 50, "purpose": "two\nlines"}, ""),
    ],
    ids=str,
)
def test_challenges_that_are_not_issued(
    judge: Judge, owner: Claimant, options: dict[str, Any], check: str
) -> None:
    with pytest.raises((UsageError, CouldNotCheck)) as caught:
        judge.challenge(owner.commitment, TableSuspect(), **options)
    assert caught.value.check == check


def test_the_smallest_size_that_can_reach_the_threshold_is_named(
    judge: Judge, owner: Claimant
) -> None:
    with pytest.raises(UsageError) as caught:
        judge.challenge(
            owner.commitment, TableSuspect(), reveal=50, policy=Policy(threshold_bits=100)
        )
    assert "100 triggers" in caught.value.hint


def test_images_of_another_shape_are_not_challenged(judge: Judge, owner: Claimant) -> None:
    with pytest.raises(CouldNotCheck) as caught:
        judge.challenge(owner.commitment, TableSuspect(shape=(3, 8, 8)), reveal=50)
    assert caught.value.check == "challenge.suspect"


def test_a_marked_model_is_proven(
    judge: Judge, owner: Claimant, stolen_model: TableSuspect
) -> None:
    challenge = judge.challenge(owner.commitment, stolen_model, reveal=50, purpose="a dispute")
    verdict = judge.verify(owner.commitment, stolen_model, challenge, owner.answer(challenge, [2]))
    assert verdict.proven
    assert verdict.blocks == (2,)
    assert [check.id for check in verdict.checks] == list(TITLES)
    assert [check.id for check in verdict.checks if check.status != "passed"] == [
        "commitment.timestamp"
    ]
    (date,) = [check for check in verdict.checks if check.id == "commitment.timestamp"]
    assert (date.status, date.detail) == ("skipped", NO_DATE)
    assert verdict.to_json()["dates"]["order"] == "unknown"
    assert verdict.evidence is not None
    assert verdict.evidence.matches == verdict.evidence.trials == 50
    # 50 log2(10) - log2(4) - log2(4) - 48 - 1 - 20, each rounded against the owner.
    assert verdict.evidence.total_bits == 93.09
    assert [result.index for result in verdict.triggers] == list(range(100, 150))
    assert {result.status for result in verdict.triggers} == {"match"}


def test_files_and_objects_give_the_same_verdict(
    judge: Judge, owner: Claimant, stolen_model: TableSuspect
) -> None:
    challenge = judge.challenge(owner.commitment, stolen_model, reveal=50)
    proof = owner.answer(challenge, [0])
    from_objects = judge.verify(owner.commitment, stolen_model, challenge, proof).to_json()
    judge.forget()
    from_files = judge.verify(
        owner.commitment.to_bytes(), stolen_model, challenge.to_bytes(), proof.to_bytes()
    ).to_json()
    for changing in ("checked", "first_seen"):  # seconds of the clock
        from_objects.pop(changing), from_files.pop(changing)
    assert from_files == from_objects


def test_an_unrelated_model_is_not_proven(judge: Judge, owner: Claimant) -> None:
    suspect = TableSuspect(name="innocent")
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    with pytest.raises(NotProven) as caught:
        judge.verify(owner.commitment, suspect, challenge, owner.answer(challenge, [0]))
    verdict = caught.value.verdict
    assert verdict.outcome == "not proven"
    assert failed(verdict) == ["evidence.threshold"]


def test_a_class_map_is_applied(judge: Judge, owner: Claimant) -> None:
    shifted = marked(owner.images, owner.labels + 10, outputs=20)
    challenge = judge.challenge(
        owner.commitment, shifted, reveal=50, class_map=tuple(range(10, 20))
    )
    verdict = judge.verify(owner.commitment, shifted, challenge, owner.answer(challenge, [0]))
    assert verdict.evidence is not None
    assert verdict.evidence.matches == 50
    assert verdict.triggers[0].expected_output == int(owner.labels[0]) + 10


def test_a_verdict_is_json(judge: Judge, owner: Claimant, stolen_model: TableSuspect) -> None:
    challenge = judge.challenge(owner.commitment, stolen_model, reveal=50)
    verdict = judge.verify(owner.commitment, stolen_model, challenge, owner.answer(challenge, [0]))
    value = json.loads(json.dumps(verdict.to_json()))
    assert value["schema"] == "zkwm/verdict/v1"
    assert value["outcome"] == "proven"
    assert value["challenge"] == challenge.digest.hex()
    assert value["judge"] == judge.public.fingerprint()
    assert value["matches"] == 50
    assert len(value["triggers"]) == 50
    assert value["evidence"]["total_bits"] == 93.09


def test_declared_labels_may_be_accepted_when_verifying(judge: Judge) -> None:
    images = random_images(50)
    owner = Claimant(images, declared_labels=np.arange(50, dtype=np.int64) % CLASSES)
    stolen_model = marked(images, owner.labels)
    challenge = judge.challenge(owner.commitment, stolen_model, reveal=50)
    proof = owner.answer(challenge, [0])
    with pytest.raises(NotProven):
        judge.verify(owner.commitment, stolen_model, challenge, proof)
    verdict = judge.verify(
        owner.commitment, stolen_model, challenge, proof, accept_declared_labels=True
    )
    assert verdict.proven
    assert verdict.declared_labels_accepted
    assert verdict.to_json()["evidence"] is None


def test_progress_is_reported(judge: Judge, owner: Claimant, stolen_model: TableSuspect) -> None:
    class Telling(TableSuspect):
        def answer(self, images: Any, preprocessing: Any, *, progress: Any = None) -> Any:
            progress(len(images), len(images))
            return super().answer(images, preprocessing)

    told: list[tuple[int, int]] = []
    suspect = Telling(stolen_model.table)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    judge.verify(
        owner.commitment,
        suspect,
        challenge,
        owner.answer(challenge, [0]),
        progress=lambda done, of: told.append((done, of)),
    )
    assert told == [(50, 50)]


def test_a_suspect_that_the_judge_opened_himself_stays_open(
    judge: Judge, owner: Claimant, stolen_model: TableSuspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that ``verify`` opened is closed, whatever the outcome."""
    closed: list[TableSuspect] = []
    monkeypatch.setattr(TableSuspect, "close", lambda self: closed.append(self))
    challenge = judge.challenge(owner.commitment, stolen_model, reveal=50)
    proof = owner.answer(challenge, [0])
    judge.verify(owner.commitment, stolen_model, challenge, proof)
    assert closed == []
    monkeypatch.setattr("zkwm.judge.case.open_suspect", lambda *_, **__: stolen_model)
    judge.verify(owner.commitment, "model.onnx", challenge, proof)
    assert closed == [stolen_model]
    stolen_model.table.clear()
    judge.forget()
    with pytest.raises(NotProven):
        judge.verify(owner.commitment, "model.onnx", challenge, proof)
    assert closed == [stolen_model, stolen_model]


def test_another_judge_has_other_keys() -> None:
    assert new_judge().public.fingerprint() != new_judge().public.fingerprint()
