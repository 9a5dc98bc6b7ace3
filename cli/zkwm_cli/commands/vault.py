"""``zkwm vault``: see what a vault holds, change its passphrase, export triggers, know judges."""

from __future__ import annotations

import os
import re
import sys

import click

from zkwm_cli.artifacts import print_result, read_parsed, require_one_stdin
from zkwm_cli.layout import fit
from zkwm_cli.options import (
    commitment_option,
    json_option,
    new_passphrase_option,
    option,
    options,
)
from zkwm_cli.secret_options import PUBLIC_LIMIT, VaultOptions
from zkwm_cli.trust_options import label_trust_option, read_commitment

_FINGERPRINT = re.compile(r"[A-Za-z2-7]{4}(-[A-Za-z2-7]{4}){7}")


@click.group("vault", short_help="Owner: see what the vault holds, change its passphrase, export.")
def command() -> None:
    """See and change what is in a vault."""


@command.command("show", short_help="Commitments, blocks left and spent, bits told, judges known.")
@options(owner=VaultOptions, as_json=json_option())
def show(owner: VaultOptions, as_json: bool) -> None:
    """Show the commitments of a vault, what was released of each, to whom and when, and the judges
    that it knows. No secret is shown, and nothing is written.
    """
    from zkwm.owner.overview import overview
    from zkwm_cli.terminal import warn
    from zkwm_cli.vault_text import vault_text

    found = overview(owner.open())
    if found.notice:
        warn(found.notice)
    if not as_json:
        click.echo(fit(vault_text(found), sys.stdout), nl=False)
    print_result(as_json, "vault-show", **found.to_json())


@command.command("passphrase", short_help="Change the passphrase.")
@options(owner=VaultOptions, new=new_passphrase_option(), as_json=json_option())
def passphrase(owner: VaultOptions, new: str | None, as_json: bool) -> None:
    """Encrypt the vault under another passphrase. Variables and keyring give the old one; the new
    one is asked for, or read from a file.

    Everything else stays, this machine's mark of the ledger too. Copies that were made before still
    open with the old passphrase: make new copies, and destroy the old ones.
    """
    require_one_stdin(passphrase_file=owner.passphrase_file, new_passphrase_file=new)
    from zkwm.owner.vault import Vault
    from zkwm_cli.hardening import Role
    from zkwm_cli.passphrases import changed_passphrase
    from zkwm_cli.terminal import note, warn

    old = owner.passphrase()
    vault = Vault.open(owner.vault, old)
    vault.look()
    if vault.notice:
        warn(vault.notice)
    vault.change_passphrase(old, changed_passphrase(new, of=owner.vault, role=Role.OWNER))
    note(f"the passphrase of {owner.vault} is changed; copies of it still open with the old one")
    print_result(as_json, "vault-passphrase", path=owner.vault)


@command.command("export-triggers", short_help="Write triggers and labels outside of the vault.")
@options(
    owner=VaultOptions,
    commitment=commitment_option(),
    output=option(
        "-o",
        "--output",
        required=True,
        type=click.Path(),
        metavar="PATH",
        help="A new .npz file (images, labels), else a new folder of PNG files.",
    ),
    trust=label_trust_option(),
    yes=option("--yes", is_flag=True, help="Do not ask: you know that whoever reads them, knows."),
    as_json=json_option(),
)
def export(
    owner: VaultOptions, commitment: str, output: str, trust: str | None, yes: bool, as_json: bool
) -> None:
    """Write the triggers of a commitment and their labels in plain, for an own training loop or to
    see them. Only you may read the file (mode 0600), until you copy it.

    Whoever reads it can train the mark away, and nobody can tell which blocks they know.
    """
    require_one_stdin(commitment=commitment, passphrase_file=owner.passphrase_file)
    if os.path.lexists(output):
        from zkwm_protocols.errors import UsageError

        raise UsageError(f"{output} exists", hint="choose another name")
    from zkwm.owner.commit import trigger_set
    from zkwm.owner.export_triggers import export_triggers
    from zkwm_cli.further_consent import require_yes
    from zkwm_cli.terminal import note, warn

    committed = read_commitment(commitment, trust)
    triggers = trigger_set(owner.open(), committed)
    if not yes:
        warn("whoever reads the exported triggers can train the mark away")
        require_yes(
            f"Write {len(triggers.images)} triggers of {committed.digest.hex()[:16]} in plain?",
            reason="triggers leave the vault only where that is confirmed",
            hint="say --yes if you mean it",
        )
    export_triggers(triggers, output)
    note(f"wrote {len(triggers.images)} triggers to {output}; keep it from everybody")
    print_result(
        as_json,
        "vault-export-triggers",
        path=output,
        commitment=committed.digest.hex(),
        triggers=len(triggers.images),
    )


@command.command("trust", short_help="Know a judge, so that their challenges need no confirmation.")
@click.argument("judge", metavar="FINGERPRINT|FILE")
@options(
    owner=VaultOptions,
    yes=option("--yes", is_flag=True, help="Trust the key in the file, unasked."),
    as_json=json_option(),
)
def trust(judge: str, owner: VaultOptions, yes: bool, as_json: bool) -> None:
    """Confirm a judge once: by the fingerprint that they told you through another channel, or by
    their judge.key.pub, whose fingerprint you then compare.

    A known judge's challenges are answered without asking who they are, so read each of them.
    """
    from zkwm_cli.further_consent import require_yes
    from zkwm_cli.terminal import note

    fingerprint, from_file = _fingerprint(judge)
    vault = owner.open()
    if from_file and not yes:
        note(f"the fingerprint of {judge} is {fingerprint}")
        require_yes(
            "Is it what the judge told you through another channel?",
            reason="a key in a file is trusted only where its fingerprint was compared",
            hint=f"ask the judge, then give what they told you: zkwm vault trust FINGERPRINT "
            f"--vault {owner.vault}",
        )
    vault.trust(fingerprint)
    note(f"{owner.vault} knows the judge {fingerprint}")
    print_result(as_json, "vault-trust", judge=fingerprint, trusted=True)


@command.command("untrust", short_help="Take a judge's confirmation back.")
@click.argument("judge", metavar="FINGERPRINT|FILE")
@options(owner=VaultOptions, as_json=json_option())
def untrust(judge: str, owner: VaultOptions, as_json: bool) -> None:
    """Forget a judge: their next challenge has to be confirmed again. What was opened to them stays
    opened.
    """
    from zkwm_cli.terminal import note

    fingerprint, _ = _fingerprint(judge)
    owner.open().untrust(fingerprint)
    note(f"{owner.vault} no longer knows the judge {fingerprint}")
    print_result(as_json, "vault-untrust", judge=fingerprint, trusted=False)


def _fingerprint(judge: str) -> tuple[str, bool]:
    """The fingerprint that was typed, or that of the public key in a file, and which it was."""
    from zkwm_protocols.keys import JudgePublic

    if _FINGERPRINT.fullmatch(judge.strip()):
        return judge.strip().lower(), False
    if not os.path.lexists(judge):
        from zkwm_protocols.errors import UsageError

        raise UsageError(
            f"{judge[:200]!r} is neither a fingerprint nor a file",
            hint="a fingerprint has 8 groups of 4 letters and digits, joined by dashes",
        )
    return read_parsed(judge, PUBLIC_LIMIT, JudgePublic.from_bytes).fingerprint(), True
