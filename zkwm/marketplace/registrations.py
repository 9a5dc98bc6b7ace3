"""Registered commitments and listings, and when the marketplace first saw each."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from zkwm.judge.ledger import suspect_digest
from zkwm.judge.ledger_tables import whole
from zkwm.marketplace.cases import now
from zkwm.registry_database.database import Database, damaged
from zkwm.registry_database.events import EventKind, add_event
from zkwm.registry_database.tables import (
    COMMITMENT_CLASSES,
    COMMITMENT_KEYS,
    COMMITMENTS,
    LISTINGS,
    SIGHTS,
)
from zkwm_protocols.commitment import Commitment, LabelMode
from zkwm_protocols.errors import UsageError, ZkwmError
from zkwm_protocols.schema import require_text
from zkwm_protocols.suspect_identity import SuspectIdentity

MOST_TEXT = 2000
MOST_ID = 200


@dataclass(frozen=True)
class Listing:
    """A model that is offered; a listing whose file changes has one entry for each file.

    Args:
        id: the marketplace's own name for it.
        kind: the suspect's kind, ``onnx`` for example.
        model: the suspect's digest in hexadecimal.
        url: where it is offered, or empty.
        description: for people.
        first_seen: when this file or address was first seen, in seconds since 1970.
    """

    id: str
    kind: str
    model: str
    url: str
    description: str
    first_seen: int


@dataclass(frozen=True)
class Registration:
    """A registered commitment: its digest in hexadecimal, its owner's keys, when it was seen."""

    id: str
    owner_keys: tuple[str, ...]
    first_seen: int


def keep_commitment(
    database: Database,
    commitment: Commitment,
    *,
    replace: bool,
    holder: str = "",
    entry: int | None = None,
) -> bool:
    """Keep a commitment that was checked, once; ``replace`` its file where it is known.

    Args:
        database: of the marketplace.
        commitment: checked by itself.
        replace: put its file in the place of the one that is kept.
        holder: who registered it at a registry's service, or empty.
        entry: the index of the owner's statement in a log.

    Returns: whether it is new.
    """
    header, names = commitment.header, commitment.class_names
    channels, height, width = header.shape
    digest, file = commitment.digest, commitment.to_bytes()
    with database.writing(digest) as connection:
        query = select(COMMITMENTS.c.file).where(COMMITMENTS.c.digest == digest)
        known = connection.execute(query).scalar()
        if known is not None:
            if replace and bytes(known) != file:
                changed = update(COMMITMENTS).where(COMMITMENTS.c.digest == digest)
                connection.execute(changed.values(file=file))
                add_event(connection, EventKind.REPLACED, digest, {})
            return False
        connection.execute(
            insert(COMMITMENTS),
            {
                "digest": digest,
                "file": file,
                "registered": now(),
                "channels": channels,
                "height": height,
                "width": width,
                "class_count": header.class_count,
                "block_size": header.block_size,
                "block_count": header.block_count,
                "derived": header.label_mode == LabelMode.DERIVED,
                "class_names": None if names is None else json.dumps(names),
                "holder": holder,
                "entry": entry,
            },
        )
        connection.execute(
            insert(COMMITMENT_KEYS),
            [{"commitment": digest, "fingerprint": key.fingerprint()} for key in header.owner_keys],
        )
        if names:
            classes = [{"name": name_digest(name), "commitment": digest} for name in names]
            connection.execute(insert(COMMITMENT_CLASSES), classes)
        add_event(connection, EventKind.REGISTERED, digest, {"holder": holder, "entry": entry})
        return True


def name_digest(name: str) -> bytes:
    """By what a class's name is looked up, 32 bytes."""
    return hashlib.sha256(name.encode()).digest()


def exchange_file(database: Database, kept: Commitment, better: Commitment) -> bool:
    """Put a file in the place of the one that was read before; False where that is another now."""
    digest = kept.digest
    one = (COMMITMENTS.c.digest == digest) & (COMMITMENTS.c.file == kept.to_bytes())
    with database.writing(digest) as connection:
        changed = connection.execute(update(COMMITMENTS).where(one).values(file=better.to_bytes()))
        if changed.rowcount == 1:
            add_event(connection, EventKind.REPLACED, digest, {})
        return changed.rowcount == 1


def kept_commitment(database: Database, digest: bytes) -> Commitment:
    """The commitment D. Raises UsageError where it is not registered, Malformed for another one."""
    query = select(COMMITMENTS.c.file).where(COMMITMENTS.c.digest == digest)
    with database.reading() as connection:
        file = connection.execute(query).scalar()
    if file is None:
        raise UsageError(
            f"this marketplace has no such commitment: {digest.hex()[:16]}...",
            hint="register it first",
        )
    try:
        found = Commitment.from_bytes(bytes(file))
    except ZkwmError:
        raise damaged("commitment", digest) from None
    if found.digest != digest:
        raise damaged("commitment", digest)
    return found


def registrations(database: Database, owner: str) -> tuple[Registration, ...]:
    """All commitments in the order in which they were seen, or those of one owner's key."""
    keys = COMMITMENT_KEYS
    query = (
        select(keys.c.commitment, keys.c.fingerprint, SIGHTS.c.first)
        .join(SIGHTS, SIGHTS.c.digest == keys.c.commitment)
        .order_by(SIGHTS.c.first, keys.c.commitment, keys.c.fingerprint)
    )
    if owner:
        own = select(keys.c.commitment).where(keys.c.fingerprint == owner)
        query = query.where(keys.c.commitment.in_(own))
    found: dict[str, Registration] = {}
    with database.reading() as connection:
        for digest, fingerprint, first in connection.execute(query):
            name = bytes(digest).hex()
            known = found[name].owner_keys if name in found else ()
            found[name] = Registration(name, (*known, fingerprint), whole(first))
    return tuple(found.values())


def keep_listing(
    database: Database, name: str, suspect: SuspectIdentity, url: str, description: str
) -> None:
    """Keep that a suspect is offered under a listing's id, once. Raises UsageError."""
    require_listing_id(name)
    require_text(url, MOST_TEXT)
    require_text(description, MOST_TEXT)
    digest = suspect_digest(suspect)
    with database.writing(hashlib.sha256(name.encode() + digest).digest()) as connection:
        known = select(LISTINGS.c.id).where(LISTINGS.c.id == name, LISTINGS.c.suspect == digest)
        if connection.execute(known).first() is None:
            connection.execute(
                insert(LISTINGS),
                {
                    "id": name,
                    "suspect": digest,
                    "kind": suspect.kind,
                    "model": suspect.digest,
                    "url": url,
                    "description": description,
                },
            )


def listings(
    database: Database, *, name: str | None = None, suspect: SuspectIdentity | None = None
) -> tuple[Listing, ...]:
    """Listings in the order in which they were seen: all, or those of an id or a suspect."""
    query = select(LISTINGS, SIGHTS.c.first).join(SIGHTS, SIGHTS.c.digest == LISTINGS.c.suspect)
    if name is not None:
        query = query.where(LISTINGS.c.id == name)
    if suspect is not None:
        query = query.where(LISTINGS.c.suspect == suspect_digest(suspect))
    with database.reading() as connection:
        rows = connection.execute(query.order_by(SIGHTS.c.first, LISTINGS.c.id)).all()
    return tuple(
        Listing(row.id, row.kind, bytes(row.model).hex(), row.url, row.description, row.first)
        for row in rows
    )


def require_listing_id(name: str) -> None:
    """Raise UsageError unless this is 1 to 200 printable characters."""
    if not (isinstance(name, str) and 1 <= len(name) <= MOST_ID and name.isprintable()):
        raise UsageError(f"a listing's id is 1 to {MOST_ID} printable characters")
