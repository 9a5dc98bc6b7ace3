"""The whole relation: sizes, limits, and refusal before anything large is built."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.support.argument_case import argument_case
from tests.support.small_networks import NetworkBuilder, small_network
from zkwm_protocols.argument.cost_estimate import estimate
from zkwm_protocols.argument.relation import relation as relations
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.errors import Unsupported


def test_gadgets_follow_each_other_without_gaps() -> None:
    relation = Relation(small_network())
    gadgets = (relation.image, relation.leaf, relation.network, relation.argmax)
    assert sum(gadget.cell_count for gadget in gadgets) == relation.cell_count
    assert sum(gadget.lookup_count for gadget in gadgets) == relation.lookup_count
    firsts = list(relation.first_lookups.values())
    assert firsts == list(np.cumsum([0] + [gadget.lookup_count for gadget in gadgets[:-1]]))
    assert relation.argmax.g_cell(0) == relation.argmax.first_cell + 1


def test_images_too_large_to_be_hashed_are_refused_before_anything_is_built() -> None:
    builder = NetworkBuilder((3, 1000, 1000))
    first = builder.convolution(0, 1, (100, 100), stride=(100, 100), weight_limit=0)
    builder.convolution(builder.flatten(first), 2, weight_limit=1)
    network = builder.build()
    began = time.process_time()  # other processes do not lengthen it
    with pytest.raises(Unsupported) as caught:
        Relation(network)
    assert time.process_time() - began < 0.2
    assert caught.value.check == "network.size"
    assert "3 x 1000 x 1000" in caught.value.message


@pytest.mark.parametrize("limit", ["MAXIMUM_LOOKUPS", "MAXIMUM_CELLS"])
def test_networks_too_large(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = small_network()
    relation = Relation(network)
    fits = relation.lookup_count if limit == "MAXIMUM_LOOKUPS" else relation.cell_count
    monkeypatch.setattr(relations, limit, fits)
    Relation(network)
    monkeypatch.setattr(relations, limit, fits - 1)
    with pytest.raises(Unsupported) as caught:
        Relation(network)
    assert caught.value.check == "network.size"


@pytest.mark.parametrize(("side", "served"), [(463, True), (464, False)])
def test_the_largest_images(side: int, served: bool) -> None:
    """Their hash alone takes almost 2^25 cells; a proof about them has a sound layout."""
    builder = NetworkBuilder((3, side, side))
    first = builder.convolution(0, 1, (24, 24), stride=(24, 24), weight_limit=0)
    builder.convolution(builder.flatten(first), 2, weight_limit=1)
    network = builder.build()
    if served:
        cost = estimate(network, 100)
        assert 2**25 - 2**20 < cost.cells // 100 <= 2**25
        assert cost.soundness_bits >= 120
        return
    with pytest.raises(Unsupported) as caught:
        estimate(network, 100)
    assert caught.value.check == "network.size"


@pytest.mark.slow
def test_an_honest_witness_is_in_all_tables() -> None:
    case = argument_case(2)
    assert case.violations(case.witness.cells) == []
