"""An owner who keeps to the rules: their vault, and what they committed to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.dispute import CHEAP, PASSPHRASE, random_images
from zkwm.owner.commit import commit
from zkwm.owner.vault import Vault
from zkwm_protocols.commitment import Commitment


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "owner.vault", PASSPHRASE, cost=CHEAP)


@pytest.fixture
def commitment(vault: Vault) -> Commitment:
    """Four blocks of 50 triggers, with derived labels."""
    return commit(vault, random_images(200), class_count=10)
