"""An empty database on SQLite, and on PostgreSQL where it is installed."""

from __future__ import annotations

import pytest

from zkwm.registry_database.location import find_location
from zkwm.sql_database import DatabaseLocation


@pytest.fixture
def place(location: str) -> DatabaseLocation:
    """Where it is kept."""
    return find_location(location)
