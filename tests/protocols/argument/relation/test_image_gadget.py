"""The image gadget: bytes, range lookups, gradient."""

from __future__ import annotations

import numpy as np

from tests.support.leaf_examples import make_example
from tests.support.network_case import WrittenWeights
from tests.support.relation_values import image_values
from zkwm_protocols.argument.relation.gadget import LookupGroup
from zkwm_protocols.argument.relation.image import ImageGadget
from zkwm_protocols.field import scalar, vector

SHAPE = (3, 2, 4)


def test_one_range_lookup_for_every_pixel_and_salt_byte() -> None:
    gadget = ImageGadget(SHAPE)
    assert gadget.cell_count == gadget.lookup_count == 3 * 2 * 4 + 32
    assert gadget.groups == (LookupGroup("range:8", 56),)


def test_cells_are_pixels_then_salt_and_rows_are_their_values() -> None:
    example = make_example(SHAPE)
    gadget = example.image
    expected = np.concatenate([example.images.reshape(3, -1), example.salts], axis=1)
    assert (expected == example.cells[: gadget.cell_count].T).all()
    first = example.tables.first_row("range:8")
    assert (example.rows[:, : gadget.lookup_count] == first + expected.astype(np.int64)).all()


def test_pull_back_is_the_inner_product_with_the_values() -> None:
    gadget = ImageGadget(SHAPE)
    generator = np.random.default_rng(5)
    weights = generator.integers(0, scalar.P, (5, gadget.lookup_count)).astype(np.uint64)
    alphas = [vector.to_element(row) for row in generator.integers(0, scalar.P, (8, 5))]
    cells = generator.integers(0, scalar.P, (gadget.cell_count + 2, 1)).astype(np.uint32)
    before = generator.integers(0, scalar.P, (5, gadget.cell_count + 2)).astype(np.uint64)
    gradient = before.copy()
    gadget.pull_back(WrittenWeights(weights, alphas), gradient)
    assert (gradient[:, gadget.cell_count :] == before[:, gadget.cell_count :]).all()
    expected = found = scalar.ZERO
    added = vector.subtract_arrays(gradient, before)
    values = image_values(gadget, cells)
    assert len(values) == gadget.lookup_count
    for u, (value,) in enumerate(values):
        term = scalar.scale(vector.to_element(weights[:, u]), int(value[0]))
        expected = scalar.add(expected, scalar.multiply(alphas[0], term))
        term = scalar.scale(vector.to_element(added[:, u]), int(cells[u, 0]))
        found = scalar.add(found, term)
    assert found == expected
