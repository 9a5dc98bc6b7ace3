"""``zkwm sidecar``: a claim on a model's files that other tools carry beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zkwm_cli.artifacts import (
    OutputOptions,
    print_result,
    read_artifact,
    read_parsed,
    require_one_stdin,
)
from zkwm_cli.options import FILE, commitment_option, json_option, option, options
from zkwm_cli.secret_options import VaultOptions

if TYPE_CHECKING:
    from zkwm.sidecar import ClaimedFile


def _files_option(explanation: str) -> object:
    """--file"""
    return option(
        "--file",
        multiple=True,
        required=True,
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help=explanation,
    )


@click.group("sidecar", short_help="Put a claim beside a model's signatures (in-toto, C2PA).")
def command() -> None:
    """A file that users of OpenSSF model signing and C2PA put beside theirs (docs/sidecars.md)."""


@command.command("make", short_help="Sign a claim on a model's files.")
@options(
    owner=VaultOptions,
    commitment=commitment_option(),
    file=_files_option("A file of the model; it is not changed. Give it once for each file."),
    form=option(
        "--format",
        type=click.Choice(["in-toto", "c2pa"]),
        default="in-toto",
        show_default=True,
        help="A DSSE envelope with an in-toto statement, or that as an assertion for C2PA.",
    ),
    output=OutputOptions,
)
def make(
    owner: VaultOptions,
    commitment: str,
    file: tuple[str, ...],
    form: str,
    output: OutputOptions,
) -> None:
    """State, signed by the vault's key, that these files are what the commitment claims.

    It is the owner's word, and no proof. Log proofs in the commitment's file are named in it.
    """
    require_one_stdin(commitment=commitment, passphrase_file=owner.passphrase_file)
    target = output.target(owner.vault, *file)

    from zkwm.sidecar import LogEntryName, Sidecar, c2pa_assertion
    from zkwm_cli.terminal import note
    from zkwm_protocols.commitment import FILE_LIMIT, Commitment
    from zkwm_protocols.errors import UsageError

    committed = read_parsed(commitment, FILE_LIMIT, Commitment.from_bytes)
    entries = tuple(
        LogEntryName(one.proof.checkpoint.checkpoint.origin, one.proof.index)
        for one in committed.log_proofs
    )
    claim = Sidecar(committed.digest, _claimed(file), entries)
    key = owner.open().state.signing_key
    if key.public not in committed.header.owner_keys:
        raise UsageError(
            f"the key of {owner.vault} is none of the commitment's",
            hint="give --vault with the vault that made this commitment",
        )
    envelope = claim.signed(key)
    target.write(envelope if form == "in-toto" else c2pa_assertion(envelope))
    note(f"wrote {output.output}: commitment {committed.digest.hex()[:16]} claims these files")
    print_result(
        output.as_json,
        "sidecar-make",
        path=output.output,
        format=form,
        commitment=committed.digest.hex(),
        files=_rows(claim.files),
    )


@command.command("check", short_help="Check a claim against a commitment and files.")
@click.argument("sidecar", type=FILE)
@options(
    commitment=commitment_option(),
    file=_files_option("A file that you have, which the claim must be about."),
    as_json=json_option(),
)
def check(sidecar: str, commitment: str, file: tuple[str, ...], as_json: bool) -> None:
    """Check that an owner of the commitment signed SIDECAR, and that it is about these files.

    Exit code 0: it is. 3: it is not. Whether a model carries the mark is for a judge to say.
    """
    require_one_stdin(commitment=commitment, sidecar=sidecar)

    from zkwm.report.visible import visible
    from zkwm.sidecar import SIDECAR_LIMIT, read_sidecar
    from zkwm_protocols.commitment import FILE_LIMIT, Commitment
    from zkwm_protocols.errors import CouldNotCheck

    committed = read_parsed(commitment, FILE_LIMIT, Commitment.from_bytes)
    committed.verify()
    claim = read_sidecar(read_artifact(sidecar, SIDECAR_LIMIT), committed.header.owner_keys)
    if claim.commitment != committed.digest:
        raise CouldNotCheck(
            f"{sidecar} is about another commitment",
            hint="give --commitment with the one that it names",
        )
    named = {one.digest: one.name for one in claim.files}
    given = _claimed(file)
    for one in given:
        if one.digest not in named:
            raise CouldNotCheck(
                f"{sidecar} is not about the file {one.name}",
                hint="ask the owner for a claim on this very file",
            )
    if not as_json:
        for one in given:
            click.echo(f"{one.name}: claimed, as {visible(named[one.digest])}")
    print_result(
        as_json,
        "sidecar-check",
        commitment=committed.digest.hex(),
        files=_rows(given),
        log=[{"origin": one.origin, "index": one.index} for one in claim.log],
    )


def _claimed(files: tuple[str, ...]) -> tuple[ClaimedFile, ...]:
    """Name and digest of each file. Raises CouldNotCheck where one cannot be read."""
    import hashlib
    from pathlib import Path

    from zkwm.sidecar import ClaimedFile
    from zkwm_protocols.errors import CouldNotCheck

    found = []
    for name in files:
        try:
            with Path(name).open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").digest()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a usable file name"
            raise CouldNotCheck(
                f"cannot read {name}: {reason}", hint="give --file with a file of the model"
            ) from None
        found.append(ClaimedFile(Path(name).name, digest))
    return tuple(found)


def _rows(files: tuple[ClaimedFile, ...]) -> list[dict[str, str]]:
    """Files as JSON values."""
    return [{"name": one.name, "sha256": one.digest.hex()} for one in files]
