"""What alembic runs for each migration: in the transaction of ``migrate``."""

from __future__ import annotations

from alembic import context

from zkwm.registry_database.tables import METADATA, SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=SCHEMA.name,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
