"""The sumchecks of SPEC.md sections 17.5 and 17.6 as the verifier replays them, in plain Python.

Every value that was sent is message plus pad: an affine form over K in the committed cells
(`Form`). What a verifier would check on plain values becomes a linear relation on cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from tests.reference.argument_field import (
    ONE,
    ZERO,
    Element,
    add,
    constant,
    elements,
    equality_table,
    inverse,
    multiply,
    scale,
    subtract,
    total,
)
from tests.reference.argument_parameters import require
from tests.reference.argument_transcript import Transcript

Key = tuple[Any, ...]
Form = Mapping[Key, Element]

UNIT: Key = ("one",)


def form(*terms: tuple[Element, Form]) -> Form:
    """The sum of factors times forms."""
    result: dict[Key, Element] = {}
    for factor, term in terms:
        for key, coefficient in term.items():
            result[key] = add(result.get(key, ZERO), multiply(factor, coefficient))
    return result


def known(value: Element) -> Form:
    """A constant as a form."""
    return {UNIT: value}


def negated(value: Element) -> Element:
    """The element -value."""
    return scale(-1, value)


class Replay:
    """The transcript from the root of the tree to the last position, as relations on cells."""

    def __init__(self, transcript: Transcript, messages: bytes) -> None:
        self.transcript = transcript
        self.messages = messages
        self.pads: Iterator[Key] = (("pads", i) for i in count())
        self.relations: list[Form] = []  # each is zero

    def sent(self, label: str, pads: list[Key]) -> list[Form]:
        """The next values, each as message plus pad."""
        data, self.messages = self.messages[: 20 * len(pads)], self.messages[20 * len(pads) :]
        self.transcript.say_elements(label, data)
        pairs = zip(elements(data), pads, strict=True)
        return [{UNIT: message, pad: ONE} for message, pad in pairs]

    def padded(self, label: str, number: int) -> list[Form]:
        """The next values whose pads are the next cells of row `pads`."""
        return self.sent(label, [next(self.pads) for _ in range(number)])

    def challenge(self, label: str) -> Element:
        """One element of K."""
        return self.transcript.challenge(label, 1)[0]

    def tree(self, levels: int) -> tuple[Form, Form, list[Element]]:
        """Section 17.5: the claims n and d on the leaves and their point."""
        numerator = known(ZERO)
        (denominator,) = self.padded("root", 1)
        q: list[Element] = []
        for level in range(levels):
            factor = self.challenge("level")
            claim = form((ONE, numerator), (factor, denominator))
            point: list[Element] = []
            for coordinate in q:
                zero, infinity = self.padded("round", 2)
                require(coordinate != ZERO, "argument.tree")
                share = subtract(ONE, coordinate)
                inverted = inverse(coordinate)
                one = form((inverted, claim), (negated(multiply(inverted, share)), zero))
                point.append(self.challenge("round"))
                claim = quadratic(zero, one, infinity, point[-1])
            left: list[Key] = [("left", 2 * level), ("left", 2 * level + 1)]
            right: list[Key] = [("right", 2 * level), ("right", 2 * level + 1)]
            w, d1, n1, d0 = self.sent("children", [left[0], right[0], left[1], right[1]])
            self.relations.append(
                form(
                    (ONE, claim),
                    (constant(-1), w),
                    (constant(-1), n1),
                    (negated(factor), d1),
                    (constant(-1), product(w, d1, ("product", 2 * level))),
                    (constant(-1), product(n1, d0, ("product", 2 * level + 1))),
                )
            )
            side = self.challenge("side")
            rest = subtract(ONE, side)
            numerator = form((rest, w), (negated(multiply(rest, factor)), d0), (side, n1))
            denominator = form((rest, d0), (side, d1))
            q = [side, *point]
        return numerator, denominator, q

    def positions(self, claim: Form, weights: list[Element], rounds: int) -> list[Element]:
        """The sumcheck of section 17.6: its point. Adds relations (2) and (3) without cells."""
        point: list[Element] = []
        for _ in range(rounds):
            zero, infinity = self.padded("position", 2)
            one = form((ONE, claim), (constant(-1), zero))
            point.append(self.challenge("position"))
            claim = quadratic(zero, one, infinity, point[-1])
        (value,) = self.padded("cells", 1)
        table = equality_table(point)
        weight = total(multiply(x, y) for x, y in zip(weights, table, strict=False))
        self.relations.append(form((weight, value), (constant(-1), claim)))
        self.relations.append(form((constant(-1), value)))
        return point


def quadratic(zero: Form, one: Form, infinity: Form, x: Element) -> Form:
    """The value at x of the polynomial of degree 2 with these values at 0, 1, infinity."""
    square = multiply(x, x)
    return form((subtract(ONE, x), zero), (x, one), (subtract(square, x), infinity))


def product(x: Form, y: Form, cell: Key) -> Form:
    """The product of two messages plus pads, where the cell is the product of the pads."""
    (pad_x,) = x.keys() - {UNIT}
    (pad_y,) = y.keys() - {UNIT}
    constant_term = multiply(x[UNIT], y[UNIT])
    return {UNIT: constant_term, pad_x: y[UNIT], pad_y: x[UNIT], cell: ONE}
