"""Which registered commitments have standing on a model: nobody is asked, nothing is counted."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.dispute import CLASSES, Claimant, TableSuspect, TestJudge, random_images
from zkwm.marketplace import Marketplace, NoStanding
from zkwm_protocols.errors import UsageError
from zkwm_protocols.policy import Policy

pytestmark = pytest.mark.usefixtures("quick_labels")


def test_who_could_claim(market: Marketplace, clock: list[float]) -> None:
    suspect = TableSuspect()
    fitting = Claimant(random_images(200), salt_seed=1)
    spent = Claimant(random_images(100), salt_seed=2)
    other_shape = Claimant(random_images(50, shape=(1, 9, 9)))
    too_many = Claimant(random_images(50), class_count=CLASSES + 1)
    labels = np.zeros(50, np.int64)
    declared = Claimant(random_images(50), declared_labels=labels)
    names = {
        one: market.register(who.commitment)
        for one, who in {
            "fitting": fitting, "spent": spent, "shape": other_shape, "many": too_many,
            "declared": declared,
        }.items()
    }  # fmt: skip
    clock[0] += 10
    other = market.challenge(names["spent"], TableSuspect(name="other"), reveal=100)
    market.judge.ledger.count_function(other)
    market.judge.ledger.record_opening(other, [0, 1])
    market.add_listing("17", suspect)
    clock[0] += 10
    late = Claimant(random_images(50), salt_seed=3)
    market.register(late.commitment)

    found = market.screen(suspect)
    (standing,) = found.standings
    assert standing.commitment == names["fitting"]
    assert (standing.blocks_left, standing.reveal, standing.functions_tried) == (4, 50, 1)
    assert found.without == {
        NoStanding.CLASSES: 1,
        NoStanding.BLOCKS: 1,
        NoStanding.DECLARED: 1,
        NoStanding.LATER: 1,
    }
    assert (found.other_shapes, found.images) == (1, 50)
    assert suspect.asked == []
    assert market.cases(commitment=names["fitting"]) == ()


def test_what_is_found_can_be_challenged(market: Marketplace) -> None:
    """The fewest triggers that are named reach the threshold, and one block less does not."""
    owner = Claimant(random_images(200), block_size=10)
    market.register(owner.commitment)
    suspect = TableSuspect()
    (standing,) = market.screen(suspect).standings
    assert standing.reveal == 40
    challenge = market.challenge(standing.commitment, suspect, reveal=standing.reveal)
    assert challenge.policy.functions_tried == standing.functions_tried
    with pytest.raises(UsageError):
        market.challenge(standing.commitment, suspect, reveal=standing.reveal - 10)


def test_declared_labels_where_the_policy_accepts_them(location: str, judge: TestJudge) -> None:
    owner = Claimant(random_images(50), declared_labels=np.zeros(50, np.int64))
    with Marketplace(location, judge, Policy(accept_declared_labels=True)) as market:
        market.register(owner.commitment)
        assert len(market.screen(TableSuspect()).standings) == 1


def test_class_names_have_to_be_those_of_the_model(market: Marketplace) -> None:
    names = tuple(f"class {n}" for n in range(CLASSES))
    market.register(Claimant(random_images(50), class_names=names).commitment)
    suspect = TableSuspect()
    suspect.output_names = names[::-1]
    assert len(market.screen(suspect).standings) == 1
    suspect.output_names = tuple(f"other {n}" for n in range(CLASSES))
    assert market.screen(suspect).without == {NoStanding.CLASSES: 1}


def test_an_endpoint_costs_decoys(market: Marketplace) -> None:
    market.register(Claimant(random_images(50)).commitment)
    endpoint = TableSuspect(kind="http", remote=True, name="https://a.example")
    assert market.screen(endpoint).images == 50 + 50 + 25
