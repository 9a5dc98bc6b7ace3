"""The image part: bytes, range lookups, gradient."""

from __future__ import annotations

import numpy as np

from tests.protocols.argument.leaf_examples import make_example
from tests.support.relation_values import image_values
from zkwm_protocols.argument.relation.gadget import LookupGroup
from zkwm_protocols.argument.relation.image import ImageGadget
from zkwm_protocols.field import scalar, vector

SHAPE = (3, 2, 4)


def test_one_range_lookup_for_every_pixel_and_salt_byte() -> None:
    part = ImageGadget(SHAPE)
    assert part.cell_count == part.lookup_count == 3 * 2 * 4 + 32
    assert part.groups == (LookupGroup("range:8", 56),)


def test_cells_are_pixels_then_salt_and_rows_are_their_values() -> None:
    example = make_example(SHAPE)
    part = example.image
    expected = np.concatenate([example.images.reshape(3, -1), example.salts], axis=1)
    assert (expected == example.cells[: part.cell_count].T).all()
    first = example.tables.first_row("range:8")
    assert (example.rows[:, : part.lookup_count] == first + expected.astype(np.int64)).all()


def test_pull_back_is_the_inner_product_with_the_values() -> None:
    part = ImageGadget(SHAPE)
    generator = np.random.default_rng(5)
    weights = generator.integers(0, scalar.P, (5, part.lookup_count)).astype(np.uint64)
    alphas = [vector.to_element(row) for row in generator.integers(0, scalar.P, (8, 5))]
    cells = generator.integers(0, scalar.P, (part.cell_count + 2, 1)).astype(np.uint32)
    before = generator.integers(0, scalar.P, (5, part.cell_count + 2)).astype(np.uint64)
    gradient, public = before.copy(), np.zeros((5, 34), dtype=np.uint64)
    assert part.pull_back(weights, alphas, gradient, public) == scalar.ZERO
    assert not public.any()
    assert (gradient[:, part.cell_count :] == before[:, part.cell_count :]).all()
    expected = found = scalar.ZERO
    added = vector.subtract_arrays(gradient, before)
    values = image_values(part, cells)
    assert len(values) == part.lookup_count
    for u, (value,) in enumerate(values):
        term = scalar.scale(vector.to_element(weights[:, u]), int(value[0]))
        expected = scalar.add(expected, scalar.multiply(alphas[0], term))
        term = scalar.scale(vector.to_element(added[:, u]), int(cells[u, 0]))
        found = scalar.add(found, term)
    assert found == expected
