"""A verdict that its judge did not give, or that was altered: SPEC.md 10.4."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.dispute import Claimant, TableSuspect, TestJudge, asking, verdict_of
from zkwm.judge.judge import Judge
from zkwm.judge.particulars import CaseParticulars, FileDigest, FileRole
from zkwm.judge.results import CheckStatus
from zkwm.judge.verdict import CheckedBy, Outcome, Verdict
from zkwm.judge.verdict_fields import MOST_RECORDS, MOST_TEXT
from zkwm.report import render_report, render_text
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.encoding import decode, encode, pack, unpack
from zkwm_protocols.errors import InvalidSignature, Malformed, Unsupported, UsageError, ZkwmError
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.verdict_file import FILE_LIMIT, VerdictFile

STATED = CaseParticulars("12 O 345/25", "Acme", "Court", "a shop")


@pytest.fixture
def verdict(judge: TestJudge, owner: Claimant, stolen_model: TableSuspect) -> Verdict:
    """A proven verdict on an opening."""
    challenge = judge.challenge(owner.commitment, stolen_model, reveal=50, purpose="a dispute")
    proof = owner.answer(challenge, [0])
    return judge.verify(owner.commitment, stolen_model, challenge, proof, particulars=STATED)


@pytest.fixture
def file(judge: TestJudge, verdict: Verdict) -> bytes:
    return judge.sign_verdict(verdict)


def shown(verdict: Verdict) -> Verdict:
    """What the file keeps of a verdict: all but the images."""
    return replace(
        verdict, triggers=tuple(replace(trigger, image=None) for trigger in verdict.triggers)
    )


def resigned(judge: TestJudge, file: bytes, change: Callable[[Any], object]) -> bytes:
    """The file with a changed body, signed by the judge's own key."""
    fields = VerdictFile.from_bytes(file).fields()
    change(fields)
    body = encode(fields)
    signature = judge.key.signing.sign("verdict", hashlib.sha256(body).digest())
    return VerdictFile(body, signature).to_bytes()


def test_what_is_read_is_what_was_signed(judge: TestJudge, verdict: Verdict, file: bytes) -> None:
    page = FileDigest.of(FileRole.REPORT, "case.html", b"<html>")
    for given in (verdict, verdict.with_file(page)):
        read = Verdict.from_bytes(judge.sign_verdict(given), judge.public)
        assert read == shown(given)
        assert read.to_json() == given.to_json()
        assert render_text(read) == render_text(given)
        assert render_report(read, public=True) == render_report(
            replace(given, versions=dict(sorted(given.versions.items()))), public=True
        )
    assert judge.sign_verdict(verdict) == file
    for trigger in verdict.triggers:
        assert trigger.image is not None
        assert trigger.image.tobytes() not in file


def test_every_outcome_is_signed_and_says_so(
    judge: TestJudge, owner: Claimant, stolen_model: TableSuspect
) -> None:
    challenge = judge.challenge(owner.commitment, TableSuspect(), reveal=50)
    unproven = verdict_of(
        lambda: judge.verify(
            owner.commitment, TableSuspect(), challenge, owner.answer(challenge, [0])
        )
    )
    broken = verdict_of(lambda: judge.verify(b"nothing", stolen_model, b"at all", b""))
    for verdict, outcome in (
        (unproven, Outcome.NOT_PROVEN),
        (broken, Outcome.COULD_NOT_CHECK),
    ):
        read = Verdict.from_bytes(judge.sign_verdict(verdict), judge.public)
        assert (read.outcome, read.judge) == (outcome, judge.public)
        assert read == shown(verdict)
        assert not read.proven


def test_no_altered_bit_is_accepted(judge: TestJudge, file: bytes) -> None:
    step = max(1, len(file) // 400)
    for place in [*range(0, len(file), step), *range(len(file) - 70, len(file))]:
        altered = file[:place] + bytes([file[place] ^ (1 << place % 8)]) + file[place + 1 :]
        with pytest.raises((InvalidSignature, Malformed, Unsupported)) as caught:
            Verdict.from_bytes(altered, judge.public)
        assert caught.value.check in ("verdict.format", "verdict.signature", "verdict.judge")
    for shorter in (b"", file[:20], file[:-1], file + b"\0"):
        with pytest.raises(Malformed):
            Verdict.from_bytes(shorter, judge.public)


def test_a_changed_outcome_is_refused_whoever_signs_it(judge: TestJudge, file: bytes) -> None:
    """The judge's own signature does not make an outcome fit checks that say otherwise."""
    fields = VerdictFile.from_bytes(file).fields()
    fields["outcome"] = "not proven"
    unsigned = VerdictFile(encode(fields), VerdictFile.from_bytes(file).signature)
    with pytest.raises(InvalidSignature) as caught:
        Verdict.from_bytes(unsigned.to_bytes(), judge.public)
    assert caught.value.check == "verdict.signature"
    changes: dict[str, Callable[[Any], object]] = {
        "not proven": lambda value: value.update(outcome="not proven"),
        "a failed check": lambda value: value["checks"][4].__setitem__(1, "failed"),
        "a skipped check": lambda value: value["checks"][-1].__setitem__(1, "skipped"),
        "too little evidence": lambda value: value["evidence"]["terms"][0].__setitem__(1, 7),
        "no evidence": lambda value: value.update(evidence=None),
        "no header": lambda value: value.update(header=None),
        "no challenge": lambda value: value.update(challenge=None),
        "no proof": lambda value: value.update(proof=None),
        "another commitment": lambda value: value.update(commitment=bytes(32)),
        "another proof": lambda value: value.update(proof=bytes(32)),
        "a check left out": lambda value: value["checks"].pop(),
        "an argument": lambda value: value.update(
            argued={"agreements": [], "soundness_bits": bytes(8), "soundness_terms": []}
        ),
    }
    for name, change in changes.items():
        with pytest.raises(Malformed) as refused:
            Verdict.from_bytes(resigned(judge, file, change), judge.public)
        assert refused.value.check == "verdict.format", name


def test_a_careless_or_bought_judge_signs_no_sum_that_is_none(
    judge: TestJudge, file: bytes
) -> None:
    """Matches, evidence, blocks, triggers and names are recounted by whoever reads them."""

    def no_match(value: Any) -> None:
        for row in value["triggers"]:
            row[2], row[5] = "no match", (row[4] + 1) % 10

    def same_index(value: Any) -> None:
        value["triggers"][1] = value["triggers"][0]

    changes: dict[str, Callable[[Any], object]] = {
        "no trigger matches, the evidence stays": no_match,
        "no matches, the evidence stays": lambda value: value["evidence"].update(matches=0),
        "more evidence": lambda value: value["evidence"]["terms"][0].__setitem__(1, 2**31 - 1),
        "nothing taken off": lambda value: value["evidence"].update(
            terms=value["evidence"]["terms"][:1]
        ),
        "a lower threshold": lambda value: value["evidence"].update(threshold_bits=1),
        "fewer needed": lambda value: value["evidence"].update(needed_matches=1),
        "fewer classes": lambda value: value["evidence"].update(class_count=2),
        "functions not charged": lambda value: value.update(functions_tried=2**40),
        "no functions": lambda value: value.update(functions_tried=None),
        "other blocks": lambda value: value.update(blocks=[1]),
        "a block that there is none of": lambda value: value.update(blocks=[10**6]),
        "one trigger twice": same_index,
        "a trigger left out": lambda value: value["triggers"].pop(),
        "names that nobody committed": lambda value: value.update(
            class_names=[f"class {i}" for i in range(10)]
        ),
        "leaves that failed": lambda value: value["checks"][18].__setitem__(1, "failed"),
        "declared labels": lambda value: value.update(declared_labels_accepted=True),
        "nothing failed": lambda value: value.update(outcome="could not be checked"),
    }
    for name, change in changes.items():
        data = resigned(judge, file, change)
        for read in (Verdict.from_unverified, lambda data: Verdict.from_bytes(data, judge.public)):
            with pytest.raises(Malformed) as refused:
                read(data)
            assert refused.value.check == "verdict.format", name


def test_another_judges_verdict(judge: TestJudge, other_judge: Judge, file: bytes) -> None:
    with pytest.raises(InvalidSignature) as caught:
        Verdict.from_bytes(file, other_judge.public)
    assert caught.value.check == "verdict.judge"
    assert judge.public.fingerprint() in caught.value.message
    with pytest.raises(InvalidSignature):
        Verdict.from_bytes(file, other_judge.public.fingerprint())
    assert Verdict.from_bytes(file, judge.public.fingerprint()).judge == judge.public
    with pytest.raises(UsageError):
        Verdict.from_bytes(file, "a judge")
    boxes = JudgePublic(judge.public.signing, other_judge.public.box)
    with pytest.raises(InvalidSignature):
        Verdict.from_bytes(file, boxes)


def test_a_judge_signs_no_other_judges_verdict(
    judge: TestJudge, other_judge: Judge, verdict: Verdict
) -> None:
    with pytest.raises(UsageError, match="their own"):
        other_judge.sign_verdict(verdict)
    own = replace(verdict, judge=other_judge.public)
    with pytest.raises(UsageError, match="contradicts itself"):
        other_judge.sign_verdict(own)


def test_a_judge_signs_no_public_check(judge: TestJudge, verdict: Verdict) -> None:
    with pytest.raises(UsageError, match="with their ledger"):
        judge.sign_verdict(replace(verdict, checked_by=CheckedBy.PUBLIC))


def test_a_judge_signs_nothing_that_contradicts_itself(judge: TestJudge, verdict: Verdict) -> None:
    failed = replace(verdict.checks[-1], status=CheckStatus.FAILED)
    changed = (
        replace(verdict, checks=(*verdict.checks[:-1], failed)),
        replace(verdict, outcome=Outcome.NOT_PROVEN),
        replace(verdict, evidence=None),
        verdict.with_file(FileDigest.of(FileRole.CHALLENGE, "", b"another")),
    )
    for one in changed:
        with pytest.raises(UsageError, match="cannot be signed"):
            judge.sign_verdict(one)


@pytest.mark.parametrize("purpose", ["challenge", "commitment", "opening", "argument", "refusal"])
def test_a_signature_for_another_purpose_is_none(
    judge: TestJudge, file: bytes, purpose: str
) -> None:
    body = VerdictFile.from_bytes(file).body
    signature = judge.key.signing.sign(purpose, hashlib.sha256(body).digest())
    with pytest.raises(InvalidSignature) as caught:
        Verdict.from_bytes(VerdictFile(body, signature).to_bytes(), judge.public)
    assert caught.value.check == "verdict.signature"


def test_a_challenge_is_no_verdict_and_the_reverse(
    judge: TestJudge, owner: Claimant, file: bytes
) -> None:
    challenge = asking(judge, owner.commitment)
    inside = {"body": challenge.body(), "signature": challenge.signature}
    for data in (challenge.to_bytes(), pack("verdict", inside)):
        with pytest.raises(Malformed):
            Verdict.from_bytes(data, judge.public)
    signed = unpack("verdict", file, limit=FILE_LIMIT)
    with pytest.raises(ZkwmError):
        Challenge.from_bytes(pack("challenge", signed))
    renamed = VerdictFile.from_bytes(file).fields() | {"type": "zkwm-challenge"}
    assert decode(encode(renamed), limit=FILE_LIMIT)
    with pytest.raises(Malformed):
        Verdict.from_bytes(
            resigned(judge, file, lambda value: value.update(type="zkwm-challenge")), judge.public
        )


def test_another_version_is_refused_by_name(judge: TestJudge, file: bytes) -> None:
    with pytest.raises(Malformed):
        Verdict.from_bytes(
            resigned(judge, file, lambda value: value.update(version=5)), judge.public
        )
    with pytest.raises(Unsupported, match="version 3"):
        Verdict.from_bytes(
            resigned(judge, file, lambda value: value.update(version=3)), judge.public
        )
    with pytest.raises(Unsupported):
        Verdict.from_bytes(file.replace(b"zkwm-verdict/1", b"zkwm-verdict/2", 1), judge.public)


def test_size_is_bounded_before_work(judge: TestJudge, verdict: Verdict) -> None:
    with pytest.raises(Malformed, match="at most"):
        Verdict.from_bytes(b"zkwm-verdict/1\n" + bytes(FILE_LIMIT + 1), judge.public)
    asked = {"image": "00" * 32, "output": 1, "problem": "", "attempts": 1, "seconds": 0.1}
    with pytest.raises(UsageError, match="100,000"):
        judge.sign_verdict(replace(verdict, suspect_record=(asked,) * (MOST_RECORDS + 1)))


def test_texts_of_a_verification_fit_the_file_whatever_they_hold(
    judge: TestJudge, verdict: Verdict
) -> None:
    hostile = "\x1b[2J\u202e\ud800" + "x" * 2 * MOST_TEXT
    detail = replace(verdict.checks[0], detail=hostile)
    given = replace(
        verdict, reason=hostile, hint="a\nb", checks=(detail, *verdict.checks[1:]),
        versions={hostile: hostile, "b": "c"},
    )  # fmt: skip
    read = Verdict.from_bytes(judge.sign_verdict(given), judge.public)
    assert read.reason == "\ufffd[2J\ufffd\ufffd" + "x" * (MOST_TEXT - 7) + "…"
    assert read.hint == "a\ufffdb"


@pytest.mark.parametrize("value", [math.nan, -0.5, -0.0])
def test_numbers_that_no_measurement_gives(value: float) -> None:
    import struct

    from zkwm.judge.argued_fields import read_real, real

    with pytest.raises(Malformed):
        read_real(struct.pack(">d", value))
    assert read_real(real(math.nan)) == math.inf


def test_a_suspect_that_was_asked_over_the_network(judge: TestJudge, verdict: Verdict) -> None:
    record = (
        {"image": "ab" * 32, "output": None, "problem": "timed out", "attempts": 3, "seconds": 1.5},
        {"image": "cd" * 32, "output": 4, "problem": "", "attempts": 1, "seconds": 0.007},
    )
    read = Verdict.from_bytes(
        judge.sign_verdict(replace(verdict, suspect_record=record)), judge.public
    )
    assert read.suspect_record == record
