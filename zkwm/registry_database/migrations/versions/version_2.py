"""Version 2: names of classes by their digests, for an index; who brought dates of a commitment."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

from zkwm.sql_columns import digest, words

revision = "2"
down_revision = "1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and fill that of names from those that commitments have."""
    op.create_table(
        "commitment_dates",
        digest("commitment", sa.ForeignKey("commitments.digest"), primary_key=True),
        digest("item", primary_key=True),
        words("holder"),
    )
    classes = op.create_table(
        "commitment_classes",
        digest("name", primary_key=True),
        digest("commitment", sa.ForeignKey("commitments.digest"), primary_key=True),
    )
    op.create_index("commitment_classes_by_commitment", "commitment_classes", ["commitment"])
    known = sa.table("commitments", digest("digest"), words("class_names"))
    connection = op.get_bind()
    found = connection.execute(sa.select(known).where(known.c.class_names.isnot(None))).all()
    for commitment, names in found:
        rows = [
            {"name": hashlib.sha256(name.encode()).digest(), "commitment": bytes(commitment)}
            for name in json.loads(names)
        ]
        connection.execute(sa.insert(classes), rows)
