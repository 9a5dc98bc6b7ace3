"""``zkwm verify``: the judge checks a proof of either way, asks the suspect, and decides."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import STANDARD, Output, read_artifact, require_one_stdin
from zkwm_cli.exits import decided, print_json
from zkwm_cli.layout import columns
from zkwm_cli.option_names import in_options
from zkwm_cli.options import (
    FILE,
    challenge_option,
    commitment_option,
    declared_labels_option,
    force_option,
    json_option,
    option,
    options,
)
from zkwm_cli.secret_options import JudgeOptions
from zkwm_cli.suspect_options import ExtractionOptions, SuspectOptions

if TYPE_CHECKING:
    from zkwm.judge.judge import Judge
    from zkwm.judge.particulars import CaseParticulars, FileRole
    from zkwm.judge.verdict import Verdict


def stated(written: str, explanation: str) -> Any:  # noqa: ANN401
    """An option that a verdict repeats as stated."""
    return option(
        written, default="", metavar="TEXT", help=f"{explanation} As stated, not checked."
    )


@dataclass(frozen=True)
class CaseFiles:
    """The three documents of a dispute."""

    commitment: str = commitment_option()
    challenge: str = challenge_option()
    proof: str = option(
        "--proof", required=True, type=FILE, metavar="FILE", help="The owner's answer; - is stdin."
    )

    def names(self, judge: str) -> dict[FileRole, str]:
        """The files' names by role, that of the judge's public key among them; stdin has none."""
        from zkwm.judge.particulars import FileRole

        names = {
            FileRole.COMMITMENT: self.commitment,
            FileRole.CHALLENGE: self.challenge,
            FileRole.PROOF: self.proof,
            FileRole.JUDGE_PUBLIC: judge,
        }
        return {role: "" if name == STANDARD else name for role, name in names.items()}

    def read(self) -> tuple[bytes, bytes, bytes]:
        """The bytes of commitment, challenge and proof. Raises CouldNotCheck or Malformed."""
        from zkwm_protocols import challenge, commitment, response_file

        return (
            read_artifact(self.commitment, commitment.FILE_LIMIT),
            read_artifact(self.challenge, challenge.FILE_LIMIT),
            read_artifact(self.proof, response_file.FILE_LIMIT),
        )


@dataclass(frozen=True)
class CheckOptions:
    """What the judge accepts, and the images that are asked beside the triggers."""

    accept_declared_labels: bool = declared_labels_option()
    decoys: str | None = option(
        "--decoys",
        type=click.Path(),
        metavar="PATH",
        help="Natural images of the suspect's task, asked beside the triggers (else public ones). "
        "Other decoys are drawn.",
    )
    images: str | None = option(
        "--images",
        type=click.Path(),
        metavar="PATH",
        help="Images on which suspect and integer network are compared, for a zero-knowledge "
        "argument (default: public ones).",
    )

    def settings(self) -> dict[str, Any]:
        """Keyword arguments of ``Judge.verify``."""
        from zkwm.data.images import load_images

        return {
            "accept_declared_labels": self.accept_declared_labels,
            "decoys": None if self.decoys is None else load_images(self.decoys),
            "images": None if self.images is None else load_images(self.images),
        }


@dataclass(frozen=True)
class ParticularsOptions:
    """The case as stated: it stands in the verdict, and nobody checks it."""

    case_name: str = stated("--case", "The case, such as a file number.")
    owner_name: str = stated("--owner-name", "Who claims ownership.")
    judge_name: str = stated("--judge-name", "Who judges.")
    suspect_from: str = stated(
        "--suspect-from", "Where the suspect comes from, and how it was obtained."
    )

    def read(self) -> CaseParticulars:
        """The particulars. Raises UsageError for text that is too long or not printable."""
        from zkwm.judge.particulars import CaseParticulars

        return CaseParticulars(self.case_name, self.owner_name, self.judge_name, self.suspect_from)


@dataclass(frozen=True)
class VerdictOptions:
    """How the verdict is shown: text or JSON on stdout, and a page for the court file."""

    report: str | None = option(
        "--report",
        type=click.Path(),
        metavar="FILE",
        help="Also write the verdict as one HTML page, with the opened triggers: for judge and "
        "owner alone.",
    )
    report_public: str | None = option(
        "--report-public",
        type=click.Path(),
        metavar="FILE",
        help="Also write that page without the triggers' pictures, for the parties and the public.",
    )
    force: bool = force_option()
    as_json: bool = json_option()

    def pages(self, inputs: tuple[str, ...]) -> tuple[tuple[Output, bool], ...]:
        """The checked outputs of --report and --report-public: file, public. Raises UsageError."""
        outputs = []
        if self.report and self.report_public and _same_file(self.report, self.report_public):
            raise click.UsageError("give --report and --report-public a file each")
        for name, path in (("--report", self.report), ("--report-public", self.report_public)):
            if path == STANDARD:
                raise click.UsageError(f"standard output carries the verdict; give {name} a file")
            if path is not None:
                output = Output(path, force=self.force, inputs=inputs)
                outputs.append((output, name == "--report-public"))
        return tuple(outputs)


@click.command("verify", short_help="Judge: check a proof, ask the suspect, decide.")
@options(
    case=CaseFiles,
    suspect=SuspectOptions,
    extraction=ExtractionOptions,
    judge=JudgeOptions,
    checks=CheckOptions,
    particulars=ParticularsOptions,
    presentation=VerdictOptions,
)
def command(
    case: CaseFiles,
    suspect: SuspectOptions,
    extraction: ExtractionOptions,
    judge: JudgeOptions,
    checks: CheckOptions,
    particulars: ParticularsOptions,
    presentation: VerdictOptions,
) -> None:
    """Check the owner's answer to your challenge, ask the suspect, and weigh the evidence.

    The proof itself says which way it is: opened triggers, which the suspect is asked, or a
    zero-knowledge argument about the suspect's file, which shows that enough triggers match.

    The verdict goes to stdout. Exit code 0 means proven; 10 checked and not proven; 3 could not
    be checked, which says nothing about the claim; 4 something that trust rests on is missing.
    """
    from zkwm.judge.head_start import head_start
    from zkwm_protocols.errors import NotProven, ZkwmError

    require_one_stdin(
        commitment=case.commitment,
        challenge=case.challenge,
        proof=case.proof,
        passphrase_file=judge.passphrase_file,
    )
    inputs = (case.commitment, suspect.model, case.challenge, case.proof, judge.judge, judge.secret)
    pages = presentation.pages(inputs)
    files = case.read()
    _announce(files[2], suspect.model)
    stated_case = particulars.read()
    settings = checks.settings() | suspect.settings() | extraction.settings()
    error: ZkwmError | None = None
    with head_start(files[0], suspect.model, settings.get("onnx")):
        key = judge.open()
        try:
            verdict = _verify(key, files, suspect.model, settings | {"particulars": stated_case})
        except ZkwmError as failure:
            if failure.verdict is None:
                raise
            verdict, error = failure.verdict, failure
    verdict = replace(verdict, hint=in_options(verdict.hint))
    verdict = verdict.with_names(case.names(f"{judge.secret}.pub"))
    _print(verdict, as_json=presentation.as_json)
    for page, public in pages:
        _write_report(verdict, page, public=public)
    if error is not None and not isinstance(error, NotProven):
        raise error
    decided(proven=error is None)


def _same_file(name: str, other: str) -> bool:
    """Whether two names lead to one place, that need not exist."""
    return os.path.realpath(name) == os.path.realpath(other)


def _announce(proof: bytes, model: str) -> None:
    """Say what takes longer than an opening does, before it is begun."""
    from zkwm_cli.terminal import note
    from zkwm_protocols.argument_response import ArgumentResponse, read_response
    from zkwm_protocols.errors import ZkwmError

    with suppress(ZkwmError):
        if isinstance(read_response(proof), ArgumentResponse):
            note(f"checking an argument about {model}: integer network, agreement, proof")


def _verify(
    judge: Judge, files: tuple[bytes, bytes, bytes], model: str, settings: dict[str, Any]
) -> Verdict:
    """``Judge.verify`` with a progress line."""
    from zkwm_cli.terminal import ProgressLine

    commitment, challenge, proof = files
    line = ProgressLine()
    try:
        return judge.verify(
            commitment,
            model,
            challenge,
            proof,
            progress=lambda done, count: line.update(f"asking the suspect: {done} of {count}"),
            **settings,
        )
    finally:
        line.end()


def _print(verdict: Verdict, *, as_json: bool) -> None:
    """The verdict on stdout, whatever the outcome."""
    from zkwm.report import render_text

    if as_json:
        print_json(verdict.to_json())
    else:
        click.echo(render_text(verdict, width=columns(sys.stdout)), nl=False)


def _write_report(verdict: Verdict, page: Output, *, public: bool) -> None:
    """Write the page; a page that cannot be written is a warning, and changes no outcome."""
    from zkwm.report import render_report
    from zkwm_cli.terminal import warn

    try:
        page.write(render_report(verdict, public=public).encode("utf-8"))
    except Exception as error:  # whatever is missing for a page, the verdict has been given
        reason = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
        warn(f"the report was not written ({reason}); the verdict above stands")
