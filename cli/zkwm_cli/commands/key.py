"""``zkwm key``: whose an owner's key is, what follows it, and that it is revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zkwm_cli.artifacts import OutputOptions, print_result, read_artifact, read_parsed
from zkwm_cli.asked_log import AskedLogOptions
from zkwm_cli.options import FILE, json_option, option, options
from zkwm_cli.secret_options import VaultOptions
from zkwm_cli.trust_options import read_trust_option, trust_option

if TYPE_CHECKING:
    from zkwm_cli.artifacts import Output
    from zkwm_protocols.cose.statement import SignedStatement

_DOCUMENT_LIMIT = 256 << 20
_SIGNATURE_LIMIT = 1024


def _person_option() -> object:
    """--person"""
    return option(
        "--person",
        required=True,
        metavar="NAME",
        help="Whose the key is: the common name or organization of the certificate.",
    )


@click.group("key", short_help="Say whose a key is, rotate and revoke it.")
def command() -> None:
    """Statements about an owner's key. They take effect once a log has them (zkwm key log)."""


@command.command("claim", short_help="Write what a person's certificate has to sign.")
@options(owner=VaultOptions, person=_person_option(), output=OutputOptions)
def claim(owner: VaultOptions, person: str, output: OutputOptions) -> None:
    """Write the bytes by which the key of a certificate agrees that it binds the vault's key.

    \b
        zkwm key claim --vault acme.vault --person "ACME Ltd" --output acme.claim
        openssl dgst -sha256 -sign person.key -out acme.signature acme.claim
    """
    from zkwm.owner.key_statements import claim_to_sign
    from zkwm_cli.terminal import note

    target = output.target(owner.vault)
    key = owner.open().state.signing_key
    target.write(claim_to_sign(key, person))
    note(f"wrote {output.output}: sign it with the certificate's key, then zkwm key bind")
    print_result(
        output.as_json, "key-claim", path=output.output, key=key.public.fingerprint(), person=person
    )


@command.command("bind", short_help="State whose the vault's key is.")
@options(
    owner=VaultOptions,
    person=_person_option(),
    certificates=option(
        "--certificates",
        type=FILE,
        metavar="FILE",
        help="The person's X.509 certificate in PEM, and behind it those of its chain.",
    ),
    signature=option(
        "--signature",
        type=FILE,
        metavar="FILE",
        help="The certificate's signature of the claim (zkwm key claim).",
    ),
    document=option(
        "--document",
        type=FILE,
        metavar="FILE",
        help="A document that names the key's fingerprint, such as a notary's: its digest is "
        "stated.",
    ),
    output=OutputOptions,
)
def bind(
    owner: VaultOptions,
    person: str,
    certificates: str | None,
    signature: str | None,
    document: str | None,
    output: OutputOptions,
) -> None:
    """State that the vault's key is a person's, by a certificate, a document, or both.

    Bind a key before it matters: of two persons the first in the log has it.
    """
    import hashlib

    from zkwm.owner.key_statements import bind_key
    from zkwm.trust_folder import read_certificates

    if certificates is None and document is None:
        raise click.UsageError("give --certificates, --document, or both")
    if signature is not None and certificates is None:
        raise click.UsageError("--signature goes with --certificates")
    target = output.target(owner.vault, certificates, signature, document)
    chain = [] if certificates is None else read_certificates(certificates)
    signed = None if signature is None else read_artifact(signature, _SIGNATURE_LIMIT)
    digest = None
    if document is not None:
        digest = hashlib.sha256(read_artifact(document, _DOCUMENT_LIMIT)).digest()
    key = owner.open().state.signing_key
    statement = bind_key(key, person, certificates=chain, signature=signed, document=digest)
    _write(target, statement, output, "key-bind")


@command.command("rotate", short_help="State that another vault's key follows.")
@options(
    owner=VaultOptions,
    successor=option(
        "--successor",
        required=True,
        type=click.Path(),
        metavar="FILE",
        help="The vault of the key that follows: it signs, too.",
    ),
    successor_passphrase_file=option(
        "--successor-passphrase-file",
        type=FILE,
        metavar="FILE",
        help="Read its passphrase from this file's first line instead of asking.",
    ),
    output=OutputOptions,
)
def rotate(
    owner: VaultOptions,
    successor: str,
    successor_passphrase_file: str | None,
    output: OutputOptions,
) -> None:
    """State that the vault's key is left for the key of another vault; both sign.

    For 30 days after its entry in the log a second rotation, or a revocation that is not
    "superseded", makes it void: so the owner can contest what a thief states. Bind the new key,
    too.
    """
    from zkwm.owner.key_statements import rotate_key

    target = output.target(owner.vault, successor)
    following = VaultOptions(successor, successor_passphrase_file).open().state.signing_key
    statement = rotate_key(owner.open().state.signing_key, following)
    _write(target, statement, output, "key-rotate")


@command.command("revoke", short_help="State that the vault's key does not count any more.")
@options(
    owner=VaultOptions,
    reason=option(
        "--reason",
        required=True,
        type=click.Choice(["compromised", "lost", "superseded"]),
        help="Why. After compromised or lost, no rotation of the last 30 days counts.",
    ),
    since=option(
        "--since",
        metavar="DATE",
        help="From when on: 2026-03-01, or 2026-03-01T12:30:00Z; now without it. What was dated "
        "before the entry in the log keeps counting.",
    ),
    output=OutputOptions,
)
def revoke(owner: VaultOptions, reason: str, since: str | None, output: OutputOptions) -> None:
    """State that signatures of the vault's key do not count from a time on. Nothing undoes it.

    Who has lost the vault logs what zkwm keygen --revocation wrote.
    """
    import time

    from zkwm.owner.key_statements import revoke_key
    from zkwm.written_dates import read_date
    from zkwm_cli.options import usage_errors
    from zkwm_protocols.cose.key_contents import RevocationReason

    target = output.target(owner.vault)
    start = int(time.time())
    if since is not None:
        with usage_errors("--since: "):
            start = read_date(since).earliest // 1_000_000
    key = owner.open().state.signing_key
    _write(target, revoke_key(key, RevocationReason(reason), start), output, "key-revoke")


@command.command("log", short_help="Register a statement at a log, where it takes effect.")
@click.argument("statement", type=FILE)
@options(
    url=option("--log", required=True, metavar="URL", help="The log."),
    trust=trust_option("Which log and witnesses count: a trust folder with a log-policy."),
    wait=option(
        "--wait",
        type=click.FloatRange(0, 3600),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="How long witnesses may take.",
    ),
    output=OutputOptions,
)
def log(statement: str, url: str, trust: str | None, wait: float, output: OutputOptions) -> None:
    """Register STATEMENT, and write it with its proof, which zkwm key show reads.

    No secret is needed: a revocation that was signed in advance is logged so, too. Keep the proof:
    it says how early the entry was there.
    """
    from zkwm.owner.key_statements import log_statement
    from zkwm.owner.register_in_log import policy_of
    from zkwm.report.visible import visible
    from zkwm_cli.terminal import note
    from zkwm_protocols.cose.statement import STATEMENT_LIMIT, SignedStatement

    target = output.target(statement)
    stated = read_parsed(statement, STATEMENT_LIMIT, SignedStatement.from_bytes)
    policy = policy_of(read_trust_option(trust), url)
    logged = log_statement(stated, url, policy, wait_seconds=wait)
    target.write(logged.to_bytes())
    origin = logged.proof.checkpoint.checkpoint.origin
    note(f"entry {logged.proof.index:,} of {visible(origin)}")
    print_result(
        output.as_json,
        "key-log",
        path=output.output,
        subject=stated.content.subject,
        log=origin,
        index=logged.proof.index,
    )


@command.command("show", short_help="What logged statements say about keys.")
@click.argument("proofs", type=FILE, nargs=-1)
@options(
    trust=trust_option(
        "Whom you trust: a trust folder with a log-policy, people/NAME/ for certificates, and "
        "statements/ with more proofs."
    ),
    asked=AskedLogOptions,
    key=option("--key", metavar="FINGERPRINT", help="This key alone; needed with --log."),
    at=option("--at", metavar="DATE", help="When: 2026-03-01T12:30:00Z; now without it."),
    as_json=json_option(),
)
def show(
    proofs: tuple[str, ...],
    trust: str | None,
    asked: AskedLogOptions,
    key: str | None,
    at: str | None,
    as_json: bool,
) -> None:
    """Say of each key whose it is, what follows it, and whether it counts, from PROOFS.

    PROOFS are what zkwm key log wrote. What nobody gives is not known: with --log the log is asked
    for all statements about --key, each of which has to stand in the tree that it and the witnesses
    of your log-policy signed. Such a proof says that the entry is there now; the owner's earlier
    one says since when.

    \b
        zkwm key show --trust trust/ --log https://log.example/2027 \\
            --key ynsu-hoy3-... --save trust/statements
    """
    from zkwm_cli.key_text import show_keys

    trusted = read_trust_option(trust)
    found = asked.find(trusted, key)
    if not (proofs or found or asked.log or (trusted is not None and trusted.statements)):
        raise click.UsageError("give PROOFS, or --log and --key")
    show_keys(proofs, found, trusted, key, at, as_json=as_json)


def _write(target: Output, statement: SignedStatement, output: OutputOptions, command: str) -> None:
    """Write a statement, and say that it is to be logged."""
    from zkwm_cli.terminal import note

    target.write(statement.to_bytes())
    note(f"wrote {output.output}; it takes effect when it is logged: zkwm key log")
    print_result(
        output.as_json,
        command,
        path=output.output,
        key=statement.key.fingerprint(),
        subject=statement.content.subject,
    )
