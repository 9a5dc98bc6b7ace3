"""The leaf gadget: which lookups there are, their gradient, and that no cell can be another."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.leaf_examples import LABELS, SHAPES, Example, make_example
from tests.support.network_case import WrittenWeights
from tests.support.relation_values import image_values, leaf_values
from zkwm_protocols.argument.relation.gadget import lookup_count
from zkwm_protocols.argument.relation.leaf import LeafGadget
from zkwm_protocols.argument.relation.lookup_weights import EqualityWeights
from zkwm_protocols.errors import Malformed
from zkwm_protocols.field import scalar, vector
from zkwm_protocols.field.equality import Equality

AT_ONCE = 512


def table_of_each(example: Example) -> list[str]:
    """The tables of the lookups of image and leaf."""
    groups = example.image.groups + example.leaf.groups
    return [group.table for group in groups for _ in range(group.count)]


def values_of(example: Example, cells: np.ndarray, public: np.ndarray) -> list[np.ndarray]:
    return image_values(example.image, cells) + leaf_values(example.leaf, cells, public)


@pytest.mark.parametrize("shape", SHAPES)
def test_counts(shape: tuple[int, int, int]) -> None:
    pixels = shape[0] * shape[1] * shape[2]
    blocks = -(-(42 + pixels) // 64)
    gadget = LeafGadget(shape, pixels + 32)
    assert gadget.blocks == blocks
    assert gadget.cell_count == blocks * (80 * 40 + 64) - 32
    assert gadget.lookup_count == lookup_count(gadget.groups) == blocks * (80 * 17 + 64)


def test_counts_of_the_usual_images() -> None:
    digits, colors = LeafGadget((1, 28, 28), 816), LeafGadget((3, 32, 32), 3104)
    assert (digits.blocks, digits.cell_count, digits.lookup_count) == (13, 42_400, 18_512)
    assert (colors.blocks, colors.cell_count, colors.lookup_count) == (49, 159_904, 69_776)


@pytest.mark.parametrize(
    "shape", [(2, 4, 4), (0, 4, 4), (1, 0, 4), (1, 1, 65_536), (3, 4096, 4096)]
)
def test_shapes_that_no_leaf_has(shape: tuple[int, int, int]) -> None:
    with pytest.raises(Malformed):
        LeafGadget(shape, 1 << 30)


def test_the_gadget_comes_behind_pixels_and_salt() -> None:
    with pytest.raises(ValueError, match="behind"):
        LeafGadget((1, 2, 2), 35)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_lookup_is_the_row_that_the_prover_names(shape: tuple[int, int, int]) -> None:
    example = make_example(shape)
    values = values_of(example, example.cells, example.public)
    names = table_of_each(example)
    assert len(values) == len(names) == example.image.lookup_count + example.leaf.lookup_count
    for u, (name, found) in enumerate(zip(names, values, strict=True)):
        table = example.tables.columns(name)
        rows = example.rows[:, u] - example.tables.first_row(name)
        assert (rows >= 0).all()
        assert (rows < len(example.tables.columns(name))).all()
        assert (found == table[rows].T).all(), (u, name)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 5), (1, 2, 43)])
def test_pull_back_is_the_inner_product_with_the_values(shape: tuple[int, int, int]) -> None:
    generator = np.random.default_rng(9)
    first_cell = shape[1] * shape[2] + 32 + 5  # a gap changes nothing
    gadget = LeafGadget(shape, first_cell)
    count = first_cell + gadget.cell_count + 2

    def random(*size: int) -> np.ndarray:
        return generator.integers(0, scalar.P, size).astype(np.uint64)

    weights = random(5, gadget.lookup_count)
    powers = [scalar.power((2, 7, 1, 8, 2), k) for k in range(1, 9)]
    cells, before, public_before = random(count), random(5, count), random(5, 34)
    public = generator.integers(0, 256, 34, dtype=np.uint8)
    gradient, public_gradient = before.copy(), public_before.copy()
    written = WrittenWeights(weights, powers)
    found = gadget.pull_back(written, 0, gradient, public_gradient)
    added = vector.subtract_arrays(gradient, before)
    public_added = vector.subtract_arrays(public_gradient, public_before)
    assert not added[:, shape[1] * shape[2] + 32 : first_cell].any()
    assert not added[:, -2:].any()
    for gradient_of, inputs in ((added, cells), (public_added, public.astype(np.uint64))):
        found = scalar.add(found, vector.sum_all(vector.multiply_base(gradient_of, inputs)))
    expected = scalar.ZERO
    values = leaf_values(gadget, cells.astype(np.uint32).reshape(-1, 1), public.reshape(-1, 1))
    for u, column in enumerate(values):
        fingerprint = scalar.ZERO
        for power, value in zip(powers, column[:, 0], strict=False):
            fingerprint = scalar.add(fingerprint, scalar.scale(power, int(value)))
        weight = vector.to_element(weights[:, u])
        expected = scalar.add(expected, scalar.multiply(weight, fingerprint))
    assert found == expected


def test_blocks_that_share_parts_of_weights_have_the_same_gradient() -> None:
    """147 blocks begin at 128 places of the weights' rows, so that some are made together."""
    gadget, generator = LeafGadget((3, 52, 60), 9392), np.random.default_rng(4)
    drawn = [vector.to_element(a) for a in generator.integers(0, scalar.P, (18 + 8, 5))]
    columns, first = Equality(drawn[8:]), 11
    weights = EqualityWeights(columns, drawn[:8])
    written = WrittenWeights(columns.part(0, first + gadget.lookup_count), drawn[:8])
    found = []
    for chosen in (weights, written):
        gradient = np.zeros((5, 9392 + gadget.cell_count), dtype=np.uint32)
        public = np.zeros((5, 34), dtype=np.uint64)
        found.append((gadget.pull_back(chosen, first, gradient, public), gradient, public))
    assert gadget.blocks == 147
    for left, right in zip(*found, strict=True):
        assert np.array_equal(left, right)


def test_values_of_many_triggers_are_those_of_each() -> None:
    example = make_example((1, 5, 5), np.arange(400, dtype=np.uint16))  # in more than one go
    together = leaf_values(example.leaf, example.cells, example.public)
    for trigger in (0, 399):
        only = slice(trigger, trigger + 1)
        alone = leaf_values(example.leaf, example.cells[:, only], example.public[:, only])
        for left, right in zip(together, alone, strict=True):
            assert (left[:, only] == right).all()


def broken(example: Example, cells: np.ndarray, public: np.ndarray) -> np.ndarray:
    """For every trigger, whether a lookup of changed cells is no row of its table."""
    names = table_of_each(example)
    factors = np.random.default_rng(8).integers(1, 2**63, (8, 1), dtype=np.uint64)
    rows = {
        name: (example.tables.columns(name).T * factors[: example.tables.columns(name).shape[1]])
        for name in set(names)
    }  # a row is known by its sum, modulo 2^64
    found: dict[str, list[np.ndarray]] = {name: [] for name in rows}
    triggers: dict[str, list[np.ndarray]] = {name: [] for name in rows}
    honest = values_of(example, example.cells[:, :1], example.public[:, :1])
    for first in range(0, cells.shape[1], AT_ONCE):
        columns = slice(first, first + AT_ONCE)
        values = values_of(example, cells[:, columns], public[:, columns])
        for name, new, usual in zip(names, values, honest, strict=True):
            changed = np.flatnonzero((new != usual).any(axis=0))
            found[name].append((new[:, changed] * factors[: len(new)]).sum(axis=0))
            triggers[name].append(first + changed)
    result = np.zeros(cells.shape[1], dtype=bool)
    for name, table in rows.items():
        outside = ~np.isin(np.concatenate(found[name]), table.sum(axis=0))
        result[np.concatenate(triggers[name])[outside]] = True
    return result


@pytest.mark.parametrize(("shape", "sampled"), [((1, 1, 1), None), ((1, 5, 5), 400)])
def test_no_single_cell_can_be_another(shape: tuple[int, int, int], sampled: int | None) -> None:
    """Of one block every cell; of two some, and all that join them."""
    example = make_example(shape, LABELS[:1])
    generator = np.random.default_rng(3)
    changed = np.arange(example.leaf.first_cell + example.leaf.cell_count)
    if sampled:
        joining = example.leaf.first_cell + np.arange(3200, 3264)
        changed = np.union1d(generator.choice(changed, sampled), joining)
    steps = generator.integers(1, scalar.P, len(changed))
    steps[generator.permutation(len(changed))[: len(changed) // 2]] = 1
    cells = np.repeat(example.cells, len(changed), axis=1)
    diagonal = np.arange(len(changed))
    cells[changed, diagonal] = (cells[changed, diagonal] + steps) % scalar.P
    assert broken(example, cells, np.repeat(example.public, len(changed), axis=1)).all()


def test_no_public_byte_can_be_another() -> None:
    example = make_example((1, 5, 5), LABELS[:1])
    cells, public = np.repeat(example.cells, 34, axis=1), np.repeat(example.public, 34, axis=1)
    assert not broken(example, cells, public).any()
    public[np.arange(34), np.arange(34)] ^= 1
    assert broken(example, cells, public).all()
