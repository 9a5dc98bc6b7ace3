"""Entries of a log: what is appended, and what the index knows of it; the signed head of a tree."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class HeadRow:
    """The tree that was signed last: its size, its root (32 bytes), the signed checkpoint."""

    size: int
    root: bytes
    checkpoint: bytes


@dataclass(frozen=True)
class IndexedEntry:
    """An entry's place in the log, and what people look for.

    Args:
        position: its index in the tree, from 0.
        statement: the SHA-256 of its bytes, 32 bytes.
        subject: the digest that it is about, 32 bytes; of a commitment D.
        issuer: who made it, as the statement claims: a fingerprint, or an address.
        key: the fingerprint of the key that signed it, which was verified.
        kind: its content type.
    """

    position: int
    statement: bytes
    subject: bytes
    issuer: str
    key: str
    kind: str


@dataclass(frozen=True)
class Entry:
    """A statement that has been checked and may be appended: its bytes, and what it is about.

    ``topic`` is the subject as the statement spells it; the rest is as in ``IndexedEntry``.
    """

    data: bytes
    subject: bytes
    issuer: str
    key: str
    kind: str
    topic: str = ""

    @property
    def statement(self) -> bytes:
        """The SHA-256 of its bytes, by which the same statement is known again."""
        return hashlib.sha256(self.data).digest()

    def at(self, position: int) -> IndexedEntry:
        """What the index keeps of it at this place."""
        return IndexedEntry(
            position, self.statement, self.subject, self.issuer, self.key, self.kind
        )
