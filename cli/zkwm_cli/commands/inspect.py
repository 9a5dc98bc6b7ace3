"""``zkwm inspect``: what any zkwm file, or a suspect's own files, say without a secret."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from zkwm_cli.artifacts import read_artifact, read_parsed
from zkwm_cli.exits import one_line, print_json, print_zkwm_error
from zkwm_cli.layout import columns, fit
from zkwm_cli.option_names import in_options
from zkwm_cli.options import FILE, json_option, option, options
from zkwm_cli.trust_options import read_trust_option, trust_option
from zkwm_cli.trusted_judge import fingerprint_option, trusted_judge

if TYPE_CHECKING:
    from zkwm_cli.inspection import Inspection
    from zkwm_protocols.keys import JudgePublic


@click.command("inspect", short_help="Show what any zkwm file says, and check what can be checked.")
@click.argument("file", type=FILE)
@options(
    judge=option(
        "--judge",
        type=click.Path(),
        metavar="FILE",
        help="Of a verdict: check that it was signed with the key whose public file this is "
        "(judge.key.pub).",
    ),
    judge_fingerprint=fingerprint_option(),
    trust=trust_option(
        "Of a commitment: check its dates, and show whose its keys are, by this trust folder "
        "(docs/registration.md)."
    ),
    as_json=json_option(),
)
def command(
    file: str,
    judge: str | None,
    judge_fingerprint: str | None,
    trust: str | None,
    as_json: bool,
) -> None:
    """Show the kind, digests and fields of a commitment, challenge, proof, verdict, key or vault.

    Of a model (an .onnx file, .safetensors or its folder) it shows the digest by which challenges
    name it, inputs, outputs and operators, and whether an argument in zero knowledge is possible.

    Of a verdict that a judge signed (zkwm verify --verdict) it shows the whole verdict; with
    --judge or --judge-fingerprint only if that judge signed it. Exit code 0 then says who signed,
    not what: read the outcome.

    It reads the files of a log, too: a .tlog-proof, a checkpoint, a statement, a receipt, a
    log-policy; with --trust it says whether log and witnesses of its policy signed.

    Signatures are checked where that needs no secret and no other file. Exit code 3 when the file
    cannot be read, or something in it does not verify.
    """
    from zkwm_cli.inspection import FILE_LIMIT, inspect_file
    from zkwm_cli.log_inspection import LOG_KINDS
    from zkwm_cli.model_inspection import inspect_model, is_model

    trusted = trusted_judge(judge, judge_fingerprint)
    if trusted is not None:
        inspection = _signed(file, trusted)
    elif is_model(file):
        inspection = inspect_model(file)
    else:
        read = partial(inspect_file, trust=read_trust_option(trust))
        inspection = read_parsed(file, FILE_LIMIT, read)
    if as_json:
        print_json(inspection.to_json())
    else:
        size, digest = inspection.size, inspection.sha256.hex()
        what = (
            inspection.kind
            if is_model(file) or inspection.kind in LOG_KINDS
            else f"zkwm {inspection.kind}"
        )
        lines = [f"{what}, {size} bytes, SHA-256 {digest}"]
        rows = inspection.shown or [
            (name.replace("_", " "), line)
            for name, value in inspection.fields.items()
            for line in inspection.lines.get(name) or [_field(name, value)]
        ]
        for name, value in [*rows, *inspection.checks.items()]:
            lines.append(f"  {name:<22}  {one_line(value)}".rstrip())
        lines.append(f"to check: {inspection.advice}")
        click.echo(fit("\n".join(lines), sys.stdout))
        if inspection.verdict is not None:
            from zkwm.report import render_text

            verdict = replace(inspection.verdict, hint=in_options(inspection.verdict.hint))
            click.echo(f"\n{render_text(verdict, width=columns(sys.stdout))}", nl=False)
    if inspection.failure is not None:
        raise click.exceptions.Exit(print_zkwm_error(inspection.failure, as_json=False))


def _signed(file: str, judge: JudgePublic | str) -> Inspection:
    """A verdict that this judge signed. Raises UsageError for another kind of file."""
    from zkwm_cli.inspection import FILE_LIMIT, SIGNED_VERDICTS, inspect_verdict, kind_of
    from zkwm_protocols.errors import UsageError

    data = read_artifact(file, FILE_LIMIT)
    if kind_of(data) not in (*SIGNED_VERDICTS, ""):
        raise UsageError(
            f"a judge's key or fingerprint checks who signed a verdict; {file} is a "
            f"{kind_of(data)[:40]}",
            hint="leave out --judge and --judge-fingerprint",
        )
    return SIGNED_VERDICTS.get(kind_of(data), inspect_verdict)(data, judge)


_SECONDS = ("issued",)
"""Fields that are times in seconds since 1970."""
_PLAIN = re.compile(r"[A-Za-z0-9_./:+@-]+")
"""Words that cannot be taken for two, nor for a name with its value."""


def _field(name: str, value: object) -> str:
    """A field for people: texts as they are, times and lists in words."""
    if name in _SECONDS and isinstance(value, int):
        from zkwm.report.visible import utc

        return utc(value)
    return value if isinstance(value, str) else _words(value)


def _words(value: object) -> str:
    """A value inside of others: a text from a file is quoted where it could pass for several."""
    if isinstance(value, dict):
        if {"earliest", "latest"} <= set(value):
            source = f" ({value['source']})" if value.get("source") else ""
            return f"{value['earliest']} to {value['latest']}{source}"
        named = (f"{name.replace('_', ' ')} {_words(one)}" for name, one in value.items())
        return "; ".join(named) or "none"
    if isinstance(value, list | tuple):
        if any(isinstance(one, dict | list | tuple) for one in value):
            return "; ".join(f"({_words(one)})" for one in value)
        return ", ".join(map(_words, value)) or "none"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
