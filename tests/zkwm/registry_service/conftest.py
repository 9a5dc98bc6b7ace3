"""An empty registry's database, on SQLite and on PostgreSQL where it is installed; its clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import Server, serving
from tests.support.webhook_receiver import Receiver, receiving
from zkwm.registry_database.database import Database
from zkwm.registry_database.location import find_location


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    with serving() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database is kept."""
    if request.param == "sqlite":
        return str(tmp_path / "registry.sqlite")
    url: str = request.getfixturevalue("server").database()
    return url


@pytest.fixture
def database(location: str) -> Iterator[Database]:
    made = Database(find_location(location))
    yield made
    made.close()


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made
