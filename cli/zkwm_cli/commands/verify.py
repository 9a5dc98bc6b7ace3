"""``zkwm verify``: the judge checks a proof of either way, asks the suspect, and decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zkwm_cli.artifacts import STANDARD, Output, read_artefact, require_one_stdin
from zkwm_cli.exits import print_json
from zkwm_cli.options import (
    FILE,
    commitment_option,
    declared_labels_option,
    force_option,
    json_option,
    passphrase_option,
)
from zkwm_cli.suspect_options import asking, extracting, extraction_options, suspect_options

if TYPE_CHECKING:
    from zkwm.judge.verdict import Verdict


@click.command("verify", short_help="Judge: check a proof, ask the suspect, decide.")
@commitment_option
@suspect_options
@extraction_options
@click.option(
    "--challenge", required=True, type=FILE, metavar="FILE", help="Your challenge; - is stdin."
)
@click.option(
    "--proof", required=True, type=FILE, metavar="FILE", help="The owner's answer; - is stdin."
)
@click.option("--judge", required=True, type=click.Path(), metavar="FILE", help="Your judge's key.")
@click.option(
    "--report", type=click.Path(), metavar="FILE", help="Also write the verdict as one HTML page."
)
@declared_labels_option
@click.option(
    "--decoys",
    type=click.Path(),
    metavar="PATH",
    help="Images to hide the triggers among when an endpoint is asked (else those of the proof).",
)
@click.option(
    "--images",
    type=click.Path(),
    metavar="PATH",
    help="Images on which suspect and integer network are compared, for a zero-knowledge argument "
    "(default: public ones).",
)
@force_option
@passphrase_option
@json_option
def command(
    commitment: str,
    model: str,
    timeout: float | None,
    rate: float | None,
    header_file: str | None,
    watermark: str | None,
    parameter: tuple[str, ...],
    reference: str | None,
    probes: str | None,
    challenge: str,
    proof: str,
    judge: str,
    report: str | None,
    accept_declared_labels: bool,
    decoys: str | None,
    images: str | None,
    force: bool,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Check the owner's answer to your challenge, ask the suspect, and weigh the evidence.

    The proof itself says which way it is: opened triggers, which the suspect is asked, or a
    zero-knowledge argument about the suspect's file, which shows that at least so many match.

    The verdict goes to stdout. Exit code 0 means proven; 1 checked and not proven; 3 could not be
    checked, which says nothing about the claim; 4 something that trust rests on is missing.
    """
    require_one_stdin(
        commitment=commitment, challenge=challenge, proof=proof, passphrase_file=passphrase_file
    )
    page = None
    if report is not None:
        if report == STANDARD:
            raise click.UsageError("standard output carries the verdict; give --report a file")
        inputs = (commitment, model, challenge, proof, judge, judge.removesuffix(".pub"))
        page = Output(report, force=force, inputs=inputs)

    from zkwm.data.images import load_images
    from zkwm_cli.judge_keys import open_judge
    from zkwm_cli.terminal import ProgressLine
    from zkwm_protocols import challenge as challenges
    from zkwm_protocols import commitment as commitments
    from zkwm_protocols import response_file as responses
    from zkwm_protocols.errors import ZkwmError

    files = (
        read_artefact(commitment, commitments.FILE_LIMIT),
        read_artefact(challenge, challenges.FILE_LIMIT),
        read_artefact(proof, responses.FILE_LIMIT),
    )
    hidden_among = None if decoys is None else load_images(decoys)
    compared_on = None if images is None else load_images(images)
    options = {
        **asking(timeout, rate, header_file),
        **extracting(watermark, parameter, reference, probes),
    }
    key = open_judge(judge, passphrase_file)
    line = ProgressLine()
    try:
        verdict = key.verify(
            files[0],
            model,
            files[1],
            files[2],
            decoys=hidden_among,
            images=compared_on,
            accept_declared_labels=accept_declared_labels,
            progress=lambda done, count: line.update(f"asking the suspect: {done} of {count}"),
            **options,
        )
    except ZkwmError as error:
        line.end()
        if error.verdict is not None:
            _tell(error.verdict, page, as_json=as_json)
        raise
    line.end()
    _tell(verdict, page, as_json=as_json)


def _tell(verdict: Verdict, page: Output | None, *, as_json: bool) -> None:
    """The verdict on stdout, and the report, whatever the outcome.

    Where the report cannot be written, that error carries the verdict, which has been shown.
    """
    from zkwm.report import render_report, render_text
    from zkwm_protocols.errors import ZkwmError

    if as_json:
        print_json(verdict.to_json())
    else:
        click.echo(render_text(verdict), nl=False)
    if page is not None:
        try:
            page.write(render_report(verdict).encode("utf-8"))
        except ZkwmError as error:
            error.verdict = verdict
            raise
