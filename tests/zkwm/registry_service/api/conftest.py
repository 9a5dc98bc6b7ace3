"""A running registry on SQLite, and on PostgreSQL where it is installed; an owner and a judge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dispute import Claimant, TestJudge, new_judge, random_images
from tests.support.registry_server import Served, served_registry
from zkwm.registry_database.location import find_location
from zkwm.sql_database import DatabaseLocation


@pytest.fixture(scope="module")
def judge() -> TestJudge:
    """A judge whom the registry trusts."""
    return new_judge()


@pytest.fixture(scope="module")
def owner() -> Claimant:
    return Claimant(random_images(200), class_names=tuple(f"class {i}" for i in range(10)))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> object:
    """Where an empty database is kept."""
    if request.param == "sqlite":
        return find_location(tmp_path_factory.mktemp("registry") / "registry.sqlite")
    return find_location(request.getfixturevalue("server").database())


@pytest.fixture(scope="module")
def registry(
    location: DatabaseLocation, judge: TestJudge, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """One registry for all tests of a module: each uses digests of its own."""
    with served_registry(tmp_path_factory.mktemp("log"), location, (judge,)) as running:
        yield running


@pytest.fixture(scope="module")
def plain(judge: TestJudge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A registry on SQLite alone."""
    path: Path = tmp_path_factory.mktemp("plain")
    with served_registry(path / "log", find_location(path / "r.sqlite"), (judge,)) as running:
        yield running
