"""Seeds that desks keep by D: for one beacon each, under a tag of the judge's key (SPEC.md 5.4)."""

from __future__ import annotations

import hashlib

import pytest

from tests.support.dispute import Claimant, TestJudge
from zkwm.marketplace import Marketplace
from zkwm.marketplace.label_seeds import known_seed
from zkwm.registry_database.database import Database
from zkwm_protocols import labels
from zkwm_protocols.commitment import Commitment


def test_a_seed_of_another_beacon_is_derived_anew(
    market: Marketplace, judge: TestJudge, owner: Claimant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files of one D with different first tokens have different labels."""
    derived: list[bytes | None] = []

    def seed(digest: bytes, beacon: bytes | None) -> bytes:
        derived.append(beacon)
        return hashlib.sha256(digest + (beacon or b"")).digest()

    monkeypatch.setattr(labels, "label_seed", seed)
    database: Database = market._database
    market.register(owner.commitment)
    derived.clear()
    beacons = [None, b"1" * 32, b"1" * 32, b"2" * 32, b"2" * 32, b"1" * 32]
    for beacon in beacons:
        monkeypatch.setattr(Commitment, "beacon", lambda *_, one=beacon: one)
        with known_seed(database, judge.key, owner.commitment):
            pass
    assert derived == [None, b"1" * 32, b"2" * 32, b"1" * 32]
