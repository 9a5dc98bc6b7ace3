"""``zkwm register``: timestamp authorities and logs date a commitment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import OutputOptions, print_result, read_parsed, require_one_stdin
from zkwm_cli.options import FILE, commitment_option, option, options
from zkwm_cli.secret_options import VaultOptions
from zkwm_cli.trust_options import read_trust_option, trust_option

if TYPE_CHECKING:
    from zkwm.owner.register import Registration
    from zkwm.owner.register_in_log import RegisteredEntry
    from zkwm.timestamp_client import Obtained


@click.command("register", short_help="Have a commitment dated by authorities and logs.")
@options(
    owner=VaultOptions,
    commitment=commitment_option(),
    tsa=option(
        "--tsa",
        multiple=True,
        metavar="URL",
        help="A timestamp authority (RFC 3161 over HTTP); several are possible.",
    ),
    log=option(
        "--log",
        multiple=True,
        metavar="URL",
        help="A transparency log that takes your statement; needs --trust with a log-policy. "
        "Several are possible.",
    ),
    statements=option(
        "--key-statement",
        multiple=True,
        type=FILE,
        metavar="FILE",
        help="A logged statement about your key (zkwm key log), such as whose it is: the "
        "commitment's file carries it. Several are possible.",
    ),
    trust=trust_option(
        "Accept only tokens and log proofs that verify by this trust folder (docs/registration.md)."
    ),
    timeout=option(
        "--timeout",
        type=click.FloatRange(1, 600),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="For each request.",
    ),
    wait=option(
        "--wait",
        type=click.FloatRange(0, 86_400),
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        help="How long the witnesses of a log may take.",
    ),
    output=OutputOptions,
)
def command(
    owner: VaultOptions,
    commitment: str,
    tsa: tuple[str, ...],
    log: tuple[str, ...],
    statements: tuple[str, ...],
    trust: str | None,
    timeout: float,
    wait: float,
    output: OutputOptions,
) -> None:
    """Ask authorities and logs to date a commitment, and keep what they say in file and vault.

    Authorities see the commitment's digest and nothing else. Their certificates, CRLs and OCSP
    responses are kept with the tokens, so that anybody can check the date offline, years later.
    A log makes public that the commitment exists, signed by your key, and its witnesses say when
    they saw that; what they sign is kept in the same way.
    Register before you embed, publish or sell anything: only what was dated before counts. A
    commitment that names an authority (zkwm commit --timestamp-authority) has no labels before.

    --output may be the commitment itself, with --force. Registering again adds further tokens; an
    entry that a log has already is found again, so that an interrupted command can be repeated.

    \b
        zkwm register --vault acme.vault --commitment acme.commitment \\
            --tsa https://freetsa.org/tsr --output acme.registered
        zkwm register --vault acme.vault --commitment acme.registered \\
            --log https://log.example --trust trust/ --output acme.logged
    """
    if not tsa and not log and not statements:
        raise click.UsageError("nobody is asked: name an authority (--tsa) or a log (--log)")
    require_one_stdin(commitment=commitment, passphrase_file=owner.passphrase_file)
    target = output.target(owner.vault)

    from zkwm.owner.register import register
    from zkwm_cli.key_text import logged_statement
    from zkwm_cli.terminal import note
    from zkwm_protocols.commitment import FILE_LIMIT, Commitment
    from zkwm_protocols.transparency.proof_file import FILE_LIMIT as PROOF_LIMIT

    committed = read_parsed(commitment, FILE_LIMIT, Commitment.from_bytes)
    about_keys = [read_parsed(one, PROOF_LIMIT, logged_statement) for one in statements]
    trusted = read_trust_option(trust)
    vault = owner.open()
    made = register(
        vault, committed, tsa, logs=log, statements=about_keys, trust=trusted, seconds=timeout,
        wait=wait, tell=note,
    )  # fmt: skip
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
    for entry in made.entries:
        _tell_entry(entry)
    own = len(made.commitment.timestamps) - made.others
    about_keys = len(made.commitment.key_proofs)
    if about_keys:
        statements = "1 statement" if about_keys == 1 else f"{about_keys} statements"
        note(f"{statements} about your key in the file")
    if own or not (made.entries or about_keys):
        note(f"{_timestamps(own)} in the file and in the vault")
    if made.entries:
        note(f"{_proofs(len(made.entries))} in the file and in the vault")
    if made.others:
        them = "it" if made.others == 1 else "them"
        note(f"{_timestamps(made.others)} in the file alone: anybody may have added {them}")
    if made.left_out:
        note(f"{_timestamps(made.left_out)} left out: not signed, or there was no place")


def _timestamps(count: int) -> str:
    """A number of timestamps, before where they are."""
    return "1 timestamp is" if count == 1 else f"{count} timestamps are"


def _proofs(count: int) -> str:
    """A number of log proofs, before where they are."""
    return "1 log proof is" if count == 1 else f"{count} log proofs are"


def _tell_entry(entry: RegisteredEntry) -> None:
    """Where the commitment stands in a log, and who has seen it by when."""
    from zkwm.report.visible import visible
    from zkwm.written_dates import in_words
    from zkwm_cli.terminal import note, warn

    proof = entry.proof.proof
    place = f"entry {proof.index:,} of {visible(proof.checkpoint.checkpoint.origin)}"
    note(f"{place}{': it stood there before, and nobody was asked' if entry.kept else ''}")
    names = ", ".join(map(visible, entry.witnesses))
    if entry.interval is None:
        warn(f"{place}: no quorum of witnesses says when they saw it, so that it dates nothing")
    else:
        note(f"seen by {names}: {in_words(entry.interval)}")


def _values(made: Registration) -> dict[str, Any]:
    """The registration as JSON values."""
    return {
        "digest": made.commitment.digest.hex(),
        "timestamps": len(made.commitment.timestamps),
        "added": [_added(one) for one in made.added],
        "log_proofs": len(made.commitment.log_proofs),
        "entries": [_entry(one) for one in made.entries],
        "key_proofs": len(made.commitment.key_proofs),
    }


def _entry(entry: RegisteredEntry) -> dict[str, Any]:
    """An entry in a log as JSON values."""
    import hashlib

    from zkwm.written_dates import interval_values

    proof, statement = entry.proof.proof, entry.proof.statement
    return {
        "url": entry.url,
        "log": proof.checkpoint.checkpoint.origin,
        "index": proof.index,
        "tree_size": proof.checkpoint.checkpoint.head.size,
        "statement": hashlib.sha256(statement.to_bytes()).hexdigest(),
        "key": statement.key.fingerprint(),
        "seen_by": interval_values(entry.interval),
        "witnesses": list(entry.witnesses),
        "kept": entry.kept,
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
