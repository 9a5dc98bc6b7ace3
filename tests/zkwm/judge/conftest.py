"""An owner of 200 triggers, and a suspect whose scores still lean towards their labels."""

from __future__ import annotations

import pytest

from tests.support.dispute import Claimant, random_images
from tests.support.scored_suspect import ScoredSuspect, marked_scores


@pytest.fixture(scope="session")
def owner() -> Claimant:
    """200 triggers with derived labels, the same in all tests, which must not change it."""
    return Claimant(random_images(200))


@pytest.fixture
def weakened(owner: Claimant) -> ScoredSuspect:
    """Matches prove nothing of it, ranks and points do."""
    return ScoredSuspect(owner.images, marked_scores(owner.labels, 2.5))
