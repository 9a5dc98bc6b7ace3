"""``zkwm keygen``: a new vault with the owner's keys."""

from __future__ import annotations

from pathlib import Path

import click

from zkwm_cli.artifacts import Output, print_result
from zkwm_cli.options import json_option, option, options, passphrase_option
from zkwm_cli.secret_options import read_token_option, token_option


@click.command("keygen", short_help="Make a vault: the owner's keys and secrets in one file.")
@options(
    output=option(
        "-o", "--output", required=True, type=click.Path(), metavar="FILE", help="The new vault."
    ),
    algorithm=option(
        "--algorithm",
        type=click.Choice(["ed25519", "ecdsa-p256"]),
        default="ed25519",
        show_default=True,
        help="How the owner signs.",
    ),
    token=token_option(),
    revocation=option(
        "--revocation",
        type=click.Path(),
        metavar="FILE",
        help="Write a revocation of the key, too, for when the vault is lost or stolen.",
    ),
    passphrase_file=passphrase_option(),
    as_json=json_option(),
)
def command(
    output: str,
    algorithm: str,
    token: str | None,
    revocation: str | None,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Make a vault: one encrypted file with the owner's keys and, later, all their secrets.

    The fingerprint of the owner's key is printed on stdout. Whoever loses the vault, or its
    passphrase, can prove nothing any more: keep copies of both, apart from each other. An existing
    file is never replaced.

    Keep what --revocation writes apart from the vault, and secret: whoever logs it (zkwm key log)
    ends the key, and nobody can undo it.
    """
    from zkwm.owner.vault import Vault
    from zkwm_cli.hardening import Role
    from zkwm_cli.passphrases import passphrase
    from zkwm_cli.terminal import note

    Output(output, force=None)
    kept = None if revocation is None else Output(revocation, force=None, inputs=(output,))
    secret = passphrase(passphrase_file, of=output, role=Role.OWNER, new="the new vault")
    signing = read_token_option(token)
    vault = Vault.create(output, secret, algorithm=algorithm, signing=signing)
    key = vault.state.signing_key
    fingerprint = key.public.fingerprint()
    if kept is not None:
        import time

        from zkwm.owner.key_statements import revoke_key
        from zkwm.secret_files.storage import write_private
        from zkwm_protocols.cose.key_contents import RevocationReason

        stated = revoke_key(key, RevocationReason.LOST, int(time.time()))
        write_private(Path(kept.name), stated.to_bytes(), overwrite=False)
        note(f"wrote {revocation}: keep it apart from the vault; logged, it ends the key")
    note(f"wrote {output}; the fingerprint of the owner's key is")
    if not as_json:
        click.echo(fingerprint)
    print_result(
        as_json, "keygen", path=output, algorithm=key.algorithm, fingerprint=fingerprint,
        revocation=revocation,
    )  # fmt: skip
