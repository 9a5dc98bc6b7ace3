"""Fixtures that tests of several packages share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of full data sets: $ZKWM_DATA, or shared/data beside the repository."""
    fallback = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ZKWM_DATA", fallback))
    if not folder.is_dir():
        pytest.skip("no data sets: set ZKWM_DATA to a folder with fashion-mnist.npz and others")
    return folder
