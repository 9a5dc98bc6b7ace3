"""``zkwm verify``: check a proof of either way, ask the suspect, and decide.

As the judge, or, an argument, as anybody who has the judge's public key.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import Output, require_one_stdin
from zkwm_cli.exits import decided, print_json, usual_hint
from zkwm_cli.layout import columns
from zkwm_cli.option_names import in_options
from zkwm_cli.options import options
from zkwm_cli.suspect_options import ExtractionOptions, SuspectOptions
from zkwm_cli.verdict_options import (
    REPORT_PUBLIC,
    SIGNED,
    CaseFiles,
    CheckerOptions,
    CheckOptions,
    ParticularsOptions,
    VerdictOptions,
)

if TYPE_CHECKING:
    from zkwm.judge.judge import Judge
    from zkwm.judge.verdict import Verdict
    from zkwm_cli.terminal import ProgressLine
    from zkwm_protocols.errors import ZkwmError
    from zkwm_protocols.keys import JudgePublic


@click.command("verify", short_help="Judge: check a proof, ask the suspect, decide.")
@options(
    case=CaseFiles,
    suspect=SuspectOptions,
    extraction=ExtractionOptions,
    judge=CheckerOptions,
    checks=CheckOptions,
    particulars=ParticularsOptions,
    presentation=VerdictOptions,
)
def command(
    case: CaseFiles,
    suspect: SuspectOptions,
    extraction: ExtractionOptions,
    judge: CheckerOptions,
    checks: CheckOptions,
    particulars: ParticularsOptions,
    presentation: VerdictOptions,
) -> None:
    """Check the owner's answer to a challenge, ask the suspect, and weigh the evidence.

    The proof itself says which way it is: opened triggers, which the suspect is asked, or a
    zero-knowledge argument about the suspect's file, which shows that enough triggers match.

    With your secret key you check as the judge. With a judge's public key, or their fingerprint,
    anybody checks an argument; an opening is sealed to the judge, whose signed verdict (--verdict)
    is checked by zkwm inspect.

    The verdict goes to stdout. Exit code 0 means proven; 10 checked and not proven; 3 could not
    be checked, which says nothing about the claim; 4 something that trust rests on is missing.
    """
    from zkwm.judge.head_start import begin_label_seed, head_start
    from zkwm_protocols.errors import NotProven

    require_one_stdin(
        commitment=case.commitment,
        challenge=case.challenge,
        proof=case.proof,
        passphrase_file=judge.passphrase_file,
    )
    inputs = (case.commitment, suspect.model, case.challenge, case.proof, *judge.files)
    outputs = presentation.outputs(inputs, public=judge.public)
    proof = case.read_proof()
    argued = _announce(proof, suspect.model)
    # of NumPy, which no import has loaded yet: its matrices are small here, and threads wait busily
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with head_start(None, suspect.model, argued=argued):  # before what takes long to import
        files = (*case.read_asked(), proof)
        # an argument needs the labels at its end: their seed gives way to the judge's key
        later = argued and not judge.public
        if not later:
            begin_label_seed(files[0])
        settings = (
            checks.settings() | suspect.settings() | extraction.settings() | particulars.read()
        )
        checker = judge.open(files[1], files[0] if later else None)
        verdict, error = _verify(checker, files, suspect.model, settings)
    usual = "" if error is None or isinstance(error, NotProven) else usual_hint(error, "verify")
    verdict = replace(verdict, hint=in_options(verdict.hint or usual))
    verdict = verdict.with_names(case.names(judge.public_name))
    _print(verdict, as_json=presentation.as_json)
    _write(verdict, checker, outputs)
    if error is not None and not isinstance(error, NotProven):
        raise error
    decided(proven=error is None)


def _announce(proof: bytes, model: str) -> bool:
    """Whether it is an argument, which takes longer than an opening: then say so at once."""
    from zkwm_cli.terminal import note
    from zkwm_protocols.errors import ZkwmError
    from zkwm_protocols.response_frame import ARGUMENT_TYPE, response_type

    with suppress(ZkwmError):
        if response_type(proof) == ARGUMENT_TYPE:
            note(f"checking an argument about {model}: integer network, agreement, proof")
            return True
    return False


def _verify(
    checker: Judge | JudgePublic,
    files: tuple[bytes, bytes, bytes],
    model: str,
    settings: dict[str, Any],
) -> tuple[Verdict, ZkwmError | None]:
    """``Judge.verify`` or ``verify_argument`` with a progress line: the verdict, and its error."""
    from zkwm.judge.judge import Judge
    from zkwm.judge.verification import verify_argument
    from zkwm_cli.terminal import ProgressLine
    from zkwm_protocols.errors import ZkwmError

    commitment, challenge, proof = files
    line = ProgressLine()
    settings["progress"] = _shown(line, challenge)
    try:
        if isinstance(checker, Judge):
            return checker.verify(commitment, model, challenge, proof, **settings), None
        del settings["decoys"]  # of openings
        return verify_argument(commitment, model, challenge, proof, checker, **settings), None
    except ZkwmError as error:
        if error.verdict is None:
            raise
        return error.verdict, error
    finally:
        line.end()


def _shown(line: ProgressLine, challenge: bytes) -> Callable[[int, int], None]:
    """Show images answered, then rounds of relearning, and about how long the others take."""
    from zkwm_protocols.challenge import Challenge
    from zkwm_protocols.errors import ZkwmError
    from zkwm_protocols.ranks import Statistic
    from zkwm_protocols.relearning import FOLDS, Form

    rounds = None
    with suppress(ZkwmError):  # what is wrong with it, verification tells
        if Challenge.from_bytes(challenge).statistic == Statistic.RELEARNING:
            rounds = len(Form) * (FOLDS - 1)
    quick = sum(not form.trained for form in Form) * (FOLDS - 1)
    ends: list[float] = []

    def show(done: int, count: int) -> None:
        if count != rounds:
            line.update(f"asking the suspect: {done} of {count}")
            return
        left = ""
        if done >= quick:  # a regression tells nothing of how long training takes
            ends.append(monotonic())
        if len(ends) > 1:
            each = max((ends[-1] - ends[0]) / (len(ends) - 1), ends[-1] - ends[-2])
            left = f", about {each * (count - done):.0f} s left"
        line.update(f"relearning, rounds: {done} of {count}{left}")

    return show


def _print(verdict: Verdict, *, as_json: bool) -> None:
    """The verdict on stdout, whatever the outcome."""
    from zkwm.report import render_text

    if as_json:
        print_json(verdict.to_json())
    else:
        click.echo(render_text(verdict, width=columns(sys.stdout)), nl=False)


def _write(verdict: Verdict, checker: Judge | JudgePublic, outputs: dict[str, Output]) -> None:
    """Write pages and signed file; one that cannot be written is a warning, and changes no outcome.

    The signed file has the pages' digests.
    """
    if not outputs:
        return
    from zkwm.judge.judge import Judge
    from zkwm.judge.particulars import FileDigest, FileRole
    from zkwm.report import render_report
    from zkwm_cli.terminal import warn

    listed = verdict
    for name, output in outputs.items():
        what = "signed verdict" if name == SIGNED else "report"
        try:
            if name != SIGNED:
                data = render_report(verdict, public=name == REPORT_PUBLIC).encode("utf-8")
                output.write(data)
                listed = listed.with_file(FileDigest.of(FileRole.REPORT, output.name, data))
            elif isinstance(checker, Judge):
                output.write(checker.sign_verdict(listed))
        except Exception as error:  # whatever is missing for it, the verdict has been given
            reason = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
            warn(f"the {what} was not written ({reason}); the verdict above stands")
