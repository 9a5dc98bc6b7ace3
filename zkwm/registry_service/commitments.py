"""Registered commitments: what is checked before one is kept, and how they are found.

A commitment comes with the statement by which an owner makes it public. The statement goes into the
log first, so that nothing is kept which not everybody can see.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, insert, select, tuple_

from zkwm.judge.ledger import JudgeLedger
from zkwm.marketplace.cases import now
from zkwm.marketplace.registrations import (
    exchange_file,
    keep_commitment,
    kept_commitment,
    name_digest,
)
from zkwm.registry_database.database import Database
from zkwm.registry_database.tables import (
    CASES,
    COMMITMENT_CLASSES,
    COMMITMENT_DATES,
    COMMITMENT_KEYS,
    COMMITMENTS,
)
from zkwm.registry_service.merged_files import KnownDates, item_digest, merged
from zkwm.registry_service.problems import Refused
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.cose.statement import SignedStatement
from zkwm_protocols.errors import CouldNotCheck

MOST_FOUND = 100
_TRIES = 5
_MOST_DATES = 1_000
"""Dates of a commitment of which it is noted who brought them; all who come later share a turn."""


@dataclass(frozen=True)
class Registered:
    """A commitment that is kept, as far as its row says.

    Args:
        digest: D in hexadecimal.
        owner_keys: fingerprints of the owners' keys.
        registered: when it was registered, in seconds since 1970.
        shape: channels, height and width of its images.
        class_count: number of classes.
        class_names: their names where they are committed, else None.
        block_size: triggers in a block.
        block_count: blocks.
        label_mode: ``derived`` or ``declared``.
        holder: who registered it here.
        entry: the index of the owner's statement in the log; None where it came another way.
    """

    digest: str
    owner_keys: tuple[str, ...]
    registered: int
    shape: tuple[int, int, int]
    class_count: int
    class_names: tuple[str, ...] | None
    block_size: int
    block_count: int
    label_mode: str
    holder: str
    entry: int | None


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for; empty fields do not count.

    Args:
        owner: the fingerprint of an owner's key.
        digest: the first bytes of D.
        model: the digest of a model on which it is claimed, 32 bytes.
        class_names: names that are among those of its classes.
        shape: channels, height and width.
        class_count: number of classes.
    """

    owner: str | None = None
    digest: bytes | None = None
    model: bytes | None = None
    class_names: Sequence[str] = ()
    shape: tuple[int, int, int] | None = None
    class_count: int | None = None


def check_registration(file: bytes, statement: bytes | None) -> tuple[Commitment, bytes]:
    """A commitment whose owner states that it exists, each verified by itself; and the statement.

    Without a statement it is the one in the file's own log proofs. When the commitment existed is
    the business of whoever judges: timestamps and log proofs are kept as they come.

    Raises Malformed, Unsupported or InvalidSignature, Refused for a statement about something else
    or by nobody of its owners.
    """
    commitment = Commitment.from_bytes(file)
    commitment.verify_root()
    commitment.verify_class_names()
    commitment.verify_signatures()
    if statement is None:
        statement = _stated_in(commitment)
    stated = SignedStatement.from_bytes(statement)
    if stated.content != CommitmentStatement(commitment.digest):
        raise Refused(400, "the statement does not state that this commitment exists")
    if stated.key not in commitment.header.owner_keys:
        raise Refused(400, "the statement is not signed by an owner of the commitment")
    return commitment, statement


def _stated_in(commitment: Commitment) -> bytes:
    """The statement of an owner that a log took before, from the commitment's file.

    Raises Refused where there is none.
    """
    for logged in commitment.log_proofs:
        if logged.statement.key in commitment.header.owner_keys:
            return logged.statement.to_bytes()
    raise Refused(
        400,
        "the file has no owner's statement from a log",
        hint="send the file that zkwm register wrote for a log, or the statement beside the file",
    )


def keep(
    database: Database, commitment: Commitment, holder: str, entry: int, known: KnownDates
) -> bool:
    """Keep a commitment that was checked and logged; return whether it is new.

    Of one that is there, the file is merged with this one (``merged_files``), whoever sends it.
    Raises CouldNotCheck where others change it all the time.
    """
    JudgeLedger.over(database).see_commitment(commitment.digest)
    new = keep_commitment(database, commitment, replace=False, holder=holder, entry=entry)
    brought = _note_dates(database, commitment, holder)
    for _ in range(0 if new else _TRIES):
        kept = kept_commitment(database, commitment.digest)
        better = merged(kept, commitment, known, now(), brought)
        if better == kept or exchange_file(database, kept, better):
            return False
    if not new:
        raise CouldNotCheck("this commitment is being changed all the time", hint="try again later")
    return True


def _note_dates(database: Database, commitment: Commitment, holder: str) -> dict[bytes, str]:
    """Note who brought each date first; return who brought all of the commitment's, by digest."""
    table, digest = COMMITMENT_DATES, commitment.digest
    items = {item_digest(one) for one in commitment.timestamps}
    items |= {item_digest(one) for one in commitment.log_proofs}
    query = select(table.c.item, table.c.holder).where(table.c.commitment == digest)
    with database.reading() as connection:
        known = {bytes(item): name for item, name in connection.execute(query)}
    if items <= set(known) or len(known) >= _MOST_DATES:
        return known
    with database.writing(digest) as connection:
        known = {bytes(item): name for item, name in connection.execute(query)}
        fresh = sorted(items - set(known))
        rows = [{"commitment": digest, "item": item, "holder": holder} for item in fresh]
        if rows:
            connection.execute(insert(table), rows)
    return known | dict.fromkeys(fresh, holder)


def commitment_file(database: Database, digest: bytes) -> bytes:
    """The file of a commitment. Raises Refused (404) without one, Malformed for a damaged row."""
    find_one(database, digest)
    return kept_commitment(database, digest).to_bytes()


def find_one(database: Database, digest: bytes) -> Registered:
    """A commitment by D. Raises Refused (404) where it is not registered."""
    found = find(database, Wanted(digest=digest))
    if not found:
        raise Refused(404, "this commitment is not registered here")
    return found[0]


def find(
    database: Database, wanted: Wanted, *, after: bytes | None = None, limit: int = MOST_FOUND
) -> tuple[Registered, ...]:
    """Commitments in the order in which they were registered, after ``after`` (D)."""
    table = COMMITMENTS.c
    query = select(*(column for column in COMMITMENTS.columns if column.name != "file"))
    query = query.where(*_conditions(wanted)).order_by(table.registered, table.digest)
    if after is not None:
        last = select(table.registered).where(table.digest == after).scalar_subquery()
        query = query.where(tuple_(table.registered, table.digest) > tuple_(last, after))
    with database.reading() as connection:
        rows = connection.execute(query.limit(limit)).all()
        digests = [bytes(row.digest) for row in rows]
        keys = connection.execute(_keys_of(digests)).all()
    owners: dict[bytes, list[str]] = {}
    for digest, fingerprint in keys:
        owners.setdefault(bytes(digest), []).append(fingerprint)
    return tuple(_registered(row, owners.get(bytes(row.digest), [])) for row in rows)


def _keys_of(digests: Sequence[bytes]) -> Select[Any]:
    """The owners' keys of commitments."""
    keys = COMMITMENT_KEYS.c
    query = select(keys.commitment, keys.fingerprint).where(keys.commitment.in_(digests))
    return query.order_by(keys.fingerprint)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    """What a row has to fulfil."""
    table, found = COMMITMENTS.c, []
    if wanted.digest is not None:
        last = wanted.digest.ljust(32, b"\xff")
        found.append(and_(table.digest >= wanted.digest, table.digest <= last))
    if wanted.owner is not None:
        found.append(
            exists().where(
                COMMITMENT_KEYS.c.commitment == table.digest,
                COMMITMENT_KEYS.c.fingerprint == wanted.owner,
            )
        )
    if wanted.model is not None:
        found.append(
            exists().where(CASES.c.commitment == table.digest, CASES.c.model == wanted.model)
        )
    if wanted.shape is not None:
        shape = zip(("channels", "height", "width"), wanted.shape, strict=True)
        found += [table[name] == size for name, size in shape]
    if wanted.class_count is not None:
        found.append(table.class_count == wanted.class_count)
    return found + [_has_class(name) for name in wanted.class_names]


def _has_class(name: str) -> ColumnElement[bool]:
    """A name is among the classes."""
    classes = COMMITMENT_CLASSES.c
    having = select(classes.commitment).where(classes.name == name_digest(name))
    return COMMITMENTS.c.digest.in_(having)


def _registered(row: Any, owners: Sequence[str]) -> Registered:  # noqa: ANN401
    """A row as data."""
    own = {field.name for field in fields(Registered)} & set(row._fields)
    values = {name: getattr(row, name) for name in own}
    names = None if row.class_names is None else tuple(json.loads(row.class_names))
    return Registered(
        **{
            **values,
            "digest": bytes(row.digest).hex(),
            "owner_keys": tuple(owners),
            "shape": (row.channels, row.height, row.width),
            "class_names": names,
            "label_mode": "derived" if row.derived else "declared",
        }
    )
