"""``zkwm inspect``: what any zkwm file says, without a secret."""

from __future__ import annotations

import json

import click

from zkwm_cli.artifacts import read_parsed
from zkwm_cli.exits import one_line, print_json, tell_zkwm_error
from zkwm_cli.options import FILE, json_option


@click.command("inspect", short_help="Show what any zkwm file says, and what of it holds.")
@click.argument("file", type=FILE)
@json_option
def command(file: str, as_json: bool) -> None:
    """Show the kind, digests and fields of a commitment, challenge, proof, key or vault.

    Signatures are checked where that needs no secret and no other file. Exit code 3 when the file
    cannot be read, or something in it does not verify.
    """
    from zkwm_cli.inspection import FILE_LIMIT, inspect_file

    found = read_parsed(file, FILE_LIMIT, inspect_file)
    if as_json:
        print_json(found.to_json())
    else:
        click.echo(f"zkwm {found.kind}, {found.size} bytes, SHA-256 {found.sha256.hex()}")
        rows = {
            **{name.replace("_", " "): _text(value) for name, value in found.fields.items()},
            **found.checks,
        }
        for name, value in rows.items():
            click.echo(f"  {name:<22} {one_line(value)}")
        click.echo(f"to check: {found.advice}")
    if found.failure is not None:
        raise click.exceptions.Exit(tell_zkwm_error(found.failure, as_json=False))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
