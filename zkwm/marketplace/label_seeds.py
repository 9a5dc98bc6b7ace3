"""Seeds of derived labels, kept by D: each costs a second and 256 MiB (SPEC.md 5.4).

A seed is public, and all labels follow from it: a tag by the judge's key tells one that was put
there by somebody else, or that belongs to another beacon, which is derived anew.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import delete, insert, select

from zkwm.judge.key_file import JudgeKey
from zkwm.registry_database.database import Database
from zkwm.registry_database.tables import LABEL_SEEDS
from zkwm_protocols import labels
from zkwm_protocols.commitment import Commitment, LabelMode
from zkwm_protocols.errors import ZkwmError


@contextmanager
def known_seed(database: Database, key: JudgeKey, commitment: Commitment) -> Iterator[None]:
    """Derive a commitment's seed once for all desks; the block finds it known.

    No lock is held meanwhile. Where the beacon of the labels does not verify there is no seed: the
    judge says by which check. Raises CouldNotCheck where there is not enough memory.
    """
    known = commitment.header.label_mode == LabelMode.DERIVED
    beacon: bytes | None = None
    if known:
        try:
            beacon = commitment.beacon()
        except ZkwmError:
            known = False
    if not known:
        yield
        return
    digest = commitment.digest
    seed = _find(database, key, digest, beacon)
    if seed is None:
        seed = labels.label_seed(digest, beacon)
        _keep(database, digest, seed, key.seed_tag(digest, beacon, seed))
    with labels.KeptSeed(digest, beacon, seed):
        yield


def _find(database: Database, key: JudgeKey, digest: bytes, beacon: bytes | None) -> bytes | None:
    """The kept seed, where its tag is this judge's, for this beacon."""
    query = select(LABEL_SEEDS.c.seed, LABEL_SEEDS.c.tag).where(LABEL_SEEDS.c.commitment == digest)
    with database.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    seed, tag = bytes(row.seed), bytes(row.tag)
    return seed if hmac.compare_digest(key.seed_tag(digest, beacon, seed), tag) else None


def _keep(database: Database, digest: bytes, seed: bytes, tag: bytes) -> None:
    """Keep a seed, in the place of one whose tag is another's."""
    with database.writing(digest) as connection:
        connection.execute(delete(LABEL_SEEDS).where(LABEL_SEEDS.c.commitment == digest))
        connection.execute(
            insert(LABEL_SEEDS),
            {"commitment": digest, "seed": seed, "tag": tag},
        )
