"""The network gadget: gradient against values, honest cells, the reference, and wrong cells."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from tests.reference import argument_witness
from tests.reference.argument_network import read_network
from tests.reference.argument_relation import Relation, evaluate
from tests.support.network_case import NetworkCase
from tests.support.small_networks import (
    NetworkBuilder,
    constant_network,
    random_network,
    small_network,
    two_class_network,
)
from zkwm_protocols.argument.relation.gadget import LookupGroup, lookup_count
from zkwm_protocols.encoding import unpack
from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.scalar import P
from zkwm_protocols.integer_network import codec
from zkwm_protocols.integer_network import evaluate as evaluation
from zkwm_protocols.integer_network.model import Activation, IntegerNetwork, Maximum, Table


def images_for(network: IntegerNetwork, count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, *network.shape)).astype(np.uint8)


NETWORKS = [
    *(small_network(seed) for seed in range(3)),
    *(random_network(seed) for seed in range(16)),
    two_class_network(),
    constant_network(3, 3),
]


@pytest.mark.parametrize("index", range(len(NETWORKS)))
def test_gradient_is_that_of_the_values(index: int) -> None:
    NetworkCase(NETWORKS[index]).require_gradient(index)
    NetworkCase(NETWORKS[index], pixel_cell=3, gap=0).require_gradient(index + 100)


@pytest.mark.parametrize("index", range(len(NETWORKS)))
def test_honest_cells_and_rows(index: int) -> None:
    network = NETWORKS[index]
    case = NetworkCase(network, pixel_cell=2)
    images = images_for(network, 3, index)
    labels = evaluation.labels(network, images)
    cells, rows, logits = case.fill(images, labels.tolist(), [True, False, True])
    assert np.array_equal(logits, evaluation.logits(network, images))
    case.require_rows(cells, rows)
    assert case.wrong_lookups(cells) == [[], [], []]


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small_network()
    case, images = NetworkCase(network), images_for(network, 5)
    whole = case.fill(images, [0] * 5, [False] * 5)
    monkeypatch.setattr(evaluation, "ENTRIES_AT_ONCE", 3000)
    for left, right in zip(case.fill(images, [0] * 5, [False] * 5), whole, strict=True):
        assert np.array_equal(left, right)


@pytest.mark.parametrize("seed", range(6))
def test_cells_and_lookups_are_those_of_the_reference(seed: int) -> None:
    """In number, order, table and value, for honest cells and for arbitrary ones."""
    network = random_network(seed) if seed else small_network()
    reference = Relation(read_network(unpack("network", codec.to_bytes(network), limit=1 << 20)))
    case = NetworkCase(network, gap=32)
    before = reference.cell_count - case.cell_count
    pixels = prod(network.shape)
    image = images_for(network, 1, seed)
    label = int(evaluation.labels(network, image)[0])
    expected = argument_witness.fill(reference.network, image.tobytes(), bytes(32), 0, label)
    cells, _, _ = case.fill(image, [label], [True])
    own = pixels + 32
    assert cells[:pixels, 0].tolist() == expected[:pixels]
    assert cells[own:, 0].tolist() == [cell % P for cell in expected[before + own :]]
    random = np.random.default_rng(seed)
    for filled in (cells, random.integers(0, P, cells.shape).astype(np.uint32)):
        values = case.lookup_values(filled)
        theirs = [int(cell) for cell in filled[:own, 0]] + [0] * before
        theirs += [int(cell) for cell in filled[own:, 0]]
        lookups = reference.lookups[-len(values) :]
        for lookup, key, value in zip(lookups, case.keys, values, strict=True):
            name = key.partition(":")[0]
            assert lookup.table[0] == name
            assert name == "positive" or key == f"{name}:{lookup.table[1]}"
            found = [evaluate(expression, theirs, [0] * 34) for expression in lookup.values]
            assert found == value[:, 0].tolist()
    assert reference.match_cells == [before + case.argmax.g_cell(i) for i in range(network.outputs)]


def test_groups_of_every_kind() -> None:
    builder = NetworkBuilder((1, 4, 4))
    shifted = builder.activation(builder.convolution(0, 2, (3, 3)), 4)
    pooled = builder.maximum(shifted, (2, 1), (1, 2))
    same = builder.maximum(pooled, (1, 1), (1, 1))
    plain = builder.activation(same, 0)
    builder.convolution(builder.flatten(plain), 2)
    gadget = NetworkCase(builder.build()).gadget
    assert gadget.groups == (
        LookupGroup("range:4", 8),
        LookupGroup("network:0", 8),
        LookupGroup("positive", 2),
        LookupGroup("network:1", 2),
    )
    assert gadget.cell_count == 8 + 8 + 2 + 2
    assert gadget.lookup_count == lookup_count(gadget.groups)


def test_logits_that_are_bytes() -> None:
    """The last node may be an activation or a maximum, and the image a logit's source."""
    table = Table(0, np.arange(256, dtype=np.uint8)[::-1].copy())
    for network in (
        IntegerNetwork((3, 1, 1), (table,), (Activation(0, 0, 0),)),
        IntegerNetwork((3, 2, 1), (), (Maximum(0, (2, 1), (1, 1)),)),
        IntegerNetwork((3, 1, 1), (), (Maximum(0, (1, 1), (1, 1)),)),
    ):
        case = NetworkCase(network)
        case.require_gradient(1)
        images = images_for(network, 4)
        labels = evaluation.labels(network, images).tolist()
        cells, rows, _ = case.fill(images, labels, [True] * 4)
        case.require_rows(cells, rows)


def test_each_cell_of_the_gadget_is_bound() -> None:
    """Whatever cell is changed by 1, some lookup's value is no row."""
    network = small_network()
    case = NetworkCase(network)
    image = images_for(network, 1)
    cells, _, _ = case.fill(image, [0], [False])
    random = np.random.default_rng(4)
    offsets = random.choice(case.gadget.cell_count, 200, replace=False)
    changed = cells.repeat(len(offsets), axis=1)
    changed[case.gadget.first_cell + offsets, np.arange(len(offsets))] += 1
    assert all(case.wrong_lookups(changed))


def test_a_remainder_of_another_quotient_is_no_row() -> None:
    """r + 2^s with q - 1: the range table refuses it; so does r - 2^s."""
    network = small_network()
    case = NetworkCase(network)
    image = images_for(network, 1)
    cells, _, _ = case.fill(image, [0], [False])
    place = case.gadget.places[2]
    for step in (8, -8):
        changed = cells.copy()
        changed[place.cell, 0] = (int(cells[place.cell, 0]) + step) % P
        assert place.lookup in case.wrong_lookups(changed)[0]


def test_other_images_are_refused() -> None:
    network = small_network()
    case = NetworkCase(network)
    with pytest.raises(UsageError, match="expected uint8"):
        case.fill(images_for(network, 2)[:, :, :5], [0, 0], [False, False])
