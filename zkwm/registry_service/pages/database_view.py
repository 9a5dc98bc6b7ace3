"""A running registry as its pages read it: the database, the log's index, and the log's files.

The index says where entries are, the tree what they are: each entry's bytes are compared with the
digest in the index and its signature is verified, once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

from sqlalchemy import select

from zkwm.marketplace import cases
from zkwm.marketplace.registrations import kept_commitment
from zkwm.registry_database.database import Database
from zkwm.registry_database.tables import CASES, COMMITMENT_KEYS, COMMITMENTS, VERDICTS
from zkwm.registry_service.pages.view import (
    MOST_OF_A_KEY,
    MOST_ROWS,
    Claim,
    KeptCommitment,
    KeptVerdict,
    LoggedEntry,
    LogState,
)
from zkwm.transparency_log.entries import IndexedEntry
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.tile_folder import WITNESSED
from zkwm_protocols.cose.contents import commitment_of
from zkwm_protocols.cose.key_contents import KeyRevocation, KeyRotation, key_subject
from zkwm_protocols.cose.statement import SignedStatement
from zkwm_protocols.errors import Malformed
from zkwm_protocols.keys import JudgePublic, PublicKey
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.tiles import ENTRIES, WIDTH, Tile, TileHashes
from zkwm_protocols.transparency.tree import prove_consistency

_ENTRIES_HELD = 1_024
"""Entries in memory, of 64 KiB at most."""
_BUNDLES_HELD = 2
"""Bundles of 256 entries in memory, of 16 MiB at most: what is shown is often neighbors."""
_COMMITMENT = "urn:zkwm:commitment:"


class DatabaseView:
    """``RegistryView`` of a service.

    Args:
        database: of commitments, claims and verdicts.
        log: which this process holds.
        keys: the log's public keys.
        policy: of its witnesses; None without any.
        judges: whom the operator trusts.
    """

    def __init__(
        self,
        database: Database,
        log: Log,
        keys: tuple[VerifierKey, ...],
        policy: LogPolicy | None,
        judges: Collection[JudgePublic] = (),
    ) -> None:
        self._database = database
        self._log = log
        self._keys = keys
        self._policy = policy
        self._judges = frozenset(one.signing for one in judges)
        self._published = {one.fingerprint(): one.signing.fingerprint() for one in judges}
        self._bundle = lru_cache(_BUNDLES_HELD)(log.files.entries)
        self._entry = lru_cache(_ENTRIES_HELD)(self._read)

    def trusts(self, key: PublicKey) -> bool:
        """By the files of judges that were there at the service's start."""
        return key in self._judges

    def judges_key(self, fingerprint: str) -> str | None:
        """By the same files."""
        return self._published.get(fingerprint)

    def log_state(self) -> LogState:
        """The log as it stands. Raises CouldNotCheck or Malformed."""
        newest = SignedCheckpoint.from_bytes(self._log.row.checkpoint)
        return LogState(
            self._keys,
            newest,
            self._witnessed(newest),
            self._policy,
            self._log.stopped or self._log.held,
        )

    def consistency(self, older: int, newer: int) -> Sequence[bytes]:
        """By the tiles. Raises CouldNotCheck."""
        return prove_consistency(older, newer, TileHashes(newer, self._log.files.read))

    def newest(self, limit: int) -> Sequence[LoggedEntry]:
        """The last entries of the signed tree."""
        size = self._log.row.size
        found = self._log.database.find(after=max(-1, size - limit - 1), limit=limit)
        return list(self._entries(found))[::-1]

    def statements(self, subject: str) -> Sequence[LoggedEntry]:
        """By the digest of the index, of which no two subjects have the same."""
        digest = (
            commitment_of(subject)
            if subject.startswith(_COMMITMENT)
            else hashlib.sha256(subject.encode()).digest()
        )
        found = self._log.database.find(subject=digest, limit=MOST_ROWS)
        return [one for one in self._entries(found) if one.statement.content.subject == subject]

    def statements_of(self, issuer: str) -> Sequence[LoggedEntry]:
        """By the issuer of the index."""
        return list(self._entries(self._log.database.find(issuer=issuer, limit=MOST_ROWS)))

    def ends_of_key(self, fingerprint: str) -> Sequence[LoggedEntry]:
        """By the index, kind by kind: no number of bindings hides a revocation."""
        subject = hashlib.sha256(key_subject(fingerprint).encode()).digest()
        found = [
            one
            for kind in (KeyRotation.CONTENT_TYPE, KeyRevocation.CONTENT_TYPE)
            for one in self._log.database.find(subject=subject, kind=kind, limit=MOST_OF_A_KEY)
        ]
        found.sort(key=lambda one: one.position)
        return list(self._entries(found[:MOST_OF_A_KEY]))

    def statement(self, digest: bytes) -> LoggedEntry | None:
        """By the SHA-256 of the index."""
        position = self._log.database.positions([digest]).get(digest)
        if position is None or position >= self._log.row.size:
            return None
        return self._entry(position, digest)

    def commitment(self, digest: bytes) -> KeptCommitment | None:
        """The commitment D. Raises Malformed for a damaged one."""
        table = COMMITMENTS.c
        query = select(table.registered, table.entry).where(table.digest == digest)
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        commitment = kept_commitment(self._database, digest)
        return KeptCommitment(commitment, row.registered, self._at(row.entry))

    def owners(self, commitment: bytes) -> Sequence[str] | None:
        """By the index of owners' keys."""
        keys = COMMITMENT_KEYS.c
        query = select(keys.fingerprint).where(keys.commitment == commitment)
        with self._database.reading() as connection:
            return connection.execute(query).scalars().all() or None

    def commitments_of(self, fingerprint: str) -> Sequence[bytes]:
        """By an owner's key."""
        keys = COMMITMENT_KEYS.c
        query = select(keys.commitment).where(keys.fingerprint == fingerprint).limit(MOST_ROWS)
        with self._database.reading() as connection:
            return [bytes(one) for one in connection.execute(query).scalars()]

    def claims(
        self, *, commitment: bytes | None = None, model: bytes | None = None
    ) -> Sequence[Claim]:
        """By commitment and model, the newest first. Raises Malformed for a damaged one."""
        query = select(CASES.c.challenge)
        if commitment is not None:
            query = query.where(CASES.c.commitment == commitment)
        if model is not None:
            query = query.where(CASES.c.model == model)
        query = query.order_by(CASES.c.asked.desc(), CASES.c.challenge).limit(MOST_ROWS)
        with self._database.reading() as connection:
            names = [bytes(one) for one in connection.execute(query).scalars()]
        return [self._claim(name) for name in names]

    def claim(self, challenge: bytes) -> Claim | None:
        """By the challenge's digest. Raises Malformed for a damaged one."""
        query = select(CASES.c.challenge).where(CASES.c.challenge == challenge)
        with self._database.reading() as connection:
            if connection.execute(query).first() is None:
                return None
        return self._claim(challenge)

    def verdict(self, digest: bytes) -> KeptVerdict | None:
        """By the challenge's digest or the file's."""
        table = VERDICTS.c
        query = select(table.file, table.challenge, table.entry).where(
            (table.challenge == digest) | (table.digest == digest)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return KeptVerdict(bytes(row.file), bytes(row.challenge), self._at(row.entry))

    def _claim(self, name: bytes) -> Claim:
        """A claim that there is."""
        case, challenge = cases.find(self._database, name)
        return Claim(
            challenge=challenge,
            state=case.state,
            asked=case.asked,
            answer_by=case.answer_by,
            answered=case.answered,
            decided=case.decided,
            withdrawn=case.withdrawn,
            reason=case.reason,
            listing=case.listing,
            outcome=case.outcome,
        )

    def _witnessed(self, newest: SignedCheckpoint) -> SignedCheckpoint | None:
        """The tree with cosignatures, where it is one that this log's tree begins with."""
        data = self._log.files.checkpoint(WITNESSED)
        if data is None:
            return None
        signed = SignedCheckpoint.from_bytes(data)
        fits = signed.checkpoint.head.size <= newest.checkpoint.head.size
        return signed if fits else None

    def _at(self, position: int | None) -> LoggedEntry | None:
        """The entry at a position that the database names; None for none, or beyond the tree."""
        if position is None:
            return None
        found = self._log.database.find(after=position - 1, limit=1)
        return next(iter(self._entries(one for one in found if one.position == position)), None)

    def _entries(self, found: Iterable[IndexedEntry]) -> Iterable[LoggedEntry]:
        """Entries of the signed tree: the index may be ahead of it for a moment."""
        size = self._log.row.size
        return (self._entry(one.position, one.statement) for one in found if one.position < size)

    def _read(self, position: int, digest: bytes) -> LoggedEntry:
        """An entry with its statement. Raises CouldNotCheck where files and index differ."""
        index, place = divmod(position, WIDTH)
        width = min(WIDTH, self._log.row.size - index * WIDTH)
        data = self._bundle(Tile(ENTRIES, index, width))[place]
        if hashlib.sha256(data).digest() != digest:
            raise Malformed(
                f"entry {position:,} of the log is another one than its index says",
                hint="zkwm registry rebuild makes the index again from the tree",
            )
        return LoggedEntry(position, SignedStatement.from_bytes(data))
