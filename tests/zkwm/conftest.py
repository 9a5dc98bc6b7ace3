"""What the tests of owner, judge and marketplace share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.argued import StandIn
from tests.support.dispute import CHEAP, PASSPHRASE, TestJudge, new_judge
from zkwm.secret_files.encrypted import Cost


@pytest.fixture(scope="session")
def judge() -> TestJudge:
    """A judge whose keys are in no file."""
    return new_judge()


@pytest.fixture
def cheap() -> Cost:
    """The least cost that is accepted: a few milliseconds."""
    return CHEAP


@pytest.fixture
def passphrase() -> str:
    """The passphrase of vaults and keys."""
    return PASSPHRASE


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database is kept: a file, or a place of a server."""
    if request.param == "sqlite":
        return str(tmp_path / "registry.sqlite")
    url: str = request.getfixturevalue("server").database()
    return url


@pytest.fixture
def argument(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """An argument that is a digest, in place of prover, verifier and estimate."""
    return StandIn().install(monkeypatch)


@pytest.fixture(autouse=True)
def new_ledger(request: pytest.FixtureRequest) -> None:
    """No test finds what another one asked."""
    if "judge" in request.fixturenames:
        request.getfixturevalue("judge").forget()
