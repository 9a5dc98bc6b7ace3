"""``zkwm judge-key``: a judge's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zkwm_cli.artifacts import Output, print_result, require_one_stdin
from zkwm_cli.options import (
    json_option,
    new_passphrase_option,
    option,
    options,
    passphrase_option,
)
from zkwm_cli.secret_options import read_token_option, token_option

if TYPE_CHECKING:
    from zkwm_protocols.keys import JudgePublic


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
    token=token_option(),
    public=option(
        "--public",
        is_flag=True,
        help="FILE exists: write FILE.pub again, which was lost.",
    ),
    change_passphrase=option(
        "--change-passphrase",
        is_flag=True,
        help="FILE exists: encrypt it under another passphrase.",
    ),
    passphrase_file=passphrase_option(),
    new_passphrase_file=new_passphrase_option(),
    as_json=json_option(),
)
def command(
    output: str,
    token: str | None,
    public: bool,
    change_passphrase: bool,
    passphrase_file: str | None,
    new_passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Make a judge's keys: FILE, encrypted, and FILE.pub for everybody.

    The fingerprint is printed on stdout. Publish it where owners can compare it, since they open
    their triggers to whoever holds this key. Existing files are never replaced.

    With --change-passphrase the keys stay. Variables and keyring give the old passphrase; the new
    one is asked for, or read from a file. Copies that were made before open with the old one.
    """
    from zkwm_cli.hardening import Role
    from zkwm_cli.passphrases import passphrase
    from zkwm_cli.terminal import note

    if public and change_passphrase:
        raise click.UsageError("use one of --public and --change-passphrase")
    if token is not None and (public or change_passphrase):
        raise click.UsageError("--token is for a new key")
    if new_passphrase_file is not None and not change_passphrase:
        raise click.UsageError("--new-passphrase-file goes with --change-passphrase")
    require_one_stdin(passphrase_file=passphrase_file, new_passphrase_file=new_passphrase_file)
    new = "" if public or change_passphrase else "the judge's key"
    if not change_passphrase:
        Output(f"{output}.pub", force=None)
    if new:
        Output(output, force=None)
    secret = passphrase(passphrase_file, of=output, role=Role.JUDGE, new=new)
    if change_passphrase:
        key = _changed(output, secret, new_passphrase_file)
        note(f"the passphrase of {output} is changed; copies of it still open with the old one")
    elif public:
        from zkwm.judge.key_file import write_judge_public

        key = write_judge_public(output, secret)
        note(f"wrote {output}.pub; the fingerprint of the judge's key is")
    else:
        from zkwm.judge.key_file import create_judge_key
        from zkwm.judge.ledger import JudgeLedger

        key = create_judge_key(output, secret, signing=read_token_option(token)).public
        JudgeLedger.beside(output)
        note(f"wrote {output} and {output}.pub; the fingerprint of the judge's key is")
    fingerprint = key.fingerprint()
    if not as_json:
        click.echo(fingerprint)
    print_result(as_json, "judge-key", path=output, public=f"{output}.pub", fingerprint=fingerprint)


def _changed(path: str, passphrase: str, new_file: str | None) -> JudgePublic:
    """The public keys of a judge's key whose passphrase has been changed."""
    from zkwm.judge.key_file import change_judge_passphrase, open_judge_key
    from zkwm_cli.hardening import Role
    from zkwm_cli.passphrases import changed_passphrase

    key = open_judge_key(path, passphrase).public
    change_judge_passphrase(
        path, passphrase, changed_passphrase(new_file, of=path, role=Role.JUDGE)
    )
    return key
