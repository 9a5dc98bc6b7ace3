"""The estimate: sizes are exact, and its laws are linear in triggers."""

from __future__ import annotations

import pytest

from tests.support.argument_case import argument_case
from tests.support.small_networks import small_network
from zkwm_protocols.argument.cost_estimate import estimate
from zkwm_protocols.argument.relation.relation import Relation


def test_sizes_are_those_of_the_relation() -> None:
    network = small_network()
    found, relation = estimate(network, 3), Relation(network)
    assert found.lookups == 3 * relation.lookup_count
    assert found.cells == 3 * relation.cell_count
    assert found.soundness_bits >= 120


def test_the_proof_is_about_as_long_as_was_said() -> None:
    case = argument_case(2)
    said = estimate(case.statement.network, 2).proof_bytes
    assert len(case.prove().to_bytes()) == pytest.approx(said, rel=0.05)


def test_time_and_memory_grow_with_the_triggers() -> None:
    network = small_network()
    few, many = estimate(network, 100), estimate(network, 1000)
    assert 2 < many.prove_seconds / few.prove_seconds < 11
    assert few.peak_bytes < many.peak_bytes < 11 * few.peak_bytes
