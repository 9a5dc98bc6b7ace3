"""API keys: 32 random bytes that are shown once; the database has their SHA-256 alone.

A key stands for a holder, such as a marketplace, and may do what its scopes say. Guessing one of
2^256 is hopeless, so that the hash needs no salt and no time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, select, update

from zkwm.registry_database.database import Database
from zkwm.registry_database.service_tables import API_KEYS
from zkwm_protocols.errors import UsageError

PER_MINUTE = 120
MOST_PER_MINUTE = 100_000
LONGEST_HOLDER = 100
_PREFIX = "zkwm"
_TEXT = re.compile(rf"{_PREFIX}_([0-9a-f]{{16}})_([A-Za-z0-9_-]{{43}})")


class Scope(StrEnum):
    """What a key may do; reading needs none."""

    REGISTER = "register"
    """Register commitments."""
    CLAIMS = "claims"
    """Ask owners, extend and withdraw what the holder asked, and read the answers to it."""
    ANSWER = "answer"
    """Hand in answers and withdrawals that owners signed."""
    DECIDE = "decide"
    """Hand in verdicts on what the holder asked."""


@dataclass(frozen=True)
class ApiKey:
    """A key as it is kept; times are seconds since 1970.

    Args:
        id: its public name, 16 characters of 0-9 and a-f.
        holder: whom it stands for.
        scopes: what it may do.
        per_minute: how many requests it may make in a minute.
        made: when it was made.
        revoked: since when it is worth nothing, or None.
    """

    id: str
    holder: str
    scopes: tuple[Scope, ...]
    per_minute: int
    made: int
    revoked: int | None


class ApiKeys:
    """The keys in the database of a service. Raises CouldNotCheck where it cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, holder: str, scopes: tuple[Scope, ...], per_minute: int = PER_MINUTE
    ) -> tuple[ApiKey, str]:
        """Make a key; return it and its text, which nobody can find out again.

        Raises UsageError for a holder that is not 1 to 100 printable characters, without scopes, or
        for a rate outside of 1 to 100,000.
        """
        if not (1 <= len(holder) <= LONGEST_HOLDER and holder.isprintable()):
            raise UsageError(f"a holder's name is 1 to {LONGEST_HOLDER} printable characters")
        if not scopes:
            raise UsageError("a key without a scope may do nothing that needs a key")
        if not 1 <= per_minute <= MOST_PER_MINUTE:
            raise UsageError(f"a key makes 1 to {MOST_PER_MINUTE:,} requests in a minute")
        secret = secrets.token_bytes(32)
        ordered = tuple(scope for scope in Scope if scope in scopes)
        key = ApiKey(secrets.token_hex(8), holder, ordered, per_minute, int(time.time()), None)
        with self._database.writing() as connection:
            connection.execute(
                insert(API_KEYS),
                {**vars(key), "scopes": " ".join(ordered), "hash": hashlib.sha256(secret).digest()},
            )
        text = base64.urlsafe_b64encode(secret).decode("ascii").rstrip("=")
        return key, f"{_PREFIX}_{key.id}_{text}"

    def all(self) -> tuple[ApiKey, ...]:
        """All keys, the oldest first, those that were revoked among them."""
        query = select(API_KEYS).order_by(API_KEYS.c.made, API_KEYS.c.id)
        with self._database.reading() as connection:
            return tuple(_key(row) for row in connection.execute(query))

    def revoke(self, name: str) -> ApiKey:
        """Revoke a key by its id, for good. Raises UsageError where there is none."""
        with self._database.writing() as connection:
            row = connection.execute(select(API_KEYS).where(API_KEYS.c.id == name)).one_or_none()
            if row is None:
                raise UsageError(
                    "there is no key with this id", hint="zkwm registry list-keys shows them"
                )
            known = _key(row)
            if known.revoked is not None:
                return known
            since = int(time.time())
            connection.execute(update(API_KEYS).where(API_KEYS.c.id == name).values(revoked=since))
        return replace(known, revoked=since)

    def find(self, text: str) -> ApiKey | None:
        """The key with this text; None for one that is unknown or revoked."""
        read = _TEXT.fullmatch(text)
        if read is None:
            return None
        query = select(API_KEYS).where(API_KEYS.c.id == read[1])
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        given = hashlib.sha256(base64.urlsafe_b64decode(f"{read[2]}=")).digest()
        if row is None or not hmac.compare_digest(bytes(row.hash), given):
            return None
        return None if row.revoked is not None else _key(row)


def read_scopes(names: tuple[str, ...]) -> tuple[Scope, ...]:
    """Scopes by name. Raises UsageError."""
    try:
        return tuple(Scope(name) for name in names)
    except ValueError:
        known = ", ".join(Scope)
        raise UsageError("this is no scope of a key", hint=f"one of {known}") from None


def _key(row: Any) -> ApiKey:  # noqa: ANN401
    """A row as a key."""
    scopes = tuple(Scope(name) for name in row.scopes.split())
    return ApiKey(row.id, row.holder, scopes, row.per_minute, row.made, row.revoked)
