"""The argmax gadget: limbs, ties, who may be chosen, and what a cheating owner cannot do."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.network_case import NetworkCase
from tests.support.small_networks import NetworkBuilder, constant_network, two_class_network
from zkwm_protocols.argument.relation.gadget import LookupGroup
from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.scalar import P
from zkwm_protocols.integer_network.model import IntegerNetwork

ONE_PIXEL = np.zeros((1, 1, 1, 1), dtype=np.uint8)

LOGITS = {
    "one bit": (0, 0),
    "five bits": (3, -3),
    "eight bits": (63, 63),
    "nine bits": (64, -64),
    "sixteen bits": (-5, 4000, 4000),
    "seventeen bits": (8192, 0, -8192, 7),
    "twenty-four bits": (1 << 21, -(1 << 21)),
    "twenty-nine bits": ((1 << 27) - 1, 1 - (1 << 27)),
}


@pytest.mark.parametrize("name", LOGITS)
def test_gradient_and_honest_cells(name: str) -> None:
    logits = LOGITS[name]
    case = NetworkCase(constant_network(*logits))
    case.require_gradient(7)
    label = logits.index(max(logits))
    for chosen in (True, False):
        cells, rows, found = case.fill(ONE_PIXEL, [label], [chosen])
        assert found.tolist() == [list(logits)]
        case.require_rows(cells, rows)
        marks = [int(cells[case.argmax.g_cell(i), 0]) for i in range(len(logits))]
        assert marks == [int(chosen and i == label) for i in range(len(logits))]


def test_bits_and_groups() -> None:
    bits = [NetworkCase(constant_network(*logits)).argmax.bits for logits in LOGITS.values()]
    assert bits == [1, 4, 8, 9, 15, 17, 24, 29]
    assert NetworkCase(constant_network(63, 63)).argmax.groups == (
        LookupGroup("range:1", 2), LookupGroup("range:8", 2), LookupGroup("range:8", 2),
    )  # fmt: skip
    assert NetworkCase(constant_network(64, 64)).argmax.groups == (
        LookupGroup("range:1", 2), LookupGroup("range:8", 2), LookupGroup("range:1", 2),
        LookupGroup("range:8", 2), LookupGroup("range:1", 2),
    )  # fmt: skip
    gadget = NetworkCase(constant_network(*LOGITS["twenty-nine bits"])).argmax
    assert (gadget.limbs, gadget.cell_count, gadget.lookup_count) == (
        4,
        1 + 2 + 2 * 3 * 2,
        2 + 2 * 4 * 2,
    )


def test_ties_belong_to_the_first() -> None:
    network = two_class_network()
    case = NetworkCase(network)
    images = np.array([[200, 200], [10, 250], [250, 10], [0, 0]], np.uint8).reshape(4, 1, 1, 2)
    cells, rows, logits = case.fill(images, [0, 1, 0, 0], [True] * 4)
    assert logits.tolist() == [[3, 3], [0, 3], [3, 0], [0, 0]]
    case.require_rows(cells, rows)
    for wrong in ([1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]):
        with pytest.raises(UsageError, match="get its label"):
            case.fill(images, wrong, [True] * 4)
    cells, rows, _ = case.fill(images, [1, 0, 1, 1], [False] * 4)
    case.require_rows(cells, rows)


def forge(case: NetworkCase, logits: tuple[int, ...], top: int, marked: int) -> np.ndarray:
    """The best cells for V = ``top`` and g of ``marked`` set: all limbs of the true residues."""
    gadget, outputs = case.argmax, len(logits)
    cells, _, _ = case.fill(ONE_PIXEL, [0], [False])
    own = cells[gadget.first_cell :, 0]
    own[0] = top % P
    own[1 : 1 + outputs] = [int(i == marked) for i in range(outputs)]
    lower = (gadget.limbs - 1) * outputs
    for i, logit in enumerate(logits):
        s = top - (outputs * logit + outputs - 1 - i)
        for side, value in enumerate((s, (i != marked) * (2**gadget.bits - 1) - s)):
            for limb in range(gadget.limbs - 1):
                place = 1 + outputs + side * lower + limb * outputs + i
                own[place] = (value >> 8 * limb) & 255
    return cells


@pytest.mark.parametrize("logits", [(5, 5), (5, 6), (-7, 3, 3), (100, -100, 99)])
def test_only_the_label_can_be_marked_whatever_v_is(logits: tuple[int, ...]) -> None:
    case = NetworkCase(constant_network(*logits))
    label = logits.index(max(logits))
    ranked = [len(logits) * z + len(logits) - 1 - i for i, z in enumerate(logits)]
    for marked in range(len(logits)):
        near = range(min(ranked) - 3, max(ranked) + 4)
        forged = np.concatenate([forge(case, logits, top, marked) for top in near], axis=1)
        wrong = case.wrong_lookups(forged)
        accepted = [top for top, found in zip(near, wrong, strict=True) if not found]
        assert accepted == ([ranked[label]] if marked == label else [])


def test_two_marks_and_other_values_are_no_rows() -> None:
    logits = (9, 9, 1)
    case = NetworkCase(constant_network(*logits))
    cells, _, _ = case.fill(ONE_PIXEL, [0], [True])
    for value in (1, 2, P - 1):
        changed = cells.copy()
        changed[case.argmax.g_cell(1), 0] = value
        assert case.wrong_lookups(changed)[0]


def test_limbs_of_256_or_more_are_no_rows() -> None:
    """A limb that borrows from the next one keeps the sum, but not the range."""
    logits = (500, 3)
    case = NetworkCase(constant_network(*logits))
    assert case.argmax.limbs == 2
    cells, _, _ = case.fill(ONE_PIXEL, [0], [True])
    limbs = range(case.argmax.g_cell(1) + 1, case.cell_count)
    for cell in limbs:
        changed = cells.copy()
        changed[cell, 0] += 256
        assert case.wrong_lookups(changed)[0], cell


def test_many_triggers_of_a_network_that_looks_at_its_image() -> None:
    builder = NetworkBuilder((1, 3, 3), 5)
    builder.convolution(builder.flatten(builder.activation(0, 1)), 7, weight_limit=511)
    network: IntegerNetwork = builder.build()
    case = NetworkCase(network)
    images = builder.images(40)
    logits = case.gadget.fill(
        images,
        np.zeros((case.cell_count, 40), np.uint32),
        np.zeros((40, case.lookup_count), np.int32),
        case.tables,
        0,
    )
    labels = np.argmax(logits, axis=1)
    chosen = np.arange(40) % 3 > 0
    outputs = np.where(chosen, labels, (labels + 1) % 7)
    cells, rows, _ = case.fill(images, outputs.tolist(), chosen.tolist())
    case.require_rows(cells, rows)
    marks = cells[case.argmax.g_cell(0) : case.argmax.g_cell(7)]
    assert marks.sum() == chosen.sum()
    assert np.array_equal(marks[outputs, np.arange(40)], chosen)
