"""The reference prover and verifier against each other, and every check made to fail.

On the smallest statement; in plain Python it takes minutes, so the whole file is slow.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.reference import cbor
from tests.reference.argument_field import ONE, Element, P, add
from tests.reference.argument_network import argument_of_largest, read_network
from tests.reference.argument_opening import check_opening
from tests.reference.argument_parameters import Rejected
from tests.reference.argument_polynomial import KPolynomial
from tests.reference.argument_prover import Prover
from tests.reference.argument_replay import UNIT, Key
from tests.reference.argument_verifier import Statement, verify
from tests.reference.argument_witness import network_cells
from tests.support.reference_networks import every_kind, hashed
from zkwm_protocols.argument import prover, verifier
from zkwm_protocols.argument import statement as implementation
from zkwm_protocols.integer_network import codec

pytestmark = pytest.mark.slow

PARAMETERS = [9, 13, 170]
FOLDS = [[3, 12, 160], [2, 10, 160]]


class Proved:
    """An honest proof of one match among two triggers, and what is needed to spoil it."""

    def __init__(self) -> None:
        drawn = random.Random(3)
        network = every_kind()
        images = [drawn.randbytes(16) for _ in range(2)]
        salts = [drawn.randbytes(32) for _ in range(2)]
        labels = [0xFFFF, 2]
        triples = zip(labels, salts, images, strict=True)
        leaves = [hashed(network, label, salt, image) for label, salt, image in triples]
        read = read_network(network)
        outputs = [argument_of_largest(network_cells(read, image)[1]) for image in images]
        outputs[1] = (outputs[1] + 1) % 3
        self.images, self.salts = images, salts
        self.arguments: list[Any] = [b"context", network, leaves, labels, outputs, 1]
        self.prover = Prover(Statement(*self.arguments), images, salts, PARAMETERS, FOLDS, 1)
        self.answers = self.prover.converse()
        self.bytes = self.prover.finish(self.answers)

    def check_by_opening(self, data: bytes, zeros: list[dict[Key, Element]] | None = None) -> None:
        """What `verify` does from step (9) on."""
        sizes, transcript = self.prover.sizes, self.prover.before_answers.copy()
        value = cbor.read(data, 2**26)
        zeros = zeros or self.prover.relations
        check_opening(sizes, value, value["folds"], transcript, zeros)


@pytest.fixture(scope="module")
def proved() -> Proved:
    return Proved()


def spoiled(data: bytes, **changes: Any) -> bytes:
    value = cbor.read(data, 2**26)
    for name, change in changes.items():
        value[name] = change(value[name]) if callable(change) else change
    return cbor.write(value)


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def test_an_honest_proof_passes(proved: Proved):
    verify(*proved.arguments, proved.bytes)


def implemented(proved: Proved) -> implementation.Statement:
    """The same statement for `zkwm_protocols`."""
    context, network, leaves, labels, outputs, threshold = proved.arguments
    read = codec.from_bytes(b"zkwm-network/1\n" + cbor.write(network))
    return implementation.Statement(
        context, read, tuple(leaves), tuple(labels), tuple(outputs), threshold
    )


def test_the_implementation_accepts_the_proof_of_the_reference(proved: Proved):
    verifier.verify(implemented(proved), proved.bytes)


def test_the_reference_accepts_a_proof_of_the_implementation(proved: Proved):
    images = np.frombuffer(b"".join(proved.images), np.uint8).reshape(-1, 1, 4, 4)
    data = prover.prove(
        implemented(proved), images, proved.salts, secret=bytes(range(32)), release="test"
    )
    verify(*proved.arguments, data)


@pytest.mark.parametrize(
    ("name", "place"),
    [("low", 0), ("dot", 0), ("dot", 1023), ("pads", 1), ("pads", 512), ("product", 0)],
)
def test_a_wrong_answer_is_rejected(proved: Proved, name: str, place: int):
    answer: KPolynomial = list(proved.answers[name])
    answer[place] = add(answer[place], ONE)
    with pytest.raises(Rejected, match=r"argument\.relations"):
        proved.check_by_opening(proved.prover.finish({**proved.answers, name: answer}))


@pytest.mark.parametrize(
    "changes",
    [
        {"nonces": flipped},
        {"columns": flipped},
        {"commitment": flipped},
        {"nodes": flipped},
        {"nodes": lambda data: data[32:]},
        {"nodes": lambda data: data + bytes(32)},
    ],
)
def test_other_columns_are_rejected(proved: Proved, changes: dict[str, Any]):
    with pytest.raises(Rejected, match=r"argument\.columns"):
        proved.check_by_opening(spoiled(proved.bytes, **changes))


def of_fold(number: int, **changes: Any) -> Callable[[list[Any]], list[Any]]:
    """The folds with one of them changed."""

    def change(folds: list[Any]) -> list[Any]:
        fold = dict(folds[number])
        for name, value in changes.items():
            fold[name] = value(fold[name]) if callable(value) else value
        return [*folds[:number], fold, *folds[number + 1 :]]

    return change


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"folds": of_fold(0, commitment=flipped)}, "argument.columns"),
        ({"folds": of_fold(1, commitment=flipped)}, "argument.columns"),
        ({"folds": of_fold(1, messages=flipped)}, "argument.columns"),
        ({"folds": of_fold(0, columns=flipped)}, "argument.columns"),
        ({"folds": of_fold(1, nodes=flipped)}, "argument.columns"),
        ({"folds": of_fold(1, nodes=lambda data: data + bytes(32))}, "argument.columns"),
        ({"last": flipped}, "argument.columns"),
    ],
)
def test_other_folds_are_rejected(proved: Proved, changes: dict[str, Any], check: str):
    with pytest.raises(Rejected, match=check):
        proved.check_by_opening(spoiled(proved.bytes, **changes))


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"folds": of_fold(0, parameters=[3, 12, 100])}, "argument.soundness"),
        ({"folds": of_fold(0, parameters=[3, 11, 160])}, "argument.soundness"),
        ({"folds": of_fold(0, parameters=[9, 12, 160])}, "argument.format"),
        ({"folds": of_fold(1, parameters=[2, 7, 120])}, "argument.format"),
        ({"folds": of_fold(1, columns=lambda data: data[20:])}, "argument.format"),
        ({"parameters": [9, 13, 140]}, "argument.soundness"),
        ({"parameters": [8, 13, 170]}, "argument.format"),
        ({"parameters": [9, 11, 170]}, "argument.format"),
        ({"parameters": [9, 13, 1001]}, "argument.format"),
        ({"parameters": [9, 13, 171]}, "argument.format"),
        ({"parameters": [9, 13]}, "argument.format"),
        ({"messages": lambda data: data[20:]}, "argument.format"),
        ({"messages": lambda data: P.to_bytes(4, "little") + data[4:]}, "argument.format"),
        ({"columns": lambda data: P.to_bytes(4, "little") + data[4:]}, "argument.format"),
        ({"nodes": lambda data: data[1:]}, "argument.format"),
        ({"nodes": None}, "argument.format"),
        ({"folds": []}, "argument.format"),
        ({"folds": lambda folds: folds * 5}, "argument.format"),
        ({"folds": lambda folds: folds[:1]}, "argument.format"),
        ({"folds": lambda folds: folds[::-1]}, "argument.format"),
        ({"last": lambda data: data + bytes(20)}, "argument.format"),
        ({"more": b""}, "argument.format"),
    ],
)
def test_other_forms_are_rejected(proved: Proved, changes: dict[str, Any], check: str):
    with pytest.raises(Rejected, match=check):
        verify(*proved.arguments, spoiled(proved.bytes, **changes))


def test_a_proof_is_for_one_statement(proved: Proved):
    for place, other in ((0, b"another"), (3, [0xFFFF, 3]), (5, 2)):
        arguments = list(proved.arguments)
        arguments[place] = other
        with pytest.raises(Rejected):
            verify(*arguments, proved.bytes)


@pytest.mark.parametrize("number", [0, 17, 18, 19, 20, 21])
def test_a_relation_that_does_not_hold_is_rejected(proved: Proved, number: int):
    zeros = [dict(relation) for relation in proved.prover.relations]
    zeros[number][UNIT] = add(zeros[number][UNIT], ONE)
    with pytest.raises(Rejected, match=r"argument\.relations"):
        proved.check_by_opening(proved.bytes, zeros)


@pytest.mark.parametrize("key", [("cell", 5, 1), ("multiplicity", 300)])
def test_another_cell_in_a_relation_is_rejected(proved: Proved, key: tuple[str | int, ...]):
    zeros = [dict(relation) for relation in proved.prover.relations]
    zeros[19][key] = ONE
    with pytest.raises(Rejected, match=r"argument\.relations"):
        proved.check_by_opening(proved.bytes, zeros)
