"""A database in which somebody put one row in the place of another: each names what it holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Table, select, update

from tests.support.dispute import Claimant, marked, random_images
from zkwm.marketplace import Marketplace
from zkwm.registry_database.tables import CASES, COMMITMENTS, VERDICTS
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import Malformed
from zkwm_protocols.timestamps.evidence import TimestampEvidence

pytestmark = pytest.mark.usefixtures("quick_labels")


def exchange(
    market: Marketplace, table: Table, key: str, ours: bytes, theirs: bytes | None
) -> None:
    """Put the file of the row ``theirs`` in the place of that of the row ``ours``."""
    with market._database.writing(bytes(32)) as connection:
        file = b"nothing" if theirs is None else connection.execute(
            select(table.c.file).where(table.c[key] == theirs)
        ).scalar()  # fmt: skip
        connection.execute(update(table).where(table.c[key] == ours).values(file=file))


@pytest.fixture
def decided(market: Marketplace, owner: Claimant) -> list[tuple[Claimant, Challenge]]:
    """Two owners, each with a proven case of their own."""
    found = []
    for claimant in (owner, Claimant(random_images(50, seed=1), salt_seed=1)):
        suspect = marked(claimant.images, claimant.labels)
        challenge = market.challenge(market.register(claimant.commitment), suspect, reveal=50)
        assert market.settle(suspect, challenge, claimant.answer(challenge, [0])).proven
        found.append((claimant, challenge))
    return found


def test_a_file_without_its_timestamps_is_replaced_by_its_owners(
    market: Marketplace, owner: Claimant, clock: list[float]
) -> None:
    """Whoever has a commitment can register it first, its timestamps left out."""
    stripped, seen = owner.commitment, int(clock[0])
    whole = replace(stripped, timestamps=(TimestampEvidence(b"token", b"nonce"),))
    assert whole.digest == stripped.digest
    name = market.register(stripped)
    clock[0] += 100
    assert market.register(whole) == name
    assert market.commitment(name) == stripped
    assert market.register(whole, replace=True) == name
    assert market.commitment(name) == whole
    (kept,) = market.commitments()
    assert (kept.id, kept.first_seen) == (name, seen)
    assert market.challenge(name, marked(owner.images, owner.labels)).commitment == whole.digest


def test_a_verdict_on_another_case(
    market: Marketplace, decided: list[tuple[Claimant, Challenge]]
) -> None:
    """The judge signed it, and this case it is not about."""
    (_, ours), (_, theirs) = decided
    honest = market.verdict_file(ours)
    exchange(market, VERDICTS, "challenge", ours.digest, theirs.digest)
    for read in (market.verdict, market.verdict_file):
        with pytest.raises(Malformed, match=f"verdict on {ours.digest.hex()[:16]}"):
            read(ours)
    assert market.verdict(theirs).challenge == theirs
    assert market.verdict_file(theirs) != honest


@pytest.mark.parametrize("other", [True, False])
def test_another_commitment_or_challenge(
    market: Marketplace, decided: list[tuple[Claimant, Challenge]], other: bool
) -> None:
    (owner, ours), (stranger, theirs) = decided
    suspect, name = marked(owner.images, owner.labels), owner.commitment.digest
    exchange(market, CASES, "challenge", ours.digest, theirs.digest if other else None)
    for act in (
        lambda: market.case(ours),
        lambda: market.issued(ours.digest.hex()),
        lambda: market.settle(suspect, ours),
        lambda: market.answer(ours, owner.answer(ours, [0])),
    ):
        with pytest.raises(Malformed, match=f"case {ours.digest.hex()[:16]}"):
            act()
    exchange(market, COMMITMENTS, "digest", name, stranger.commitment.digest if other else None)
    for act in (
        lambda: market.commitment(name.hex()),
        lambda: market.challenge(name.hex(), suspect),
    ):
        with pytest.raises(Malformed, match=f"commitment {name.hex()[:16]}"):
            act()
    assert market.commitment(stranger.commitment.digest.hex()) == stranger.commitment
    assert market.settle(marked(stranger.images, stranger.labels), theirs).proven
