"""The tables that only a registry's service writes: keys, the feed, webhooks, jobs.

Whoever calls the service is a holder: a name that one or more API keys stand for. What a holder
asked or registered stays theirs when a key is exchanged.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, MetaData, Table

from zkwm.sql_columns import digest, file, number, position, words

METADATA = MetaData()
"""Of the whole database: ``zkwm.registry_database.tables`` adds those of the marketplace."""

API_KEYS = Table(
    "api_keys",
    METADATA,
    words("id", primary_key=True),  # public; what revocations and logs name
    digest("hash"),  # SHA-256 of the secret, 32 random bytes that are kept nowhere
    words("holder"),
    words("scopes"),  # separated by spaces
    number("per_minute"),  # requests that the key may make in a minute
    number("made"),
    number("revoked", nullable=True),
)

EVENTS = Table(
    "events",
    METADATA,
    position("number"),  # ascending in the order of commits: a reader's cursor (``events``)
    number("time"),
    words("kind"),
    words("subject"),  # a digest in hexadecimal: of a commitment, or of a claim's challenge
    words("data"),  # JSON, a small map
    Index("events_by_subject", "subject", "number"),
)

JOBS = Table(
    "jobs",
    METADATA,
    position("number", counted=True),
    words("kind"),
    words("state"),  # queued, running, done or failed
    words("payload"),  # JSON
    words("result", nullable=True),  # JSON
    number("attempts"),
    number("not_before"),
    words("lease_owner", nullable=True),
    number("lease_until", nullable=True),
    number("heartbeat", nullable=True),
    number("made"),
    number("ended", nullable=True),
    Index("jobs_by_state", "state", "not_before"),
)

WEBHOOKS = Table(
    "webhooks",
    METADATA,
    position("number", counted=True),
    words("holder"),
    words("url"),
    file("secret"),  # sealed: who reads the database alone signs nothing with it
    words("kinds"),  # of events, separated by spaces
    number("after"),  # the last event whose delivery is queued, or needs none
    number("made"),
    number("ended", nullable=True),  # since when nothing is sent any more
    Index("webhooks_by_holder", "holder"),
)

DELIVERIES = Table(
    "deliveries",
    METADATA,
    position("webhook", ForeignKey("webhooks.number")),
    position("event", ForeignKey("events.number")),
    number("attempts"),
    number("next_time", nullable=True),  # null: delivered, or given up
    number("last_status", nullable=True),  # of HTTP; null where no answer came
    words("last_error", default=""),
    number("delivered", nullable=True),
    Index("deliveries_by_time", "next_time"),
)
