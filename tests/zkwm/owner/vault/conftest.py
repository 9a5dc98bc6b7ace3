"""A cheap vault with one commitment, and the pieces to fill it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.dispute import CHEAP, PASSPHRASE
from zkwm.owner.vault import CommitmentSecrets, LedgerEntry, Vault
from zkwm_protocols.keys import SigningKey

DIGEST = bytes(range(32))
SECRETS = CommitmentSecrets(
    commitment_file=b"the public file",
    family="secret",
    salts=b"\x5a" * 64,
    images=b"\x11" * 8,
    labels=None,
    created=1_750_000_000,
)
FIRST = LedgerEntry(
    challenge_digest=bytes(32),
    commitment_digest=DIGEST,
    blocks=(0,),
    judge_fingerprint=SigningKey.from_bytes("ed25519", bytes(32)).public.fingerprint(),
    purpose="a dispute",
    suspect_description="model.onnx",
    suspect_digest=b"\x01" * 32,
    issued=1_750_000_000,
    recorded=1_750_000_100,
    response=b"the bytes that left",
)


@pytest.fixture
def digest() -> bytes:
    """The digest of the one commitment."""
    return DIGEST


@pytest.fixture
def secret_record() -> CommitmentSecrets:
    """The secrets of the one commitment."""
    return SECRETS


@pytest.fixture
def entry() -> Callable[[int], LedgerEntry]:
    """The i-th entry of a ledger: challenge i opens block i."""

    def make(index: int) -> LedgerEntry:
        return replace(FIRST, challenge_digest=index.to_bytes(32, "big"), blocks=(index,))

    return make


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault in a folder of its own."""
    made = Vault.create(tmp_path / "acme.vault", PASSPHRASE, cost=CHEAP)
    with made.transaction() as state:
        state.commitments[DIGEST] = SECRETS
    return made
