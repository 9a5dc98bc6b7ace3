"""``zkwm register``: timestamp authorities date a commitment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import OutputOptions, print_result, read_parsed, require_one_stdin
from zkwm_cli.options import commitment_option, option, options
from zkwm_cli.secret_options import VaultOptions
from zkwm_cli.trust_options import read_trust_option, trust_option

if TYPE_CHECKING:
    from zkwm.owner.register import Registration
    from zkwm.timestamp_client import Obtained


@click.command("register", short_help="Have a commitment dated by timestamp authorities.")
@options(
    owner=VaultOptions,
    commitment=commitment_option(),
    tsa=option(
        "--tsa",
        multiple=True,
        required=True,
        metavar="URL",
        help="A timestamp authority (RFC 3161 over HTTP); several are possible.",
    ),
    trust=trust_option(
        "Accept only tokens that verify by this trust folder (docs/registration.md)."
    ),
    timeout=option(
        "--timeout",
        type=click.FloatRange(1, 600),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="For each request.",
    ),
    output=OutputOptions,
)
def command(
    owner: VaultOptions,
    commitment: str,
    tsa: tuple[str, ...],
    trust: str | None,
    timeout: float,
    output: OutputOptions,
) -> None:
    """Ask authorities to date a commitment, and keep their tokens in its file and the vault.

    Authorities see the commitment's digest and nothing else. Their certificates, CRLs and OCSP
    responses are kept with the tokens, so that anybody can check the date offline, years later.
    Register before you embed, publish or sell anything: only what was dated before counts. A
    commitment that names an authority (zkwm commit --timestamp-authority) has no labels before.

    --output may be the commitment itself, with --force. Registering again adds further tokens.

    \b
        zkwm register --vault acme.vault --commitment acme.commitment \\
            --tsa https://freetsa.org/tsr --output acme.registered
    """
    require_one_stdin(commitment=commitment, passphrase_file=owner.passphrase_file)
    target = output.target(owner.vault)

    from zkwm.owner.register import register
    from zkwm_cli.terminal import note
    from zkwm_protocols.commitment import FILE_LIMIT, Commitment

    committed = read_parsed(commitment, FILE_LIMIT, Commitment.from_bytes)
    trusted = read_trust_option(trust)
    vault = owner.open()
    made = register(vault, committed, tsa, trust=trusted, seconds=timeout, tell=note)
    target.write(made.commitment.to_bytes())
    _tell(made)
    print_result(output.as_json, "register", path=output.output, **_values(made))


def _tell(made: Registration) -> None:
    """When the commitment existed by each authority, and what could not be had."""
    from zkwm.report.visible import visible
    from zkwm.written_dates import in_words
    from zkwm_cli.terminal import note, warn

    for one in made.added:
        dated = one.dated
        trusted = "" if one.trusted else " (no trust folder was given: its chain is whole)"
        interval = in_words(dated.interval)
        note(f"{visible(dated.authority)} dates the commitment {interval}{trusted}")
        for what in one.missing:
            warn(f"{visible(dated.authority)}: could not get {visible(what)}")
    own = len(made.commitment.timestamps) - made.others
    note(f"{_timestamps(own)} in the file and in the vault")
    if made.others:
        note(f"{_timestamps(made.others)} in the file alone: anybody may have added them")
    if made.left_out:
        note(f"{_timestamps(made.left_out)} left out: not signed, or there was no place")


def _timestamps(count: int) -> str:
    """A number of timestamps, before where they are."""
    return "1 timestamp is" if count == 1 else f"{count} timestamps are"


def _values(made: Registration) -> dict[str, Any]:
    """The registration as JSON values."""
    return {
        "digest": made.commitment.digest.hex(),
        "timestamps": len(made.commitment.timestamps),
        "added": [_added(one) for one in made.added],
    }


def _added(one: Obtained) -> dict[str, Any]:
    """One new timestamp as JSON values."""
    from zkwm.written_dates import interval_values

    dated = one.dated
    return {
        "url": one.url,
        "authority": dated.authority,
        "signer": dated.signer,
        "root_key": dated.root.hex(),
        "policy": dated.policy,
        **(interval_values(dated.interval) or {}),
        "revocation": dated.revocation,
        "trusted": one.trusted,
        "missing": list(one.missing),
    }
