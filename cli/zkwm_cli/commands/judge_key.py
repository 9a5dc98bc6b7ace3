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
    public=option(
        "--public",
        is_flag=True,
        help="FILE exists: write FILE.pub again, which was lost.",
    ),
    passphrase_file=passphrase_option(),
    as_json=json_option(),
)
def command(output: str, public: bool, passphrase_file: str | None, as_json: bool) -> None:
    """Make a judge's keys: FILE, encrypted, and FILE.pub for everybody.

    The fingerprint is printed on stdout. Publish it where owners can compare it, since they open
    their triggers to whoever holds this key. Existing files are never replaced.
    """
    from zkwm.judge.judge import Judge
    from zkwm.judge.key_file import write_judge_public
    from zkwm_cli.hardening import Role
    from zkwm_cli.passphrases import passphrase
    from zkwm_cli.terminal import note

    Output(f"{output}.pub", force=None)
    if public:
        secret = passphrase(passphrase_file, of=output, role=Role.JUDGE)
        key = write_judge_public(output, secret)
        note(f"wrote {output}.pub; the fingerprint of the judge's key is")
    else:
        Output(output, force=None)
        secret = passphrase(passphrase_file, of=output, role=Role.JUDGE, new="the judge's key")
        key = Judge.create(output, secret).public
        note(f"wrote {output} and {output}.pub; the fingerprint of the judge's key is")
    fingerprint = key.fingerprint()
    if not as_json:
        click.echo(fingerprint)
    print_result(as_json, "judge-key", path=output, public=f"{output}.pub", fingerprint=fingerprint)
