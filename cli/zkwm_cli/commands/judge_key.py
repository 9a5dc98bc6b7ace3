"""``zkwm judge-key``: a judge's keys."""

from __future__ import annotations

import click

from zkwm_cli.artifacts import Output, print_result
from zkwm_cli.options import json_option, option, options, passphrase_option


@click.command("judge-key", short_help="Make a judge's keys.")
@options(
    output=option(
        "-o",
        "--output",
        required=True,
        type=click.Path(),
        metavar="FILE",
        help="The new secret key; FILE.pub gets the public one.",
    ),
    passphrase_file=passphrase_option(),
    as_json=json_option(),
)
def command(output: str, passphrase_file: str | None, as_json: bool) -> None:
    """Make a judge's keys: FILE, encrypted, and FILE.pub for everybody.

    The fingerprint is printed on stdout. Publish it where owners can compare it, since they open
    their triggers to whoever holds this key. Existing files are never replaced.
    """
    from zkwm.judge.judge import Judge
    from zkwm_cli.passphrases import passphrase
    from zkwm_cli.terminal import note

    Output(output, force=None)
    Output(f"{output}.pub", force=None)
    judge = Judge.create(output, passphrase(passphrase_file, of="the judge's key", new=True))
    fingerprint = judge.public.fingerprint()
    note(f"wrote {output} and {output}.pub; the fingerprint of the judge's key is")
    if not as_json:
        click.echo(fingerprint)
    print_result(as_json, "judge-key", path=output, public=f"{output}.pub", fingerprint=fingerprint)
