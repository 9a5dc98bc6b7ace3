"""The tables of a marketplace's database, beside those of the judge's ledger.

Times are whole seconds since 1970, digests 32 bytes. States are not stored: they follow from the
times, so that a deadline passes without anybody's doing (``zkwm.marketplace.cases``).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

VERSION = 1

METADATA = MetaData()


def _digest(name: str, *rest: ForeignKey, primary_key: bool = False) -> Column[bytes]:
    """A column of digests."""
    return Column(name, LargeBinary, *rest, nullable=False, primary_key=primary_key)


def _number(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[int]:
    """A column of whole numbers or times."""
    return Column(name, BigInteger, nullable=nullable, primary_key=primary_key)


SCHEMA = Table(
    "marketplace_schema",
    METADATA,
    _number("version"),
    Column("identity", LargeBinary, nullable=False),  # 16 random bytes: this database, no other
)

COMMITMENTS = Table(
    "commitments",
    METADATA,
    _digest("digest", primary_key=True),
    Column("file", LargeBinary, nullable=False),
    _number("registered"),
    _number("channels"),
    _number("height"),
    _number("width"),
    _number("class_count"),
    _number("block_size"),
    _number("block_count"),
    Column("derived", Boolean, nullable=False),
    Column("class_names", Text),  # JSON, where they are committed
)
Index("commitments_by_shape", *(COMMITMENTS.c[name] for name in ("height", "width", "channels")))

COMMITMENT_KEYS = Table(
    "commitment_keys",
    METADATA,
    _digest("commitment", ForeignKey("commitments.digest"), primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Index("commitments_by_key", "fingerprint"),
)

LABEL_SEEDS = Table(
    "label_seeds",
    METADATA,
    _digest("commitment", ForeignKey("commitments.digest"), primary_key=True),
    _digest("seed"),
    _digest("tag"),  # by the judge's key: labels follow from the seed
)

LISTINGS = Table(
    "listings",
    METADATA,
    Column("id", Text, primary_key=True),
    _digest("suspect", primary_key=True),  # ``zkwm.judge.ledger.suspect_digest``
    Column("kind", Text, nullable=False),
    _digest("model"),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    Index("listings_by_suspect", "suspect"),
)

CASES = Table(
    "cases",
    METADATA,
    _digest("challenge", primary_key=True),
    _digest("commitment", ForeignKey("commitments.digest")),
    _digest("suspect"),
    Column("listing", Text, nullable=False),
    Column("file", LargeBinary, nullable=False),
    _number("asked"),
    _number("answer_by", nullable=True),
    _number("answered", nullable=True),
    _number("decided", nullable=True),
    _number("withdrawn", nullable=True),
    Column("reason", Text, nullable=False),
    Index("cases_by_time", "asked", "challenge"),
    Index("cases_by_commitment", "commitment", "asked"),
    Index("cases_by_listing", "listing", "asked"),
)

PROOFS = Table(
    "proofs",
    METADATA,
    _digest("challenge", ForeignKey("cases.challenge"), primary_key=True),
    _number("number", primary_key=True),
    _digest("digest"),
    Column("file", LargeBinary, nullable=False),
    _number("received"),
)

VERDICTS = Table(
    "verdicts",
    METADATA,
    _digest("challenge", ForeignKey("cases.challenge"), primary_key=True),
    Column("outcome", Text, nullable=False),
    _number("progress"),  # how far the checks came; nothing takes back what came further
    _number("checked"),
    Column("document", Text, nullable=False),  # JSON, schema zkwm/verdict/v1
    Column("file", LargeBinary, nullable=False),  # signed by the judge (SPEC.md 10.4)
    Column("report", Text, nullable=False),
    Column("report_public", Text, nullable=False),
)
