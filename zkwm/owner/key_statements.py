"""What an owner states about their key: whose it is, what follows it, that it is revoked.

Each is a signed statement (SPEC.md 23.13) that takes effect once a log has it; what follows from
all of them is ``zkwm_protocols.key_history``.
"""

from __future__ import annotations

from collections.abc import Sequence

from zkwm.owner.kept_checkpoints import kept_checkpoints
from zkwm.transparency_log.client import SECONDS, LogClient
from zkwm_protocols.cose.key_contents import (
    KeyBinding,
    KeyRevocation,
    RevocationReason,
    agree_to_succeed,
    claim_message,
)
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.statement import SignedStatement, sign_statement
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.transparency.policy import LogPolicy


def claim_to_sign(key: SigningKey, person: str) -> bytes:
    """What a person's own certificate has to sign, so that it binds this key (SPEC.md 26.6).

    Raises Malformed for a name that is empty, too long or not printable.
    """
    return claim_message(key.public.fingerprint(), person)


def bind_key(
    key: SigningKey,
    person: str,
    *,
    certificates: Sequence[bytes] = (),
    signature: bytes | None = None,
    document: bytes | None = None,
) -> SignedStatement:
    """State whose the key is.

    Args:
        key: the owner's.
        person: as the certificate names them, or the document.
        certificates: X.509 in DER, the person's own first.
        signature: of ``claim_to_sign``, by the key of the first certificate; None where that is
            the owner's key itself.
        document: the SHA-256 of a document that names the key's fingerprint, 32 bytes.

    Raises Malformed, InvalidSignature or Unsupported where they do not fit each other.
    """
    fingerprint = key.public.fingerprint()
    binding = KeyBinding(fingerprint, person, tuple(certificates), document, signature)
    return sign_statement(binding, key)


def rotate_key(key: SigningKey, successor: SigningKey) -> SignedStatement:
    """State that another key follows; both sign. Raises Malformed where both are one key."""
    return sign_statement(agree_to_succeed(key.public.fingerprint(), successor), key)


def revoke_key(key: SigningKey, reason: RevocationReason, since: int) -> SignedStatement:
    """State that the key's signatures do not count from ``since`` on (seconds since 1970).

    It takes effect when it is logged, or later. Signed when the key is made, for the reason
    ``lost``, it serves whoever has lost the key.
    """
    return sign_statement(KeyRevocation(key.public.fingerprint(), since, reason), key)


def log_statement(
    statement: SignedStatement,
    url: str,
    policy: LogPolicy,
    *,
    wait_seconds: float = SECONDS,
    seconds: float = SECONDS,
) -> LoggedStatement:
    """Register a statement at a log; its proof has been verified, its checkpoint compared.

    Args:
        statement: what is registered.
        url: of the log.
        policy: which log and witnesses count.
        wait_seconds: how long witnesses may take.
        seconds: how long a request may take.

    Raises what ``LogClient.register`` raises.
    """
    client = LogClient(url, policy, kept_checkpoints(), seconds=seconds)
    try:
        done = client.register(statement.to_bytes(), wait_seconds=wait_seconds)
    finally:
        client.close()
    return LoggedStatement(statement, done.proof)
