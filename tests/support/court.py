"""A decided case in files, and what an appeal court does with its archive. Not a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.support.archives import manifest_of
from tests.support.case_files import PASSPHRASE, Command, Files, Result
from zkwm.case_archive.container import read_archive, write_archive
from zkwm.judge.key_file import open_judge_key
from zkwm.judge.results import CheckStatus, TriggerResult, TriggerStatus
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.suspects.suspect import TIMED_OUT
from zkwm_protocols.evidence import assess


class Court:
    """A decided case in files, and the two commands about its archive."""

    def __init__(self, zkwm: Command, case: Files) -> None:
        self.zkwm, self.case = zkwm, case
        self.folder = case.folder
        self.archive = case.folder / "case.zip"
        self.verdict = case.folder / "case.verdict"
        self.files = [case.commitment, case.challenge, case.proof, case.public, case.model]

    def decide(self, *options: object, expected: int = 0, **changes: object) -> None:
        """Verify, and let the judge sign the verdict."""
        given = options or self.case.verify_options(**changes)
        done = self.zkwm(*given, "--verdict", self.verdict, "--force")
        assert done.code == expected, done.stderr
        if self.verdict not in self.files:
            self.files.append(self.verdict)

    def pack(self, *more: object, triggers: bool = False) -> Result:
        """Pack the files of the case."""
        secret = ("--with-triggers", "--judge", self.case.judge) if triggers else ()
        output = ("--output", self.archive, "--force")
        return self.zkwm("case", "pack", *output, *secret, *self.files, *more)

    def check(self, *options: object, expected: int) -> dict[str, Any]:
        """Repeat the case from the archive."""
        done = self.zkwm("case", "check", self.archive, "--json", *options)
        assert done.code == expected, done.stderr
        return done.json

    def change(self, **files: bytes) -> None:
        """Put other files under these roles, with a manifest that fits them."""
        manifest, contents = read_archive(self.archive.read_bytes())
        for file in manifest.files:
            if (role := file.role.replace("-", "_")) in files:
                contents[file.path] = files[role]
        self.archive.write_bytes(write_archive(manifest_of(contents), contents))

    def lie(self, change: Callable[[Verdict], Verdict]) -> None:
        """Sign another verdict with the judge's own key, as a judge could who lies."""
        key = open_judge_key(self.case.judge, PASSPHRASE)
        true = Verdict.from_bytes(self.verdict.read_bytes(), key.public)
        self.change(verdict=change(true).signed_by(key.signing, key.public))


def answering(true: Verdict, output: Callable[[TriggerResult], int | None]) -> Verdict:
    """The verdict of a judge whose suspect answers so; bits, outcome and checks follow.

    None is no answer in time.
    """
    triggers = []
    for one in true.triggers:
        answer = output(one)
        matches = answer == one.expected_output
        status = TriggerStatus.MATCH if matches else TriggerStatus.NO_MATCH
        status = TriggerStatus.NO_ANSWER if answer is None else status
        problem = TIMED_OUT if answer is None else ""
        triggers.append(replace(one, status=status, answer=answer, problem=problem))
    assert true.header is not None
    assert true.challenge is not None
    evidence = assess(
        sum(one.status == TriggerStatus.MATCH for one in triggers),
        blocks_used=len(true.blocks), block_count=true.header.block_count,
        block_size=true.header.block_size, class_count=true.header.class_count,
        policy=replace(true.challenge.policy, functions_tried=true.functions_tried or 1),
    )  # fmt: skip
    outcome = Outcome.PROVEN if evidence.reached else Outcome.NOT_PROVEN
    decided = CheckStatus.PASSED if evidence.reached else CheckStatus.FAILED
    changed = replace(true, triggers=tuple(triggers), evidence=evidence, outcome=outcome)
    return checked(changed, "evidence.threshold", decided)


def checked(verdict: Verdict, check: str, status: CheckStatus) -> Verdict:
    """The verdict with another result of a check."""
    checks = [replace(one, status=status) if one.id == check else one for one in verdict.checks]
    return replace(verdict, checks=tuple(checks))


def words_of(found: dict[str, Any], step: str = "answers") -> str:
    """What a step says."""
    return next(one["words"] for one in found["steps"] if one["step"] == step)


def states(found: dict[str, Any]) -> dict[str, str]:
    """The state of each step by its name."""
    return {step["step"]: step["state"] for step in found["steps"]}


ALL = dict.fromkeys(
    ("verdict", "files", "signatures", "suspect", "leaves", "answers", "evidence"), "repeated"
)
