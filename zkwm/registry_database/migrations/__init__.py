"""Bring the database of a registry up to date by alembic: one file for each version.

``versions`` are frozen once released; a change of ``tables`` is a new file there, and its number
the new ``tables.VERSION``. Needs the extra ``registry``.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from zkwm.registry_database.tables import VERSION


def migrate(connection: Connection) -> None:
    """Make what is missing, in this transaction, up to ``VERSION``. An error undoes all of it.

    A version that is not known stays as it is: ``Database`` refuses it by name.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, VERSION)
    except CommandError:
        return
