"""The prover's cells of BLAKE2s: against hashlib and a word-by-word reference."""

from __future__ import annotations

import hashlib

import numba
import numpy as np
import pytest

from tests.reference import blake2s as reference
from tests.support.leaf_examples import LABELS, MARGIN, SHAPES, make_example
from tests.support.native_levels import NATIVE_LEVELS
from zkwm_protocols.argument.relation import blake2s_native, blake2s_numba, blake2s_witness
from zkwm_protocols.field.kernels import native
from zkwm_protocols.leaves import leaf


def message_of(image: np.ndarray, salt: np.ndarray, label: int) -> bytes:
    numbers = (1, *image.shape, label)
    return b"".join(n.to_bytes(2, "big") for n in numbers) + salt.tobytes() + image.tobytes()


def test_the_reference_is_blake2s() -> None:
    vector = "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"
    assert reference.digest_and_cells(b"abc", b"")[0].hex() == vector  # RFC 7693, appendix B
    for length in (0, 1, 63, 64, 65, 128, 200):
        message = bytes(range(length))
        expected = hashlib.blake2s(message, person=b"zkwmleaf").digest()
        assert reference.digest_and_cells(message, b"zkwmleaf")[0] == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_digests_are_the_leaves(shape: tuple[int, int, int]) -> None:
    example = make_example(shape)
    for image, salt, label, digest in zip(
        example.images, example.salts, LABELS, example.digests, strict=True
    ):
        declared = None if label == 0xFFFF else int(label)
        assert digest.tobytes() == leaf(image, salt.tobytes(), declared)


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_are_those_of_the_reference(shape: tuple[int, int, int]) -> None:
    example = make_example(shape)
    gadget = example.leaf
    for trigger, label in enumerate(LABELS):
        message = message_of(example.images[trigger], example.salts[trigger], int(label))
        digest, cells = reference.digest_and_cells(message, b"zkwmleaf")
        assert digest == example.digests[trigger].tobytes()
        own = example.cells[gadget.first_cell : gadget.first_cell + gadget.cell_count, trigger]
        assert own.tolist() == cells


def test_many_triggers_are_as_each_alone() -> None:
    labels = np.arange(19, dtype=np.uint16)  # more than are filled in one turn, and no multiple
    example = make_example((1, 5, 5), labels)
    gadget = example.leaf
    for trigger, label in enumerate(labels):
        message = message_of(example.images[trigger], example.salts[trigger], int(label))
        digest, cells = reference.digest_and_cells(message, b"zkwmleaf")
        assert digest == example.digests[trigger].tobytes()
        assert example.cells[gadget.first_cell : -MARGIN, trigger].tolist() == cells


@pytest.mark.parametrize("level", NATIVE_LEVELS)
@pytest.mark.parametrize("count", [1, 7, 8, 17])
def test_loops_from_c_are_those_by_numba(
    monkeypatch: pytest.MonkeyPatch, level: str, count: int
) -> None:
    labels = np.arange(count, dtype=np.uint16)
    monkeypatch.setattr(blake2s_witness, "fill_blocks", blake2s_numba.fill_blocks)
    expected = make_example((1, 5, 9), labels)
    monkeypatch.setattr(blake2s_witness, "fill_blocks", blake2s_native.fill_blocks)
    with native.at_level(level):
        example = make_example((1, 5, 9), labels)
    assert (example.digests == expected.digests).all()
    assert (example.cells == expected.cells).all()
    assert (example.rows == expected.rows).all()


def test_no_threading_layer_is_started() -> None:
    """Numba's OpenMP layer calls omp_set_num_threads, which changes torch's threads as well."""
    make_example((1, 5, 5), np.arange(200, dtype=np.uint16) % 10)
    with pytest.raises(ValueError, match="not initialized"):
        numba.threading_layer()


def test_nothing_else_is_written() -> None:
    example = make_example((1, 5, 5))
    assert (example.cells[-MARGIN:] == 77).all()
    assert (example.rows[:, -MARGIN:] == -77).all()
    assert (example.rows[:, :-MARGIN] >= 0).all()


@pytest.mark.parametrize("wrong", ["images", "salts", "labels", "cells", "triggers", "rows"])
def test_shapes_that_do_not_fit(wrong: str) -> None:
    example = make_example((1, 5, 5))
    images, salts, labels = example.images, example.salts, LABELS
    cells, rows = example.cells, example.rows
    if wrong == "images":
        images = images.reshape(3, 1, 25, 1)
    elif wrong == "salts":
        salts = salts[:1]
    elif wrong == "labels":
        labels = labels[:1]
    elif wrong == "cells":
        cells = cells[: -MARGIN - 1]
    elif wrong == "triggers":
        cells = cells[:, :2]
    else:
        rows = rows[:, : -MARGIN - 1]
    first_lookup = example.image.lookup_count
    with pytest.raises(ValueError, match=r"images of shape|one for each image|no room"):
        blake2s_witness.fill(
            example.leaf, images, salts, labels, cells, rows, example.tables, first_lookup
        )
