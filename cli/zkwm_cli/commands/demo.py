"""``zkwm demo``: a whole dispute on bundled data, each command shown and run."""

from __future__ import annotations

import io
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zkwm_cli.exits import print_json
from zkwm_cli.layout import fit
from zkwm_cli.main import main
from zkwm_cli.options import json_option, option, options

if TYPE_CHECKING:
    from zkwm_cli.demo_dispute import DisputeDemoResult
    from zkwm_cli.demo_story import DemoResult


@click.command("demo", short_help="A whole dispute on bundled data, in under three minutes.")
@options(
    directory=option(
        "--directory",
        type=click.Path(),
        metavar="DIR",
        help="A new or empty folder for all files (default: a temporary one).",
    ),
    dispute=option(
        "--dispute",
        is_flag=True,
        help="Play a dispute instead: owner, thief, judge, authority, log and witness.",
    ),
    as_json=json_option(),
)
def command(directory: str | None, dispute: bool, as_json: bool) -> None:
    """Commit, train with and without the mark, challenge, prove, verify: real, but small.

    Every command is shown as you would type it, then run. No network is used.

    With --dispute a thief marks a copy of the owner's model and registers that later; it ends in
    the dispute's page for a court. Takes the extra registry, too.
    """
    from zkwm.extras import require
    from zkwm_cli.terminal import note

    what = "a dispute between owner and thief" if dispute else "a whole dispute"
    note(f"{what}, training included: a minute or two")
    require("torch", "safetensors", "onnxscript")
    if dispute:
        require("fastapi", "uvicorn", "sqlalchemy")
    folder = Path(directory if directory is not None else tempfile.mkdtemp(prefix="zkwm-demo-"))
    result = _play(folder, dispute=dispute)
    if as_json:
        print_json(result.to_json())
        return
    click.echo("", err=True)
    for line in result.summary():
        click.echo(fit(line, sys.stdout))


def _play(folder: Path, *, dispute: bool) -> DemoResult | DisputeDemoResult:
    """The tour that was asked for."""

    def say(text: str) -> None:
        click.echo(text, err=True)

    if dispute:
        from zkwm_cli.demo_dispute import dispute_demo

        return dispute_demo(folder, run=_run, say=say)
    from zkwm_cli.demo_story import demo

    return demo(folder, run=_run, say=say)


def _run(arguments: list[str]) -> tuple[int, str]:
    """One command line in this process: its exit code and what it printed on stdout."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        code = main(arguments)
    return code, printed.getvalue()
