"""Entries of a log of zkwm: signed statements of COSE, and the receipts of them (SPEC.md 23.11)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from zkwm.transparency_log.entries import Entry, HeadRow
from zkwm.transparency_log.tree_key import TreeKey
from zkwm_protocols.cose.key_contents import KeyBinding, KeyRevocation, KeyRotation
from zkwm_protocols.cose.receipt import sign_receipt
from zkwm_protocols.cose.statement import SignedStatement
from zkwm_protocols.transparency.tree import TreeHead


def read_statement(data: bytes) -> Entry:
    """What a statement is about, its signature verified.

    It is found by the commitment that it is about; one about a key by the SHA-256 of the key's
    subject, and by its issuer. Raises Malformed, Unsupported or InvalidSignature.
    """
    statement = SignedStatement.from_bytes(data)
    content = statement.content
    if isinstance(content, KeyBinding | KeyRotation | KeyRevocation):
        digest = hashlib.sha256(content.subject.encode()).digest()
    else:
        digest = content.commitment
    key = statement.key.fingerprint()
    return Entry(data, digest, statement.issuer, key, content.CONTENT_TYPE, content.subject)


class CoseStatements:
    """Reads statements, and signs receipts with the key of a log."""

    def __init__(self, key: TreeKey) -> None:
        self._key = key

    def read(self, data: bytes) -> Entry:
        """``read_statement``."""
        return read_statement(data)

    def receipt(self, entry: Entry, index: int, row: HeadRow, path: Sequence[bytes]) -> bytes:
        """The receipt of an entry in a tree that is signed and durable (RFC 9942)."""
        head = TreeHead(row.size, row.root)
        return sign_receipt(entry.topic, head, index, path, self._key.first).to_bytes()
