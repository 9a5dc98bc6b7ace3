"""An empty registry's database, on SQLite and on PostgreSQL where it is installed; its clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.webhook_receiver import Receiver, receiving
from zkwm.registry_database.database import Database
from zkwm.registry_database.location import find_location


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
