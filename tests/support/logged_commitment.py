"""A commitment's statement in the log of ``witnessed_log``, with witnesses and times as wanted."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import LOG_KEY, TIME, WITNESSES
from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.statement import SignedStatement, sign_statement
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.transparency.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from zkwm_protocols.transparency.note_keys import NoteSigningKey
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tree import prove_inclusion

INDEX = 5
ED25519_WITNESSES = {WITNESSES[0]: TIME, WITNESSES[2]: TIME + 2}
"""Those whose signatures are the same each time that they are made."""


def log_proof(
    statement: SignedStatement,
    times: Mapping[NoteSigningKey, int] = ED25519_WITNESSES,
    *,
    entry: bytes | None = None,
    log_key: NoteSigningKey = LOG_KEY,
) -> LoggedStatement:
    """A statement as the sixth of seven entries, signed by the log, and by witnesses at ``times``.

    ``entry`` stands in the log in its place, where another one does.
    """
    entries = [b"%d" % number for number in range(INDEX)]
    log = TiledLog([*entries, entry or statement.to_bytes(), b"later"])
    checkpoint = Checkpoint(log_key.verifier.name, log.head())
    lines = [sign_checkpoint(checkpoint, log_key)]
    lines += [sign_checkpoint(checkpoint, key, time) for key, time in times.items()]
    path = tuple(prove_inclusion(INDEX, log.size, log.hashes()))
    signed = SignedCheckpoint(checkpoint, tuple(lines))
    return LoggedStatement(statement, ProofFile(INDEX, path, signed))


def stated(digest: bytes, key: SigningKey) -> SignedStatement:
    """That the commitment with this digest (D, 32 bytes) exists."""
    return sign_statement(CommitmentStatement(digest), key)
