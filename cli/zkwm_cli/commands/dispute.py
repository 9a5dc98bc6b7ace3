"""``zkwm dispute``: two or more claims on one model, decided together."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from zkwm_cli.artifacts import STANDARD, Output
from zkwm_cli.exits import decided, print_json, print_zkwm_error
from zkwm_cli.layout import columns
from zkwm_cli.options import force_option, json_option, option, options, passphrase_option
from zkwm_cli.trust_options import read_trust_option, trust_option

if TYPE_CHECKING:
    from zkwm.disputes.verdict import DisputeVerdict
    from zkwm.judge.judge import Judge

_OUTPUTS = ("report", "verdict", "evidence")


@click.command("dispute", short_help="Judge: decide between two or more claims on one model.")
@click.argument("case", type=click.Path(), metavar="CASE.yaml")
@options(
    report=option(
        "--report",
        type=click.Path(),
        metavar="FILE",
        help="Also write the verdict as one HTML page for a court, made to be printed.",
    ),
    verdict=option(
        "--verdict",
        type=click.Path(),
        metavar="FILE",
        help="Also write the verdict as a file that you sign; takes --judge.",
    ),
    judge=option(
        "--judge",
        type=click.Path(),
        metavar="FILE",
        help="Your judge's key (judge.key): it signs, and opens what was opened to you.",
    ),
    passphrase_file=passphrase_option(),
    trust=trust_option(
        "Whom you trust to date commitments, and which logs: a folder (docs/registration.md); "
        "else the one that the case names."
    ),
    evidence=option(
        "--evidence",
        type=click.Path(),
        metavar="FILE",
        help="Where a log signed two trees of one size, write both checkpoints to this file.",
    ),
    force=force_option(),
    as_json=json_option(),
)
def command(
    case: str,
    report: str | None,
    verdict: str | None,
    judge: str | None,
    passphrase_file: str | None,
    trust: str | None,
    evidence: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Decide a dispute: which party's mark stands in whose model, and what was first.

    CASE.yaml names parties, models, claims and what logs say; its files lie beside it
    (docs/disputes.md). Every verdict is repeated as far as it can be; the rest is the word of
    judges whom the case names. A mark in one's own product proves nothing, and a commitment that is
    not older than the model supports nothing.

    The verdict goes to stdout. Exit code 0: one party is supported. 10: all was checked, and nobody
    is, or it is undecided. 3: could not be checked. 4: something that trust rests on is missing.
    """
    given = {"report": report, "verdict": verdict, "evidence": evidence}
    outputs = _outputs(given, case, judge, force=force)
    if verdict is not None and judge is None:
        raise click.UsageError("--verdict takes --judge: a verdict's file is signed")
    from zkwm.disputes.settle import settle_dispute
    from zkwm_cli.terminal import note

    signer = None if judge is None else _open(judge, passphrase_file)
    settled = settle_dispute(case, trust=read_trust_option(trust), judge=signer, say=note)
    _print(settled, as_json=as_json)
    _write(settled, signer, outputs)
    _end(settled)


def _outputs(
    given: dict[str, str | None], case: str, judge: str | None, *, force: bool
) -> dict[str, Output]:
    """The checked outputs by name. Raises UsageError."""
    inputs = (case, judge, None if judge is None else f"{judge}.pub")
    found = {}
    for name, path in given.items():
        if path == STANDARD:
            raise click.UsageError(f"standard output carries the verdict; give --{name} a file")
        if path is not None:
            found[name] = Output(path, force=force, inputs=inputs)
    if len({output.name for output in found.values()}) < len(found):
        raise click.UsageError(f"give {' and '.join(f'--{name}' for name in found)} a file each")
    return found


def _open(judge: str, passphrase_file: str | None) -> Judge:
    """The judge with their secret keys."""
    from zkwm_cli.secret_options import JudgeOptions

    return JudgeOptions(judge, passphrase_file).open()


def _print(settled: DisputeVerdict, *, as_json: bool) -> None:
    """The verdict on stdout, whatever the outcome."""
    from zkwm.disputes.text import render_dispute_text

    if as_json:
        print_json(settled.to_json())
    else:
        click.echo(render_dispute_text(settled, width=columns(sys.stdout)), nl=False)


def _write(settled: DisputeVerdict, judge: Judge | None, outputs: dict[str, Output]) -> None:
    """Write page, evidence and signed file; what cannot be written is a warning.

    The signed file has the page's digest.
    """
    from zkwm.disputes.page import render_dispute_page
    from zkwm_cli.terminal import warn

    listed = settled
    for name in _OUTPUTS:
        output = outputs.get(name)
        if output is None:
            continue
        try:
            if name == "report":
                data = render_dispute_page(settled).encode("utf-8")
                output.write(data)
                listed = listed.with_report(output.name, data)
            elif name == "verdict" and judge is not None:
                key = judge.secret_key
                output.write(listed.signed_by(key.signing, key.public))
            elif name == "evidence":
                _write_evidence(settled, output)
        except Exception as error:  # whatever is missing for it, the verdict has been given
            reason = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
            warn(f"the {name} was not written ({reason}); the verdict above stands")


def _write_evidence(settled: DisputeVerdict, output: Output) -> None:
    """The first evidence against a log, as a file that anybody verifies."""
    from zkwm_cli.terminal import note, warn

    if not settled.equivocations:
        note(f"no log signed two trees: {output.name} was not written")
        return
    first, *others = settled.equivocations
    output.write(first.to_bytes())
    if others:
        warn(f"{len(others)} more stand in the signed verdict alone (--verdict)")


def _end(settled: DisputeVerdict) -> None:
    """End with the exit code of the outcome."""
    from zkwm.disputes.results import DisputeOutcome
    from zkwm_protocols.errors import CouldNotCheck, TrustMaterialMissing, ZkwmError

    if settled.outcome in (DisputeOutcome.NOT_SUPPORTED, DisputeOutcome.UNDECIDED):
        decided(proven=False)
    if settled.outcome == DisputeOutcome.SUPPORTED:
        decided(proven=True)
    error: ZkwmError = CouldNotCheck(
        settled.reason, hint="the list of what was not checked says why"
    )
    if settled.outcome == DisputeOutcome.TRUST_MATERIAL_MISSING:
        error = TrustMaterialMissing(
            settled.reason,
            hint="ask the owner for a file of the commitment with more timestamps, or give a trust "
            "folder (`trust`) and the models' dates",
        )
    sys.stdout.flush()
    raise click.exceptions.Exit(print_zkwm_error(error, as_json=False))
