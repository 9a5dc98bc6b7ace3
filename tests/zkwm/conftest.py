"""What the tests of owner, judge and marketplace share."""

from __future__ import annotations

import pytest
from dispute import new_judge

from zkwm.judge import Judge


@pytest.fixture(scope="session")
def judge() -> Judge:
    """A judge whose keys are in no file."""
    return new_judge()
