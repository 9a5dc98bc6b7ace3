"""The tables of a marketplace, those of its judge's ledger, and the version of them all.

States of cases are not stored: they follow from the times, so that a deadline passes without
anybody's doing (``zkwm.marketplace.cases``). What only the service writes is in ``service_tables``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, LargeBinary, String, Table
from sqlalchemy import Text as TextType

from zkwm.judge import ledger_tables
from zkwm.judge.ledger_tables import LedgerTable
from zkwm.registry_database.service_tables import METADATA as METADATA
from zkwm.sql_columns import digest, file, number, words

VERSION = "2"
"""The newest of ``migrations``, which this zkwm keeps."""
OLDER = ("1",)
"""Those from which ``migrations`` lead to it."""
EARLIER = "marketplace_schema"
"""A table that only databases before these versions have."""

SCHEMA = Table("zkwm_schema", METADATA, Column("version_num", String(32), primary_key=True))
"""One row: the version, as alembic keeps it."""
IDENTITY = Table("zkwm_identity", METADATA, file("identity", primary_key=True))

COMMITMENTS = Table(
    "commitments",
    METADATA,
    digest("digest", primary_key=True),
    file("file"),
    number("registered"),
    number("channels"),
    number("height"),
    number("width"),
    number("class_count"),
    number("block_size"),
    number("block_count"),
    Column("derived", Boolean, nullable=False),
    words("class_names", nullable=True),  # JSON, where they are committed
    words("holder", default=""),  # who registered it at the service
    number("entry", nullable=True),  # the index of the owner's statement in the log
    Index("commitments_by_time", "registered", "digest"),
    Index("commitments_by_shape", "height", "width", "channels"),
)

COMMITMENT_KEYS = Table(
    "commitment_keys",
    METADATA,
    digest("commitment", ForeignKey("commitments.digest"), primary_key=True),
    words("fingerprint", primary_key=True),
    Index("commitments_by_key", "fingerprint"),
)

COMMITMENT_CLASSES = Table(
    "commitment_classes",
    METADATA,
    digest("name", primary_key=True),  # SHA-256 of a class's name in UTF-8
    digest("commitment", ForeignKey("commitments.digest"), primary_key=True),
    Index("commitment_classes_by_commitment", "commitment"),
)

COMMITMENT_DATES = Table(
    "commitment_dates",
    METADATA,
    digest("commitment", ForeignKey("commitments.digest"), primary_key=True),
    digest("item", primary_key=True),  # of a timestamp or log proof in its file
    words("holder"),  # who brought it to the service first
)

LABEL_SEEDS = Table(
    "label_seeds",
    METADATA,
    digest("commitment", ForeignKey("commitments.digest"), primary_key=True),
    digest("seed"),
    digest("tag"),  # by the judge's key: labels follow from the seed
)

LISTINGS = Table(
    "listings",
    METADATA,
    words("id", primary_key=True),
    digest("suspect", primary_key=True),  # ``zkwm.judge.ledger.suspect_digest``
    words("kind"),
    digest("model"),
    words("url"),
    words("description"),
    Index("listings_by_suspect", "suspect"),
)

CASES = Table(
    "cases",
    METADATA,
    digest("challenge", primary_key=True),
    digest("commitment", ForeignKey("commitments.digest")),
    digest("suspect"),
    digest("model"),  # the suspect's own digest, by which people look for it
    words("listing"),
    words("holder", default=""),  # who asked at the service; empty for the desk itself
    file("file"),
    number("asked"),
    number("answer_by", nullable=True),
    number("answered", nullable=True),
    number("decided", nullable=True),
    number("withdrawn", nullable=True),
    words("reason"),
    number("told", nullable=True),  # the deadline of which the feed says that it passed
    Index("cases_by_time", "asked", "challenge"),
    Index("cases_by_commitment", "commitment", "asked"),
    Index("cases_by_listing", "listing", "asked"),
    Index("cases_by_model", "model", "asked"),
)

PROOFS = Table(
    "proofs",
    METADATA,
    digest("challenge", ForeignKey("cases.challenge"), primary_key=True),
    number("number", primary_key=True),
    digest("digest"),
    file("file"),
    number("received"),
)

VERDICTS = Table(
    "verdicts",
    METADATA,
    digest("challenge", ForeignKey("cases.challenge"), primary_key=True),
    words("outcome"),
    number("progress"),  # how far the checks came; nothing takes back what came further
    number("checked"),
    words("document"),  # JSON, schema zkwm/verdict/v1
    file("file"),  # signed by the judge (SPEC.md 10.4)
    digest("digest"),  # SHA-256 of the file
    number("entry", nullable=True),  # the index of the judge's statement in the log
    words("report"),
    words("report_public"),
    Index("verdicts_by_digest", "digest"),
)

_KINDS = {"BLOB": LargeBinary, "BIGINT": BigInteger, "TEXT": TextType}


def _ledger_table(described: LedgerTable) -> Table:
    """A table of the judge's ledger, as in a lone judge's file."""
    columns: list[Column[Any]] = [
        Column(name, _KINDS[kind], primary_key=name in described.key, autoincrement=False)
        for name, kind in described.columns.items()
    ]
    return Table(described.name, METADATA, *columns)


LEDGER = {described.name: _ledger_table(described) for described in ledger_tables.TABLES}
SIGHTS = LEDGER[ledger_tables.SIGHTS.name]
_INDEX, _INDEXED, _COLUMNS = ledger_tables.FUNCTION_NUMBERS
Index(_INDEX, *(LEDGER[_INDEXED].c[name] for name in _COLUMNS))
