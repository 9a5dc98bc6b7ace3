"""``zkwm demo``: a whole dispute on bundled data, each command shown and run."""

from __future__ import annotations

import io
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

import click

from zkwm_cli.exits import print_json
from zkwm_cli.layout import fit
from zkwm_cli.main import main
from zkwm_cli.options import json_option, option, options


@click.command("demo", short_help="A whole dispute on bundled data, in under three minutes.")
@options(
    directory=option(
        "--directory",
        type=click.Path(),
        metavar="DIR",
        help="A new or empty folder for all files (default: a temporary one).",
    ),
    as_json=json_option(),
)
def command(directory: str | None, as_json: bool) -> None:
    """Commit, train with and without the mark, challenge, prove, verify: real, but small.

    Every command is shown as you would type it, then run. No network is used.
    """
    from zkwm.extras import require
    from zkwm_cli.terminal import note

    note("a whole dispute, training included: a minute or two")
    from zkwm_cli.demo_story import demo

    require("torch", "safetensors", "onnxscript")
    folder = Path(directory if directory is not None else tempfile.mkdtemp(prefix="zkwm-demo-"))
    result = demo(folder, run=_run, say=lambda text: click.echo(text, err=True))
    if as_json:
        print_json(result.to_json())
        return
    click.echo("", err=True)
    for line in result.summary():
        click.echo(fit(line, sys.stdout))


def _run(arguments: list[str]) -> tuple[int, str]:
    """One command line in this process: its exit code and what it printed on stdout."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        code = main(arguments)
    return code, printed.getvalue()
