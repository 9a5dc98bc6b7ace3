"""The network and argmax gadgets of a small network together, filled with honest cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from tests.support.relation_values import argmax_values, network_values
from zkwm_protocols.argument.relation.argmax import ArgmaxGadget
from zkwm_protocols.argument.relation.lookup_tables import Tables
from zkwm_protocols.argument.relation.lookup_weights import Windows
from zkwm_protocols.argument.relation.network import NetworkGadget
from zkwm_protocols.field.scalar import DEGREE, ONE, Element, P, add, constant, multiply, scale
from zkwm_protocols.field.vector import Array, from_element, to_element
from zkwm_protocols.field.vector import multiply as multiply_arrays
from zkwm_protocols.integer_network.model import IntegerNetwork


@dataclass(frozen=True)
class WrittenWeights:
    """Any weights of lookups, uint64 (5, M), as an argument's gadgets read them."""

    weights: Array
    alphas: list[Element]

    def part(self, first: int, count: int, power: int = 0) -> Array:
        chosen = self.weights[:, first : first + count]
        assert chosen.shape[1] == count
        alpha = from_element(self.alphas[power - 1] if power else ONE)
        return multiply_arrays(chosen, alpha.reshape(DEGREE, 1))

    def windows(self, first: int, length: int, count: int) -> Windows:
        one = from_element(ONE).reshape(DEGREE, 1, 1)
        for number in range(count):
            yield np.array([number]), one, self.part(first + number * length, length)[:, None]


@dataclass
class NetworkCase:
    """``gap`` cells lie between the pixels, which begin at ``pixel_cell``, and the gadgets."""

    network: IntegerNetwork
    pixel_cell: int = 0
    gap: int = 5

    def __post_init__(self) -> None:
        first = self.pixel_cell + prod(self.network.shape) + self.gap
        self.gadget = NetworkGadget(self.network, first, self.pixel_cell)
        self.argmax = ArgmaxGadget(self.network, first + self.gadget.cell_count)
        self.groups = (*self.gadget.groups, *self.argmax.groups)
        self.cell_count = first + self.gadget.cell_count + self.argmax.cell_count
        self.lookup_count = self.gadget.lookup_count + self.argmax.lookup_count
        ranges = [group.table for group in self.groups if group.table.startswith("range:")]
        self.tables = Tables(self.network, {8, *(int(name[6:]) for name in ranges)})
        self.keys = [group.table for group in self.groups for _ in range(group.count)]

    def fill(
        self, images: NDArray[np.uint8], outputs: list[int], chosen: list[bool]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int64]]:
        """(cells, rows, logits); the first lookup has one more before it."""
        cells = np.zeros((self.cell_count, len(images)), dtype=np.uint32)
        rows = np.full((len(images), self.lookup_count + 2), -1, dtype=np.int32)
        pixels = images.reshape(len(images), -1).T
        cells[self.pixel_cell : self.pixel_cell + len(pixels)] = pixels
        logits = self.gadget.fill(images, cells, rows, self.tables, 1)
        self.argmax.fill(
            logits,
            np.array(outputs, dtype=np.int64),
            np.array(chosen, dtype=np.bool_),
            cells,
            rows,
            self.tables,
            1 + self.gadget.lookup_count,
        )
        assert (rows[:, [0, -1]] == -1).all()
        return cells, rows[:, 1:-1], logits

    def lookup_values(self, cells: NDArray[np.uint32]) -> list[Array]:
        values, logits = network_values(self.gadget, cells)
        return [*values, *argmax_values(self.argmax, cells, logits)]

    @cached_property
    def row_sets(self) -> dict[str, set[tuple[int, ...]]]:
        return {key: set(map(tuple, self.tables.columns(key).tolist())) for key in set(self.keys)}

    def wrong_lookups(self, cells: NDArray[np.uint32]) -> list[list[int]]:
        """For every trigger the lookups whose values are no row of their table."""
        result: list[list[int]] = [[] for _ in range(cells.shape[1])]
        for index, values in enumerate(self.lookup_values(cells)):
            for wrong, value in zip(result, values.T.tolist(), strict=True):
                if tuple(value) not in self.row_sets[self.keys[index]]:
                    wrong.append(index)
        return result

    def pull_back(self, weights: Array, alphas: list[Element], cells: Array) -> Element:
        """The gradient of both gadgets, the argmax first; returns the constant term."""
        written, count = WrittenWeights(weights, alphas), self.gadget.lookup_count
        logits, first = self.argmax.pull_back(written, count, cells)
        return add(first, self.gadget.pull_back(written, 0, cells, logits))

    def require_gradient(self, seed: int) -> None:
        """The weighted sum of fingerprints from lookup values is that from the gradient."""
        random = np.random.default_rng(seed)
        cells = random.integers(0, P, (self.cell_count, 1)).astype(np.uint32)
        weights = random.integers(0, P, (DEGREE, self.lookup_count)).astype(np.uint64)
        alphas = [to_element(random.integers(0, P, DEGREE).astype(np.uint64)) for _ in range(8)]
        before = random.integers(0, P, (DEGREE, self.cell_count)).astype(np.uint64)
        after = before.copy()
        result = self.pull_back(weights, alphas, after)
        assert after.max() < P
        for cell in range(self.cell_count):
            change = add(to_element(after[:, cell]), scale(to_element(before[:, cell]), -1))
            result = add(result, scale(change, int(cells[cell, 0])))
        expected = constant(0)
        for index, values in enumerate(self.lookup_values(cells)):
            fingerprint = constant(0)
            for power, value in enumerate(values[:, 0]):
                fingerprint = add(fingerprint, scale(alphas[power], int(value)))
            expected = add(expected, multiply(to_element(weights[:, index]), fingerprint))
        assert result == expected

    def require_rows(self, cells: NDArray[np.uint32], rows: NDArray[np.int32]) -> None:
        """Every lookup's value is the row that ``rows`` names."""
        for index, (key, values) in enumerate(
            zip(self.keys, self.lookup_values(cells), strict=True)
        ):
            named = rows[:, index] - self.tables.first_row(key)
            assert (named >= 0).all()
            assert np.array_equal(self.tables.columns(key)[named], values.T), (key, index)
