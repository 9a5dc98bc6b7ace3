"""Folders of disputes with cheap labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.dispute_folder import DisputeFolder, Forger


@pytest.fixture(autouse=True)
def cheap_labels(quick_labels: None) -> None:
    """Scenarios are tried with cheap seeds."""


@pytest.fixture(scope="session")
def forger() -> Forger:
    return Forger()


@pytest.fixture
def folder(tmp_path: Path, forger: Forger) -> DisputeFolder:
    """An empty case."""
    return DisputeFolder(tmp_path, forger)
