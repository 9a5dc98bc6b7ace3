"""``zkwm case``: a whole case in one file, and its replay from that file alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import OutputOptions, print_result, read_artifact
from zkwm_cli.exits import decided, one_line, print_json, print_zkwm_error
from zkwm_cli.option_names import in_options
from zkwm_cli.options import FILE, json_option, option, options, passphrase_option
from zkwm_cli.suspect_options import ExtractionOptions, timeout_option
from zkwm_cli.trust_options import read_trust_option, trust_option
from zkwm_cli.trusted_judge import fingerprint_option, trusted_judge

if TYPE_CHECKING:
    from zkwm.case_archive.manifest import ArchiveRole
    from zkwm.case_archive.replay import Replay
    from zkwm.judge.key_file import JudgeKey
    from zkwm.suspects import OnnxLimits
    from zkwm_protocols.keys import JudgePublic
    from zkwm_protocols.trust import Trust


@click.group("case", short_help="Pack a whole case into one file, and repeat it from there.")
def command() -> None:
    """A whole case in one file, for an appeal court, a buyer or a party."""


@command.command("pack", short_help="Pack the files of a case into one archive.")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@options(
    output=OutputOptions,
    with_triggers=option(
        "--with-triggers",
        is_flag=True,
        help="Also pack the triggers that were opened to you, so that a court can ask the model "
        "again. Whoever has the archive then has them.",
    ),
    judge=option(
        "--judge",
        type=click.Path(),
        metavar="FILE",
        help="With --with-triggers: your judge's key (judge.key), which opens them.",
    ),
    passphrase_file=passphrase_option(),
    extraction=ExtractionOptions,
)
def pack(
    files: tuple[str, ...],
    output: OutputOptions,
    with_triggers: bool,
    judge: str | None,
    passphrase_file: str | None,
    extraction: ExtractionOptions,
) -> None:
    """Pack commitment, challenge, proof, verdict, judge.key.pub, model and reports.

    FILES may come in any order: each is recognized by its content. The same files give the same
    archive, byte for byte. Secrets are refused, and so is what is not recognized. Where a mark is
    extracted, say how, as for its challenge: --watermark, --reference and so on.

    \b
        zkwm case pack --output case.zip acme.commitment case.challenge \\
            case.proof case.verdict judge.key.pub suspect.onnx
    """
    if with_triggers != (judge is not None):
        raise click.UsageError("--with-triggers and --judge go together")
    target = output.target(*files, judge)
    key = None if judge is None else _secret(judge, passphrase_file)

    import hashlib

    from zkwm.case_archive.pack import pack_case
    from zkwm_cli.terminal import note, warn

    read = extraction.settings().get("extraction")
    data, manifest = pack_case(files, triggers=key, extraction=read)
    target.write(data)
    digest = hashlib.sha256(data).hexdigest()
    for file in manifest.files:
        note(f"{file.role}: {file.name}, {file.size} bytes")
    note(f"{output.output}: {len(data)} bytes, SHA-256 {digest}")
    _tell_missing({file.role for file in manifest.files})
    if with_triggers:
        warn("the archive has the opened triggers: give it to nobody who may not see them")
    if read is not None and read.reference is not None:
        warn("the archive has the owner's unmarked model, which is for judges and courts alone")
    print_result(
        output.as_json,
        "case-pack",
        path=output.output,
        sha256=digest,
        bytes=len(data),
        files=[
            {"path": one.path, "role": one.role, "bytes": one.size, "sha256": one.digest.hex()}
            for one in manifest.files
        ],
        triggers=with_triggers,
    )


@command.command("check", short_help="Repeat a whole case from its archive alone.")
@click.argument("archive", type=FILE)
@options(
    judge=option(
        "--judge",
        type=click.Path(),
        metavar="FILE",
        help="The public key of the judge you trust (judge.key.pub); else the archive's own is "
        "used, and you confirm its fingerprint.",
    ),
    judge_fingerprint=fingerprint_option(),
    trust=trust_option(
        "Whom you trust to date the commitment: a folder (docs/registration.md); else the "
        "archive's own is taken, which is the judge's."
    ),
    timeout=timeout_option(),
    total_timeout=option(
        "--total-timeout",
        type=float,
        metavar="S",
        help="Seconds for all that the suspect is asked in one step (3600).",
    ),
    as_json=json_option(),
)
def check(
    archive: str,
    judge: str | None,
    judge_fingerprint: str | None,
    trust: str | None,
    timeout: float | None,
    total_timeout: float | None,
    as_json: bool,
) -> None:
    """Check every digest and signature again, ask the model again, and weigh the evidence again.

    Nothing but the archive is read. Each step is repeated, differs, or is not repeated and says
    why; what rests on the judge's word alone never counts as repeated.

    Exit code 0: all was repeated, and the case is proven. 10: all was repeated, and it is not
    proven. 3: something differs, or could not be repeated.
    """
    from zkwm.case_archive.container import ARCHIVE_LIMIT
    from zkwm.judge.verdict import Outcome
    from zkwm_protocols.errors import CouldNotCheck

    limits = _limits(timeout, total_timeout)
    trusted = trusted_judge(judge, judge_fingerprint)
    data = read_artifact(archive, ARCHIVE_LIMIT)
    replay = _replayed(data, trusted, read_trust_option(trust), limits)
    if as_json:
        print_json(_json(replay))
    else:
        _print(replay)
    if replay.outcome is not None:
        decided(proven=replay.outcome == Outcome.PROVEN)
    problem = CouldNotCheck(
        "the archive and its verdict differ"
        if replay.differs
        else "the case was not repeated whole; what was not rests on the judge's word",
        hint=in_options(replay.hint)
        or (
            "ask the judge of the case about the steps that differ"
            if replay.differs
            else "the steps above say what is missing"
        ),
    )
    raise click.exceptions.Exit(print_zkwm_error(problem, as_json=False))


def _limits(timeout: float | None, total: float | None) -> OnnxLimits:
    """The limits of time that were given, others as usual. Raises UsageError."""
    from zkwm.suspects import OnnxLimits

    limits = OnnxLimits()
    return replace(
        limits,
        image_seconds=limits.image_seconds if timeout is None else timeout,
        total_seconds=limits.total_seconds if total is None else total,
    )


def _replayed(
    data: bytes, judge: JudgePublic | str | None, trust: Trust | None, limits: OnnxLimits
) -> Replay:
    """``check_case`` with a line of progress."""
    from zkwm.case_archive.replay import check_case
    from zkwm_cli.terminal import ProgressLine

    line = ProgressLine()

    def show(what: str, done: int, count: int) -> None:
        line.update(f"{what}: {done} of {count}")

    try:
        return check_case(data, judge, trust=trust, limits=limits, progress=show)
    finally:
        line.end()


def _tell_missing(roles: set[ArchiveRole]) -> None:
    """What whoever repeats the case will miss."""
    from zkwm.case_archive.manifest import ArchiveRole
    from zkwm_cli.terminal import note

    if ArchiveRole.VERDICT not in roles:
        note("there is no verdict among the files: zkwm case check compares with none")
    if ArchiveRole.SUSPECT not in roles:
        note("there is no model among the files: nobody can ask it again from the archive alone")


def _secret(judge: str, passphrase_file: str | None) -> JudgeKey:
    """The judge's secret keys."""
    from zkwm.judge.key_file import open_judge_key
    from zkwm_cli.hardening import Role
    from zkwm_cli.passphrases import passphrase

    path = judge.removesuffix(".pub")
    return open_judge_key(path, passphrase(passphrase_file, of=path, role=Role.JUDGE))


def _print(replay: Replay) -> None:
    """The replay for people: each step, what came of it, and whose key it rests on."""
    from zkwm.report.persons import person_lines

    documents = replay.documents
    for step in replay.steps:
        click.echo(f"{step.state:<13} {step.name}: {one_line(step.words)}")
    dating = replay.dating
    for key in () if dating is None else dating.owner_keys:
        for line in person_lines(key, () if dating is None else dating.people):
            click.echo(f"{'person':<13} behind the key {key.key}: {one_line(line)}")
    if documents.verdict is None:
        click.echo("the archive has no verdict: nothing is compared with one")
    else:
        click.echo(f"the verdict says: {documents.verdict.outcome}")
    if replay.outcome is not None:
        click.echo(f"REPEATED WHOLE: {replay.outcome}")
    elif replay.differs:
        click.echo("DIFFERS: do not rely on this archive")
    else:
        click.echo("NOT REPEATED WHOLE: the steps say what rests on the judge's word")
    fingerprint = documents.judge.fingerprint()
    click.echo(
        f"judge's key: {fingerprint}, the one you gave"
        if replay.judge_given
        else f"judge's key: {fingerprint}, from the archive itself: anybody can make a key, so "
        "compare\nthis fingerprint with the one that the judge published"
    )
    click.echo(
        "not checked: who owner and judge are, when the suspect was published, and what a verdict "
        "does\nnot say (SPEC.md 10.3)"
    )
    stated = documents.challenge.test_accuracy
    if stated is not None and all(step.name != "accuracy" for step in replay.steps):
        click.echo(
            f"not repeated: that the model gets {stated.right} of {stated.count} test images "
            "right, as the challenge\nsays: the archive has no test data"
        )


def _json(replay: Replay) -> dict[str, Any]:
    """The replay as JSON values."""
    documents = replay.documents
    return {
        "schema": "zkwm/case-check/v1",
        "outcome": replay.outcome,
        "verdict": None if documents.verdict is None else documents.verdict.to_json(),
        "judge": documents.judge.fingerprint(),
        "judge_given": replay.judge_given,
        "commitment": documents.commitment.digest.hex(),
        "challenge": documents.challenge.digest.hex(),
        "suspect": documents.challenge.suspect.digest.hex(),
        "packed_by": documents.manifest.version,
        "steps": [
            {"step": step.name, "state": step.state, "words": step.words} for step in replay.steps
        ],
        "persons": None
        if replay.dating is None
        else [one.to_json() for one in replay.dating.owner_keys],
        "knowing_persons": None if replay.dating is None else list(replay.dating.people),
    }
