"""A factory of verdicts of every outcome, built without a suspect, Argon2id or files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from zkwm.judge.checks import ARGUMENT_TITLES, TITLES
from zkwm.judge.particulars import CaseParticulars, FileDigest, FileRole
from zkwm.judge.results import Argued, Check, TriggerResult
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.quantizer.network_agreement import Agreement
from zkwm_protocols.challenge import OpeningChallenge
from zkwm_protocols.commitment import Header, LabelMode
from zkwm_protocols.evidence import assess
from zkwm_protocols.keys import ED25519, BoxKey, JudgePublic, SigningKey
from zkwm_protocols.policy import Policy
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity

OWNER = SigningKey.from_bytes(ED25519, bytes([1] * 32))
JUDGE = SigningKey.from_bytes(ED25519, bytes([2] * 32))
BOX = BoxKey(bytes([3] * 32))
CHECKED = 1_763_780_401
FILES = (
    (FileRole.COMMITMENT, "acme.commitment"),
    (FileRole.CHALLENGE, "case.challenge"),
    (FileRole.PROOF, "case.proof"),
    (FileRole.SUSPECT, "classifier.onnx"),
    (FileRole.JUDGE_PUBLIC, "judge.key.pub"),
)


def build(
    statuses: tuple[str, ...] = ("match",) * 49 + ("no match",),
    *,
    outcome: str = "",
    shape: tuple[int, int, int] = (1, 28, 28),
    block_size: int = 50,
    block_count: int = 4,
    class_count: int = 10,
    declared: bool = False,
    accepted: bool = False,
    kind: str = "onnx",
    description: str = "classifier.onnx, 1 input 1x28x28, 10 outputs",
    purpose: str = "Case 12 O 345/25, product Alpha 2.1",
    problem: str = "timed out",
    images: Any = None,
    policy: Policy | None = None,
    **changes: Any,
) -> Verdict:
    """A verdict whose opened triggers have ``statuses``; ``changes`` replace fields of it."""
    policy = policy or Policy()
    header = Header(
        leaf_count=block_size * block_count,
        block_size=block_size,
        class_count=class_count,
        shape=shape,
        label_mode=LabelMode.DECLARED if declared else LabelMode.DERIVED,
        owner_keys=(OWNER.public,),
        root=bytes(range(32)),
    )
    used = len(statuses) // block_size
    challenge = OpeningChallenge(
        commitment=header.digest,
        suspect=SuspectIdentity(
            kind,
            bytes(range(100, 132)),
            description,
            class_count,
            shape,
            adapter="zkwm" if kind == "http" else "",
        ),
        preprocessing=Preprocessing(),
        class_map=tuple(range(class_count)),
        judge=JudgePublic(JUDGE.public, BOX.public),
        nonce=bytes([7] * 32),
        block_count=used,
        excluded_blocks=(),
        purpose=purpose,
        issued=CHECKED - 86_400,
        policy=policy,
    ).signed_by(JUDGE)
    evidence = assess(
        statuses.count("match"),
        blocks_used=used,
        block_count=block_count,
        block_size=block_size,
        class_count=class_count,
        policy=policy,
    )
    random = np.random.default_rng(5)
    if images is None:
        images = random.integers(0, 256, (len(statuses), *shape), dtype=np.uint8)
    labels = random.integers(0, class_count, len(statuses))
    triggers = tuple(
        _result(status, block_size + i, block_size, images[i], int(labels[i]), class_count, problem)
        for i, status in enumerate(statuses)
    )
    counts = accepted or not declared
    outcome = outcome or (Outcome.PROVEN if evidence.reached and counts else Outcome.NOT_PROVEN)
    matches = f"{evidence.matches} of {evidence.trials} triggers match"
    if declared:
        reason = f"{matches}; the owner declared the labels"
    else:
        left = f"{evidence.total_bits:.2f}" if evidence.total_hundredths > 0 else "no"
        reason = (
            f"{matches}: {left} bits of evidence are left, {evidence.threshold_bits} are demanded"
        )
    verdict = Verdict(
        outcome=outcome,
        reason=reason,
        hint="",
        checks=tuple(
            Check(
                name,
                title,
                "passed",
                f"{used * block_size} of {used * block_size}" if name == "opening.leaves" else "",
            )
            for name, title in TITLES.items()
        ),
        commitment_digest=header.digest,
        header=header,
        challenge=challenge,
        proof_digest=bytes(range(32)),
        blocks=tuple(range(1, 1 + used)),
        triggers=triggers,
        evidence=evidence,
        declared_labels_accepted=accepted,
        suspect_record=(),
        checked=CHECKED,
        versions={"zkwm": "0.1.0", "python": "3.11.2", "numpy": "2.3.4", "onnxruntime": "1.23.2",
                  "system": "Linux 6.1.0 x86_64", "processor": "A processor of 2 cores"},
        particulars=CaseParticulars("12 O 345/25", "Acme Inc.", suspect_from="bought at a shop"),
        files=tuple(
            FileDigest(role, name, bytes([number] * 32), 1_000 + number)
            for number, (role, name) in enumerate(FILES)
        ),
    )  # fmt: skip
    return dataclasses.replace(verdict, **changes)


def _result(
    status: str,
    index: int,
    block_size: int,
    image: Any,
    label: int,
    class_count: int,
    problem: str,
) -> TriggerResult:
    block = index // block_size
    if status in ("wrong leaf", "missing leaf"):
        return TriggerResult(block, index, status, None, None, None, None)
    if status == "no answer":
        return TriggerResult(block, index, status, image, label, label, None, problem)
    answer = label if status == "match" else (label + 1) % class_count
    return TriggerResult(block, index, status, image, label, label, answer)


def stopped(at: str, outcome: str, **known: Any) -> Verdict:
    """A verdict whose check ``at`` failed, so that nothing after it is known, but ``known``."""
    ids = list(TITLES)
    place = ids.index(at)
    checks = tuple(
        Check(name, title, "passed", "")
        if i < place
        else Check(name, title, "failed", "this is what is wrong")
        if i == place
        else Check(name, title, "skipped", "not reached")
        for i, (name, title) in enumerate(TITLES.items())
    )
    unknown: dict[str, Any] = {
        "commitment_digest": None,
        "header": None,
        "challenge": None,
        "blocks": (),
        "triggers": (),
        "evidence": None,
    }
    return build(
        outcome=outcome,
        reason="this is what is wrong",
        hint="ask the owner for the whole file",
        checks=checks,
        **{**unknown, **known},
    )


def argued() -> Verdict:
    """A verdict on an argument: nothing was opened."""
    return build(
        ("match",) * 47 + ("no match",) * 3,
        checks=tuple(Check(name, title, "passed", "") for name, title in ARGUMENT_TITLES.items()),
        triggers=(),
        argued=Argued(
            network=bytes(range(50, 82)),
            least_matches=47,
            agreements=(Agreement("public", 200, 198, 140, 140, 70, 70, 0.99, 0.01, 0.03, 1e-6),),
            soundness_bits=121.5,
        ),
    )


def every_outcome() -> dict[str, Verdict]:
    """One verdict for each kind of ending, by name."""
    full = build()
    mixed = (
        ("match",) * 36 + ("no match",) * 8 + ("wrong leaf", "missing leaf") + ("no answer",) * 4
    )
    return {
        "proven": full,
        "proven with misses": build(mixed),
        "not proven": build(("match",) * 6 + ("no match",) * 44),
        "declared": build(("match",) * 50, declared=True),
        "declared accepted": build(("match",) * 50, declared=True, accepted=True),
        "declared too few": build(
            ("match",) * 9 + ("no match",) * 41, declared=True, accepted=True
        ),
        "answers missing": build(
            ("match",) * 30 + ("no answer",) * 20, outcome=Outcome.COULD_NOT_CHECK, kind="http"
        ),
        "nothing readable": stopped("commitment.format", Outcome.COULD_NOT_CHECK),
        "proof malformed": stopped(
            "response.format",
            Outcome.COULD_NOT_CHECK,
            commitment_digest=full.commitment_digest,
            header=full.header,
            challenge=full.challenge,
        ),
        "trust material missing": stopped(
            "commitment.timestamp",
            Outcome.TRUST_MATERIAL_MISSING,
            commitment_digest=full.commitment_digest,
            header=full.header,
        ),
        "unreachable": build(
            ("match",) * 10, block_size=10, policy=Policy(threshold_bits=100, functions_tried=3)
        ),
    }


@pytest.fixture
def make_verdict() -> Callable[..., Verdict]:
    """``build``."""
    return build


@pytest.fixture(scope="session")
def verdicts() -> dict[str, Verdict]:
    """``every_outcome``."""
    return every_outcome()
