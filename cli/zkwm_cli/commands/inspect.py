"""``zkwm inspect``: what any zkwm file, or a suspect's own files, say without a secret."""

from __future__ import annotations

import json
import sys

import click

from zkwm_cli.artifacts import read_parsed
from zkwm_cli.exits import one_line, print_json, print_zkwm_error
from zkwm_cli.layout import fit
from zkwm_cli.options import FILE, json_option, options


@click.command("inspect", short_help="Show what any zkwm file says, and check what can be checked.")
@click.argument("file", type=FILE)
@options(as_json=json_option())
def command(file: str, as_json: bool) -> None:
    """Show the kind, digests and fields of a commitment, challenge, proof, key or vault.

    Of a model (an .onnx file, .safetensors or its folder) it shows the digest by which challenges
    name it, inputs, outputs and operators, and whether an argument in zero knowledge is possible.

    Signatures are checked where that needs no secret and no other file. Exit code 3 when the file
    cannot be read, or something in it does not verify.
    """
    from zkwm_cli.inspection import FILE_LIMIT, inspect_file
    from zkwm_cli.model_inspection import inspect_model, is_model

    if is_model(file):
        inspection = inspect_model(file)
    else:
        inspection = read_parsed(file, FILE_LIMIT, inspect_file)
    if as_json:
        print_json(inspection.to_json())
    else:
        size, digest = inspection.size, inspection.sha256.hex()
        what = inspection.kind if is_model(file) else f"zkwm {inspection.kind}"
        lines = [f"{what}, {size} bytes, SHA-256 {digest}"]
        rows = inspection.shown or [
            (name.replace("_", " "), _text(value)) for name, value in inspection.fields.items()
        ]
        for name, value in [*rows, *inspection.checks.items()]:
            lines.append(f"  {name:<22}  {one_line(value)}".rstrip())
        lines.append(f"to check: {inspection.advice}")
        click.echo(fit("\n".join(lines), sys.stdout))
    if inspection.failure is not None:
        raise click.exceptions.Exit(print_zkwm_error(inspection.failure, as_json=False))


def _text(value: object) -> str:
    """A field for people: texts as they are, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
