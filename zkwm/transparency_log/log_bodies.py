"""What a log's API answers as JSON."""

from __future__ import annotations

from pydantic import BaseModel

from zkwm.transparency_log.entries import IndexedEntry


class RegisteredBody(BaseModel):
    """What is acknowledged: it is durable, and in the signed tree of the proof."""

    index: int
    size: int
    again: bool
    receipt: str
    proof: str


class EntryBody(BaseModel):
    """One entry of the index. ``key`` signed it; that it is the ``issuer``'s, only they claim."""

    index: int
    statement: str
    digest: str
    issuer: str
    key: str
    kind: str

    @classmethod
    def of(cls, entry: IndexedEntry) -> EntryBody:
        """An entry as JSON."""
        return cls(
            index=entry.position,
            statement=entry.statement.hex(),
            digest=entry.subject.hex(),
            issuer=entry.issuer,
            key=entry.key,
            kind=entry.kind,
        )


class FoundBody(BaseModel):
    """Entries in the order of the log; ``after`` for the next ones, null at the end."""

    entries: list[EntryBody]
    after: int | None


class LogBody(BaseModel):
    """Which log this is."""

    origin: str
    keys: list[str]
    size: int
