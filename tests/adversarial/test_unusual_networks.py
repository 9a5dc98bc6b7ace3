"""A suspect's network within all limits, of a shape that no architecture has.

Who chooses the network must not choose whether an honest proof about it can be verified: an error
in the verifier is no verdict, and an owner could never have one.
"""

from __future__ import annotations

import numpy as np
import pytest

from zkwm_protocols.argument.relation.lookup_form import LookupForm, gradient_form, lookup_form
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.field.equality import Equality
from zkwm_protocols.field.scalar import Element, P
from zkwm_protocols.integer_network.model import (
    Activation,
    Convolution,
    IntegerNetwork,
    Reshape,
    Table,
)


def elements(random: np.random.Generator, count: int) -> list[Element]:
    drawn = random.integers(0, P, (count, 5)).tolist()
    return [(a[0], a[1], a[2], a[3], a[4]) for a in drawn]


@pytest.mark.slow
def test_a_plane_of_more_entries_than_doubles_add_up_exactly() -> None:
    """Four pixels, padded to 1024 x 2048 bytes: an eighth of the lookups that are allowed."""
    one, zero = np.ones((1, 1, 1, 1), np.int16), np.zeros(1, np.int32)
    plane = Convolution(0, one, zero, pads=(511, 1023, 511, 1023))
    few = Convolution(2, np.ones((2, 1, 1, 1), np.int16), np.zeros(2, np.int32), (1024, 1024))
    network = IntegerNetwork(
        (1, 2, 2),
        (Table(0, np.arange(256, dtype=np.uint8)),),
        (plane, Activation(1, 0, 0), few, Reshape(3, (4, 1, 1))),
    )
    relation, random = Relation(network), np.random.default_rng(1)
    columns = Equality(elements(random, relation.lookup_count.bit_length()))
    point, alphas = elements(random, relation.cell_count.bit_length()), elements(random, 8)
    form = lookup_form(relation, columns, alphas)
    assert isinstance(form, LookupForm)
    written = gradient_form(relation, columns, alphas)
    assert form.constant == written.constant
    assert form.evaluate(point) == written.evaluate(point)
