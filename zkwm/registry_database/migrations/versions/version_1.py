"""Version 1: the tables of marketplace, judge's ledger and service, in a database without any."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zkwm.sql_columns import digest, file, number, position, words

revision = "1"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    _commitments()
    _cases()
    _ledger()
    _service()
    _work()


def _commitments() -> None:
    """Commitments, listings, and which database this is."""
    op.create_table(
        "commitments", file("digest", primary_key=True), file("file"), number("registered"),
        number("channels"), number("height"), number("width"), number("class_count"),
        number("block_size"), number("block_count"),
        sa.Column("derived", sa.Boolean, nullable=False), words("class_names", nullable=True),
        words("holder"), number("entry", nullable=True),
    )  # fmt: skip
    op.create_index("commitments_by_shape", "commitments", ["height", "width", "channels"])
    op.create_index("commitments_by_time", "commitments", ["registered", "digest"])
    op.create_table(
        "commitment_keys",
        digest("commitment", sa.ForeignKey("commitments.digest"), primary_key=True),
        words("fingerprint", primary_key=True),
    )  # fmt: skip
    op.create_index("commitments_by_key", "commitment_keys", ["fingerprint"])
    op.create_table(
        "label_seeds",
        digest("commitment", sa.ForeignKey("commitments.digest"), primary_key=True),
        file("seed"), file("tag"),
    )  # fmt: skip
    op.create_table(
        "listings", words("id", primary_key=True), file("suspect", primary_key=True),
        words("kind"), file("model"), words("url"), words("description"),
    )  # fmt: skip
    op.create_index("listings_by_suspect", "listings", ["suspect"])
    op.create_table(
        "zkwm_identity", file("identity", primary_key=True)
    )  # fmt: skip


def _cases() -> None:
    """Cases with answers and verdicts."""
    op.create_table(
        "cases", file("challenge", primary_key=True),
        digest("commitment", sa.ForeignKey("commitments.digest")), file("suspect"),
        file("model"), words("listing"), words("holder"), file("file"),
        number("asked"), number("answer_by", nullable=True), number("answered", nullable=True),
        number("decided", nullable=True), number("withdrawn", nullable=True), words("reason"),
        number("told", nullable=True),
    )  # fmt: skip
    op.create_index("cases_by_commitment", "cases", ["commitment", "asked"])
    op.create_index("cases_by_listing", "cases", ["listing", "asked"])
    op.create_index("cases_by_model", "cases", ["model", "asked"])
    op.create_index("cases_by_time", "cases", ["asked", "challenge"])
    op.create_table(
        "proofs", digest("challenge", sa.ForeignKey("cases.challenge"), primary_key=True),
        number("number", primary_key=True), file("digest"), file("file"), number("received"),
    )  # fmt: skip
    op.create_table(
        "verdicts", digest("challenge", sa.ForeignKey("cases.challenge"), primary_key=True),
        words("outcome"), number("progress"), number("checked"), words("document"), file("file"),
        file("digest"), number("entry", nullable=True), words("report"), words("report_public"),
    )  # fmt: skip
    op.create_index("verdicts_by_digest", "verdicts", ["digest"])


def _ledger() -> None:
    """The judge's ledger."""
    op.create_table(
        "ledger_challenges", file("digest", primary_key=True), file("commitment", nullable=True),
        file("function", nullable=True), file("suspect", nullable=True),
        number("issued", nullable=True),
    )  # fmt: skip
    op.create_table(
        "ledger_functions", file("commitment", primary_key=True),
        file("function", primary_key=True), number("number", nullable=True),
    )  # fmt: skip
    op.create_index("ledger_function_numbers", "ledger_functions", ["commitment", "number"])
    op.create_table(
        "ledger_answers", file("question", primary_key=True), file("image", primary_key=True),
        number("output", nullable=True), file("scores", nullable=True),
    )  # fmt: skip
    op.create_table(
        "ledger_askings", file("challenge", primary_key=True), number("count", nullable=True)
    )  # fmt: skip
    op.create_table(
        "ledger_openings", file("commitment", primary_key=True),
        file("suspect", primary_key=True),
        number("block", primary_key=True, autoincrement=False), number("first", nullable=True),
    )  # fmt: skip
    op.create_table(
        "ledger_verdicts", file("challenge", primary_key=True),
        number("number", primary_key=True, autoincrement=False), file("proof", nullable=True),
        words("outcome", nullable=True), number("checked", nullable=True),
    )  # fmt: skip
    op.create_table(
        "ledger_sights", file("digest", primary_key=True), number("first", nullable=True)
    )  # fmt: skip


def _service() -> None:
    """Keys of the service, and the feed."""
    op.create_table(
        "api_keys", words("id", primary_key=True), file("hash"), words("holder"),
        words("scopes"), number("per_minute"), number("made"), number("revoked", nullable=True),
    )  # fmt: skip
    op.create_table(
        "events", position("number"), number("time"), words("kind"), words("subject"), words("data")
    )  # fmt: skip
    op.create_index("events_by_subject", "events", ["subject", "number"])


def _work() -> None:
    """What the service does by and by."""
    op.create_table(
        "jobs", position("number", counted=True), words("kind"), words("state"),
        words("payload"), words("result", nullable=True), number("attempts"),
        number("not_before"), words("lease_owner", nullable=True),
        number("lease_until", nullable=True), number("heartbeat", nullable=True), number("made"),
        number("ended", nullable=True),
    )  # fmt: skip
    op.create_index("jobs_by_state", "jobs", ["state", "not_before"])
    op.create_table(
        "webhooks", position("number", counted=True), words("holder"), words("url"),
        file("secret"), words("kinds"), number("after"), number("made"),
        number("ended", nullable=True),
    )  # fmt: skip
    op.create_index("webhooks_by_holder", "webhooks", ["holder"])
    op.create_table(
        "deliveries", position("webhook", sa.ForeignKey("webhooks.number")),
        position("event", sa.ForeignKey("events.number")), number("attempts"),
        number("next_time", nullable=True), number("last_status", nullable=True),
        words("last_error"), number("delivered", nullable=True),
    )  # fmt: skip
    op.create_index("deliveries_by_time", "deliveries", ["next_time"])
