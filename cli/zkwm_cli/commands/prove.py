"""``zkwm prove``: the owner answers a challenge, once he has seen what that releases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from zkwm_cli.artefacts import Output, read_parsed, require_one_stdin, tell_result
from zkwm_cli.options import (
    FILE,
    commitment_option,
    force_option,
    json_option,
    output_option,
    passphrase_option,
    vault_option,
)

if TYPE_CHECKING:
    from zkwm.answering import Disclosure

TRUSTED_LIMIT = 2**20


@click.command("prove", short_help="Owner: answer a challenge by opening triggers to its judge.")
@vault_option
@commitment_option
@click.option(
    "--challenge", required=True, type=FILE, metavar="FILE", help="The challenge; - is stdin."
)
@output_option("FILE", "The proof, which only this judge can read")
@click.option(
    "--judge-fingerprint",
    metavar="FP",
    help="The judge's fingerprint as you know it from elsewhere; another judge gets nothing.",
)
@click.option(
    "--trusted-judges",
    type=click.Path(),
    metavar="FILE",
    help="Fingerprints of judges that you trust, one a line.",
)
@click.option("--yes", is_flag=True, help="Accept the judge that the challenge names, unasked.")
@force_option
@passphrase_option
@json_option
def command(
    vault: str,
    commitment: str,
    challenge: str,
    output: str,
    judge_fingerprint: str | None,
    trusted_judges: str | None,
    yes: bool,
    force: bool,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Open whole blocks of triggers to the judge who asks, and record that in the vault.

    What is opened is spent: whoever sees it can train on it, so it serves in no case about a model
    that is published later. First look at the suspect, the purpose and the judge, and compare his
    fingerprint with what he told you through another channel. A judge whom this vault knows needs
    no second confirmation. The same challenge again gives the same bytes and opens nothing more.
    """
    require_one_stdin(commitment=commitment, challenge=challenge, passphrase_file=passphrase_file)
    if sum((judge_fingerprint is not None, trusted_judges is not None, yes)) > 1:
        raise click.UsageError("say one of --judge-fingerprint, --trusted-judges and --yes")
    inputs = (vault, commitment, challenge, trusted_judges)
    target = Output(output, force=force, as_json=as_json, inputs=inputs)

    from zkwm.owner import disclosure, prove
    from zkwm.vault import Vault
    from zkwm_cli.passphrases import passphrase
    from zkwm_cli.terminal import note
    from zkwm_protocols import challenge as challenges
    from zkwm_protocols import commitment as commitments

    committed = read_parsed(commitment, commitments.FILE_LIMIT, commitments.Commitment.from_bytes)
    asked = read_parsed(challenge, challenges.FILE_LIMIT, challenges.Challenge.from_bytes)
    trusted = None if trusted_judges is None else _read_trusted(trusted_judges)
    own = Vault.open(vault, passphrase(passphrase_file, of=vault))
    shown = disclosure(own, committed, asked)
    _show(shown, committed.header.block_size)
    fingerprint = _confirmed(shown, judge_fingerprint, trusted, yes=yes)
    proof = prove(own, committed, asked, judge_fingerprint=fingerprint)
    target.write(proof.to_bytes())
    note(
        "answered before: the same response again, and nothing more was opened"
        if shown.repeated
        else f"opened to this judge, recorded in {vault}: {_blocks(proof.blocks)}"
    )
    tell_result(
        as_json,
        "prove",
        path=output,
        digest=proof.digest.hex(),
        challenge=asked.digest.hex(),
        commitment=committed.digest.hex(),
        judge=shown.judge_fingerprint,
        blocks=list(proof.blocks),
        blocks_spent=sorted({*shown.blocks_spent, *proof.blocks}),
        block_count=shown.block_count,
        repeated=shown.repeated,
    )


def _show(shown: Disclosure, block_size: int) -> None:
    """What is about to be released, to whom, for what, and what was released before."""
    from zkwm_cli.terminal import note, table, warn

    note("A judge asks you to open triggers:")
    issued = datetime.fromtimestamp(shown.issued, UTC).strftime("%Y-%m-%d %H:%M UTC")
    known = "known to this vault" if shown.judge_known else "NOT known to this vault"
    opening = f"{len(shown.blocks_to_open) * block_size} triggers, "
    rows = [
        ("suspect", f"{shown.suspect.description} ({shown.suspect.kind})"),
        ("its digest", shown.suspect.digest.hex()),
        ("purpose", shown.purpose or "none given"),
        ("judge", f"{shown.judge_fingerprint} ({known})"),
        ("issued", f"{issued}, by his clock"),
        ("to be opened", f"{opening}{_blocks(shown.blocks_to_open)} of {shown.block_count}"),
        ("opened so far", _blocks(shown.blocks_spent) if shown.blocks_spent else "none"),
    ]
    for entry in shown.released:
        day = datetime.fromtimestamp(entry.recorded, UTC).strftime("%Y-%m-%d")
        purpose = f", {entry.purpose}" if entry.purpose else ""
        rows.append(
            (
                f"  {day}",
                f"{_blocks(entry.blocks)} to {entry.judge_fingerprint} "
                f"for {entry.suspect_description}{purpose}",
            )
        )
    table(rows)
    if shown.declared_labels:
        warn("the labels are declared: the verdict states no bits, and needs a judge who allows it")


def _confirmed(
    shown: Disclosure, given: str | None, trusted: frozenset[str] | None, *, yes: bool
) -> str | None:
    """The fingerprint that the owner confirms, or None for a judge whom the vault knows.

    Raises Cancelled when a person says no, UsageError where nobody can be asked.
    """
    from zkwm_cli.terminal import ask_yes
    from zkwm_protocols.errors import Cancelled, UsageError

    actual = shown.judge_fingerprint
    if given is not None:
        return given
    if shown.repeated or shown.judge_known:
        return None
    if yes or (trusted is not None and actual in trusted):
        return actual
    if trusted is not None:
        raise UsageError(
            f"the judge {actual} is not among the trusted judges",
            hint="compare the fingerprint with what the judge told you, then add it to the file",
        )
    answer = ask_yes("Is this the fingerprint of a judge you trust, and do you open them to him?")
    if answer is None:
        raise UsageError(
            "the judge has to be confirmed, and there is no terminal to ask at",
            hint=f"compare the fingerprint with what the judge told you, then say "
            f"--judge-fingerprint {actual}",
        )
    if not answer:
        raise Cancelled("declined; nothing was opened")
    return actual


def _read_trusted(name: str) -> frozenset[str]:
    """The fingerprints in a file, one a line; empty lines and those with # do not count."""
    from zkwm.files import read_limited

    text = read_limited(name, TRUSTED_LIMIT).decode("utf-8", "replace")
    lines = (line.partition("#")[0].strip().lower() for line in text.splitlines())
    return frozenset(line for line in lines if line)


def _blocks(blocks: tuple[int, ...]) -> str:
    numbers = ", ".join(str(block) for block in blocks)
    return f"block{'' if len(blocks) == 1 else 's'} {numbers}"
