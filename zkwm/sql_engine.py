"""Engines of SQLAlchemy for SQLite and PostgreSQL, under which a commit that returned is durable.

Whoever uses them says first (``zkwm.extras``) that the libraries are needed. Every transaction is
short: nothing foreign runs inside of one.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

WAIT_SECONDS = 60
BEGIN = "zkwm_begin"
"""The option of a connection that says how SQLite begins a transaction: ``BEGIN`` by default."""
_CONNECT_SECONDS = 10


def sqlite_engine(url: URL) -> Engine:
    """SQLite: a write-ahead log flushed at every commit, one writer that waits for others."""
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": WAIT_SECONDS, "check_same_thread": False},
        pool_timeout=WAIT_SECONDS,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:  # noqa: ANN401
        connection.isolation_level = None  # it begins no transaction by itself
        _write_ahead(connection)
        for setting in ("synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(BEGIN, "BEGIN"))

    return engine


def postgresql_engine(url: URL) -> Engine:
    """PostgreSQL, whatever its defaults: each statement sees what was committed before it.

    Once a transaction has the lock of its scope, it therefore sees all that was counted in it.
    """
    given = url.query.get("options", "")
    settings = ["-c synchronous_commit=on"] + [
        f"-c {name}={WAIT_SECONDS * 1000}"
        for name in ("lock_timeout", "idle_in_transaction_session_timeout")
    ]
    return create_engine(
        url,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_timeout=WAIT_SECONDS,
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "options": " ".join([*([given] if isinstance(given, str) else given), *settings]),
        },
    )


def create_private(path: str | Path) -> None:
    """Make the file of a database, mode 0600, unless it is there.

    Raises OSError, or ValueError for a name that no file can have.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def said(error: BaseException, url: URL) -> str:
    """What a database says, on one line, without the password; empty where it says nothing."""
    text = str(error)
    if url.password:
        text = text.replace(str(url.password), "***")
    return " ".join(text.split())[:300]


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn the write-ahead log on; where several do so at once, SQLite itself does not wait."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
