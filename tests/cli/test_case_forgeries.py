"""case check: archives whose judge lies, or whose files were exchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.case_files import PASSPHRASE, Command, Files, dispute_over, save_lookup
from tests.support.court import ALL, Court, states
from zkwm.case_archive.container import read_archive
from zkwm.judge.counted import sums_of
from zkwm.judge.key_file import open_judge_key
from zkwm.judge.results import TriggerStatus
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.suspects.suspect import TIMED_OUT
from zkwm_protocols.evidence import Evidence, assess
from zkwm_protocols.ranks import Statistic


def test_another_judge_than_the_one_who_is_trusted(court: Court, case: Files) -> None:
    """Whoever makes a key can make a whole case; the words say whose it is."""
    court.decide()
    assert court.pack(triggers=True).code == 0
    court.zkwm("judge-key", "--output", case.folder / "third.key")
    refused = court.zkwm("case", "check", court.archive, "--judge", case.folder / "third.key.pub")
    assert refused.code == 3
    assert "[verdict.judge]" in refused.stderr
    court.change(judge_public=(case.folder / "third.key.pub").read_bytes())
    refused = court.zkwm("case", "check", court.archive)
    assert refused.code == 3
    assert "[verdict.judge]" in refused.stderr


def test_a_report_that_the_verdict_does_not_name(court: Court) -> None:
    """Whoever packs can put any page beside the verdict, and it is the page that people read."""
    report = court.folder / "public.html"
    court.decide(*court.case.verify_options(), "--report-public", report)
    assert court.pack(report, triggers=True).code == 0
    assert states(court.check(expected=0))["reports"] == "repeated"
    court.change(report=report.read_bytes().replace(b"40", b"4"))
    found = court.check(expected=3)
    assert (states(found)["reports"], found["outcome"]) == ("not repeated", None)
    text = court.zkwm("case", "check", court.archive)
    assert "nobody vouches for what public.html shows" in " ".join(text.stdout.split())


def test_a_judge_who_is_trusted_by_fingerprint(court: Court, case: Files) -> None:
    court.decide()
    assert court.pack(triggers=True).code == 0
    found = court.check("--judge-fingerprint", case.judge_fingerprint, expected=0)
    assert found["judge_given"]
    other = "-".join(["abcd"] * 8)
    refused = court.zkwm("case", "check", court.archive, "--judge-fingerprint", other)
    assert refused.code == 3
    assert "another judge's case" in refused.stderr


def test_a_verdict_that_the_judge_did_not_sign(court: Court) -> None:
    court.decide()
    assert court.pack(triggers=True).code == 0
    data = bytearray(court.verdict.read_bytes())
    data[-1] ^= 1
    court.change(verdict=bytes(data))
    refused = court.zkwm("case", "check", court.archive)
    assert refused.code == 3
    assert "verdict/case.verdict in the archive" in refused.stderr
    assert "[verdict.signature]" in refused.stderr


def test_a_model_that_was_exchanged(court: Court, case: Files) -> None:
    court.decide()
    assert court.pack(triggers=True).code == 0
    court.change(suspect=case.innocent.read_bytes())
    found = states(court.check(expected=3))
    assert (found["files"], found["suspect"], found["answers"]) == ("differs",) * 3


def test_triggers_that_were_exchanged(court: Court) -> None:
    court.decide()
    assert court.pack(triggers=True).code == 0
    _, contents = read_archive(court.archive.read_bytes())
    data = bytearray(contents["opened-triggers/opened.triggers"])
    images, _ = court.case.triggers()
    place = data.index(images[0].tobytes())
    data[place] ^= 255
    court.change(opened_triggers=bytes(data))
    assert states(court.check(expected=3))["leaves"] == "differs"


def _all_match(verdict: Verdict) -> Verdict:
    """The lie that all triggers match; bits and outcome are those that would follow."""
    assert verdict.evidence is not None
    return replace(verdict, triggers=tuple(
        replace(one, status=TriggerStatus.MATCH, answer=one.expected_output)
        for one in verdict.triggers
    ))  # fmt: skip


def _of_all(true: Verdict, matches: int | None = None, **sums: Any) -> Evidence:
    """The evidence of a verdict if all of its triggers matched, or by other sums."""
    assert true.header is not None
    assert true.challenge is not None
    header, policy = true.header, true.challenge.policy
    tried = max(policy.functions_tried, true.functions_tried or 1)
    return assess(
        len(true.triggers) if matches is None else matches,
        blocks_used=len(true.blocks), block_count=header.block_count,
        block_size=header.block_size, class_count=header.class_count,
        policy=replace(policy, functions_tried=tried), **sums,
    )  # fmt: skip


def test_a_judge_who_lies_is_found_out(court: Court, zkwm: Command, case: Files) -> None:
    """Signed by the right key, about the right files, and not what the model answers."""
    court.decide()
    honest = Verdict.from_bytes(
        court.verdict.read_bytes(), open_judge_key(case.judge, PASSPHRASE).public
    )
    options = dispute_over(zkwm, case, model=case.innocent)
    court.files = [case.commitment, case.folder / "new.challenge", case.folder / "new.proof",
                   case.public, case.innocent]  # fmt: skip
    court.decide(*options, expected=10)
    assert court.pack(triggers=True).code == 0
    court.lie(lambda true: replace(
        _all_match(true), outcome=Outcome.PROVEN, evidence=_of_all(true), checks=honest.checks,
        reason=honest.reason,
    ))  # fmt: skip
    found = court.check(expected=3)
    assert found["verdict"]["outcome"] == "proven"
    assert states(found)["answers"] == "differs"


def _flattered(true: Verdict) -> Verdict:
    """The lie that each label has 2 points more, and each other class 2 less; bits follow."""
    triggers = tuple(
        replace(one, points=bytes(
            value + 2 if label == one.label else max(value - 2, 0)
            for label, value in enumerate(one.points or b"")
        ))
        for one in true.triggers
    )  # fmt: skip
    assert true.header is not None
    return replace(true, triggers=triggers, evidence=_of_all(
        true, matches=true.evidence.matches if true.evidence else 0,
        score_sum=sums_of(triggers, Statistic.SCORES, true.header.class_count)[1],
    ))  # fmt: skip


def _without(true: Verdict, number: int) -> Verdict:
    """The lie that so many triggers got no answer, which moves the medians of the others."""
    late = {"status": TriggerStatus.NO_ANSWER, "answer": None, "points": None,
            "problem": TIMED_OUT}  # fmt: skip
    triggers = (*(replace(one, **late) for one in true.triggers[:number]), *true.triggers[number:])
    assert true.header is not None
    return replace(true, triggers=triggers, evidence=_of_all(
        true, matches=sum(one.status == TriggerStatus.MATCH for one in triggers),
        score_sum=sums_of(triggers, Statistic.SCORES, true.header.class_count)[1],
    ))  # fmt: skip


def test_points_that_are_a_little_better_everywhere(
    court: Court, zkwm: Command, case: Files
) -> None:
    """Each is as near to the true one as that of another machine, and all together convict."""
    court.decide()
    honest = Verdict.from_bytes(
        court.verdict.read_bytes(), open_judge_key(case.judge, PASSPHRASE).public
    )
    images, labels = case.triggers()
    weak = case.folder / "weak.onnx"
    save_lookup(weak, images, np.where(np.arange(len(labels)) % 3, labels + 1, labels) % 10)
    options = dispute_over(zkwm, case, model=weak, reveal=100, statistic="scores")
    court.files = [case.commitment, case.folder / "new.challenge", case.folder / "new.proof",
                   case.public, weak]  # fmt: skip
    court.decide(*options, expected=10)
    assert court.pack(triggers=True).code == 0
    assert states(court.check(expected=10)) == ALL
    court.lie(lambda true: _without(true, 1))
    assert states(court.check(expected=3)) == ALL | {"answers": "not repeated"}
    court.lie(lambda true: replace(
        _flattered(true), outcome=Outcome.PROVEN, checks=honest.checks, reason=honest.reason,
    ))  # fmt: skip
    found = court.check(expected=3)
    assert found["verdict"]["outcome"] == "proven"
    assert states(found)["answers"] == "differs"


@pytest.mark.parametrize(
    "lie", [lambda true: _all_match(true), lambda true: replace(true, functions_tried=1000)]
)
def test_a_verdict_that_does_not_follow_from_itself(
    court: Court, zkwm: Command, case: Files, lie: Callable[[Verdict], Verdict]
) -> None:
    options = dispute_over(zkwm, case, model=case.innocent)
    court.files = [case.commitment, case.folder / "new.challenge", case.folder / "new.proof",
                   case.public, case.innocent]  # fmt: skip
    court.decide(*options, expected=10)
    assert court.pack(triggers=True).code == 0
    court.lie(lie)
    assert "contradicts itself" in court.check(expected=3)["error"]


def test_a_verdict_about_other_files(court: Court) -> None:
    court.decide()
    assert court.pack(triggers=True).code == 0
    court.lie(lambda true: replace(true, files=tuple(
        replace(file, digest=bytes(32)) if file.role == "commitment" else file
        for file in true.files
    )))  # fmt: skip
    assert states(court.check(expected=3))["files"] == "differs"
