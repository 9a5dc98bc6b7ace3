"""A marketplace on SQLite, and on PostgreSQL where it is installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.dispute import Claimant, TestJudge, random_images
from zkwm.marketplace import Marketplace


@pytest.fixture(scope="module")
def owner() -> Claimant:
    return Claimant(random_images(200))


@pytest.fixture
def market(location: str, judge: TestJudge) -> Iterator[Marketplace]:
    with Marketplace(location, judge) as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of marketplace and judge; a test sets ``clock[0]``."""
    time = [1_800_000_000.0]
    monkeypatch.setattr("time.time", lambda: time[0])
    return time
