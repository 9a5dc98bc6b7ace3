"""Makes ``log.json``: a log with everything that it signs (SPEC.md 23), text and bytes.

``python -m tests.vectors.log`` writes the file. Signatures by ML-DSA-44 are another each time that
they are made, so those that are stored stay while they verify.
"""

from __future__ import annotations

import json
from typing import Any

from tests.support.statements import KEYS, statements
from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import (
    LOG_KEY,
    POLICY_TEXT,
    SECOND_KEY,
    TIME,
    WITNESSES,
    signed,
)
from tests.vectors.generate import FOLDER
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.receipt import sign_receipt
from zkwm_protocols.cose.statement import SignedStatement, TransparentStatement
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.equivocation import Equivocation
from zkwm_protocols.transparency.note_keys import NoteSigningKey
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tree import prove_consistency, prove_inclusion
from zkwm_protocols.transparency.witness import AddCheckpoint

PATH = FOLDER / "log.json"
OLD, INDEX = 5, 10
SIGNERS = [LOG_KEY, SECOND_KEY, *WITNESSES]


def stored() -> dict[str, Any]:
    """The file as it is; empty where there is none."""
    found: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else {}
    return found


def checkpoint_of(log: TiledLog, text: str) -> SignedCheckpoint:
    """The stored checkpoint if it is of this log and verifies, else a new one."""
    try:
        found = SignedCheckpoint.from_bytes(text.encode())
        if found.checkpoint.head == log.head() and all(
            found.signed_by(key.verifier) for key in SIGNERS
        ):
            return found
    except ZkwmError:
        pass
    return signed(log)


def key_vector(key: NoteSigningKey) -> dict[str, str]:
    """A key of a log or witness."""
    return {
        "name": key.verifier.name,
        "secret": key.to_bytes().hex(),
        "verifier": key.verifier.to_text(),
    }


def statement_vector(statement: SignedStatement) -> dict[str, str]:
    """A statement and what it says."""
    content = statement.content
    return {
        "algorithm": statement.key.algorithm,
        "issuer": statement.issuer,
        "content_type": content.CONTENT_TYPE,
        "subject": content.subject,
        "payload": content.to_payload().hex(),
        "statement": statement.to_bytes().hex(),
    }


def log_vectors() -> dict[str, Any]:
    """The whole file."""
    before = stored()
    entries = [one.to_bytes() for one in statements()]
    log = TiledLog(entries)
    other = TiledLog([*entries[:-1], entries[0]])
    checkpoint = checkpoint_of(log, before.get("checkpoint", ""))
    second = checkpoint_of(other, before.get("other_checkpoint", ""))
    proof = tuple(prove_inclusion(INDEX, log.size, log.hashes()))
    consistency = tuple(prove_consistency(OLD, log.size, log.hashes()))
    subject = statements()[INDEX].content.subject
    receipt = sign_receipt(subject, log.head(), INDEX, proof, LOG_KEY).to_bytes()
    return {
        "keys": [key_vector(key) for key in SIGNERS],
        "issuers": [key.to_bytes().hex() for key in KEYS.values()],
        "time": TIME,
        "policy": POLICY_TEXT,
        "statements": [statement_vector(one) for one in statements()],
        "tiles": {path: data.hex() for path, data in log.files.items() if "entries" not in path},
        "old_root": TiledLog(entries[:OLD]).head().root.hex(),
        "checkpoint": checkpoint.to_bytes().decode(),
        "other_checkpoint": second.to_bytes().decode(),
        "proof": ProofFile(INDEX, proof, checkpoint).to_bytes().decode(),
        "log_proof": LoggedStatement(statements()[INDEX], ProofFile(INDEX, proof, checkpoint))
        .to_bytes()
        .decode(),
        "witness_request": AddCheckpoint(OLD, consistency, checkpoint).to_bytes().decode(),
        "equivocation": Equivocation(checkpoint, second).to_bytes().hex(),
        "receipt": receipt.hex(),
        "transparent_statement": TransparentStatement(statements()[INDEX], (receipt,))
        .to_bytes()
        .hex(),
    }


def main() -> None:
    """Write the file."""
    text = json.dumps(log_vectors(), indent=1, ensure_ascii=False) + "\n"
    PATH.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
