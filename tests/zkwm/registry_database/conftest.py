"""An empty database on SQLite, and on PostgreSQL where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import Server, serving
from zkwm.registry_database.location import find_location
from zkwm.sql_database import DatabaseLocation


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    with serving() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseLocation:
    """Where an empty database is kept."""
    if request.param == "sqlite":
        return find_location(tmp_path / "registry.sqlite")
    return find_location(request.getfixturevalue("server").database())
