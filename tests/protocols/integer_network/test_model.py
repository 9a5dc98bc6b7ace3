"""Every rule of SPEC.md 16.1 and 16.2 by its check, and bounds against the reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.reference.argument_network import read_network
from tests.support.small_networks import constant_network, random_network, small_network
from zkwm_protocols.encoding import decode, encode, unpack
from zkwm_protocols.errors import Malformed, Unsupported, ZkwmError
from zkwm_protocols.integer_network import codec
from zkwm_protocols.integer_network.model import (
    Activation,
    Concatenation,
    Convolution,
    IntegerNetwork,
    Maximum,
    Reshape,
    Sum,
    Table,
)


def convolution(value: int = 0, outputs: int = 2, inputs: int = 1, **changes: Any) -> Convolution:
    fields: dict[str, Any] = {
        "weights": np.ones((outputs, inputs, 1, 1), np.int16),
        "bias": np.zeros(outputs, np.int32),
    }
    return Convolution(value, **(fields | changes))


def network(*nodes: Any, tables: Any = (), shape: Any = (1, 1, 1)) -> IntegerNetwork:
    return IntegerNetwork(shape, tables, nodes)


IDENTITY = Table(0, np.arange(256, dtype=np.uint8))


def wide(count: int, height: int, weight: int = 511, bias: int = 0) -> Convolution:
    """A dense layer over all entries of an image of one channel and one column."""
    weights = np.full((count, 1, height, 1), weight, np.int16)
    return Convolution(0, weights, np.full(count, bias, np.int32))


@pytest.mark.parametrize("seed", range(12))
def test_shapes_bounds_and_digest_are_those_of_the_reference(seed: int) -> None:
    for made in (random_network(seed), small_network(seed)):
        value = unpack("network", codec.to_bytes(made), limit=1 << 20)
        reference = read_network(value)
        assert reference.shapes == made.shapes
        assert reference.largest_logit == made.logit_bound
        assert reference.digest == codec.digest(made)
        assert decode(encode(value), limit=1 << 20) == value


def test_bits_of_the_argmax() -> None:
    assert network(convolution()).argmax_bits == (2 * 2 * 255 + 1).bit_length()
    assert constant_network(0, 0).argmax_bits == 1
    assert constant_network(63, -5).argmax_bits == 8
    assert constant_network(64, -5).argmax_bits == 9


def test_arrays_are_copies_that_nobody_writes_to() -> None:
    weights, bias = np.ones((2, 1, 1, 1), np.int16), np.zeros(2, np.int32)
    values = np.arange(256, dtype=np.uint8)
    made, table = Convolution(0, weights, bias), Table(0, values)
    weights[:] = bias[:] = values[:] = 7
    assert made.weights.max() == 1
    assert made.bias.max() == 0
    assert table.values[3] == 3
    for array in (made.weights, made.bias, table.values):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.input = 3


Case = tuple[Callable[[], Any], type[ZkwmError], str, str]

REFUSED: dict[str, Case] = {
    "no nodes": (lambda: network(), Unsupported, "network.size", "1 to 4000 nodes"),
    "a list": (
        lambda: IntegerNetwork((1, 1, 1), (), [convolution()]),
        Malformed, "network.format", "are tuples",
    ),
    "no node": (lambda: network("sum"), Malformed, "network.format", "tables and nodes"),
    "no table": (
        lambda: network(convolution(), tables=(3,)),
        Malformed, "network.format", "tables and nodes",
    ),
    "image of two sides": (
        lambda: network(convolution(), shape=(1, 1)), Malformed, "network.format", "a shape is",
    ),
    "image without rows": (
        lambda: network(convolution(), shape=(1, 0, 1)), Malformed, "network.format", "a shape is",
    ),
    "an image of two channels": (
        lambda: network(convolution(inputs=2), shape=(2, 1, 1)),
        Malformed, "network.format", "1 or 3 channels",
    ),
    "a value above": (
        lambda: network(convolution(1)), Malformed, "network.format", "node 1: an input",
    ),
    "a value unused": (
        lambda: network(convolution(), convolution()),
        Malformed, "network.format", "value 1 is used by no node",
    ),
    "image unused": (
        lambda: network(convolution(1), convolution()), Malformed, "network.format", "node 1",
    ),
    "logits with sides": (
        lambda: network(convolution(), shape=(1, 2, 1)),
        Malformed, "network.format", "the last value",
    ),
    "one logit": (
        lambda: network(convolution(outputs=1)), Malformed, "network.format", "the last value",
    ),
    "65,536 logits": (
        lambda: network(wide(65_536, 1, 0)), Malformed, "network.format", "the last value",
    ),
    "weights of another type": (
        lambda: convolution(weights=np.ones((2, 1, 1, 1), np.int32)),
        Malformed, "network.format", "array of int16",
    ),
    "a bias of another type": (
        lambda: convolution(bias=np.zeros(2, np.int64)), Malformed, "network.format", "of int32",
    ),
    "weights of three axes": (
        lambda: convolution(weights=np.ones((2, 1, 1), np.int16)),
        Malformed, "network.format", "expected weights",
    ),
    "no weights": (
        lambda: convolution(weights=np.ones((2, 0, 1, 1), np.int16)),
        Malformed, "network.format", "expected weights",
    ),
    "a bias of two axes": (
        lambda: convolution(bias=np.zeros((2, 1), np.int32)),
        Malformed, "network.format", "a bias of",
    ),
    "a bias too short": (
        lambda: network(convolution(bias=np.zeros(1, np.int32))),
        Malformed, "network.format", "node 1: the bias",
    ),
    "channels that do not fit": (
        lambda: network(convolution(inputs=2)), Malformed, "network.format", "node 1: channels",
    ),
    "groups that do not fit": (
        lambda: network(convolution(outputs=4, groups=3), shape=(3, 1, 1)),
        Malformed, "network.format", "node 1: channels",
    ),
    "no groups": (lambda: convolution(groups=0), Malformed, "network.format", "one group"),
    "a long kernel": (
        lambda: convolution(weights=np.ones((2, 1, 1025, 1), np.int16)),
        Malformed, "network.format", "at most 1024",
    ),
    "a kernel larger than its input": (
        lambda: network(wide(2, 3), shape=(1, 2, 1)), Malformed, "network.format", "node 1: the ke",
    ),
    "stride 0": (
        lambda: convolution(stride=(0, 1)), Malformed, "network.format", "are 1 to 1024",
    ),
    "stride 1025": (
        lambda: convolution(stride=(1, 1025)), Malformed, "network.format", "are 1 to 1024",
    ),
    "dilation 0": (
        lambda: convolution(dilation=(1, 0)), Malformed, "network.format", "are 1 to 1024",
    ),
    "negative pads": (
        lambda: convolution(pads=(0, 0, -1, 0)), Malformed, "network.format", "pads are",
    ),
    "wide pads": (
        lambda: convolution(pads=(0, 1024, 0, 0)), Malformed, "network.format", "pads are",
    ),
    "three pads": (
        lambda: convolution(pads=(0, 0, 0)), Malformed, "network.format", "tuple of 4",
    ),
    "a number that is a boolean": (
        lambda: convolution(stride=(True, 1)), Malformed, "network.format", "an integer",
    ),
    "a NumPy number": (
        lambda: Reshape(np.int64(0), (1, 1, 1)),
        Malformed, "network.format", "an integer",
    ),
    "a sum of one": (lambda: Sum((0,)), Malformed, "network.format", "2 to 64 inputs"),
    "a sum of 65": (lambda: Sum((0,) * 65), Malformed, "network.format", "2 to 64 inputs"),
    "a sum of different shapes": (
        lambda: network(convolution(), Sum((0, 1))), Malformed, "network.format", "node 2: the te",
    ),
    "a concatenation of one": (
        lambda: Concatenation((1,)), Malformed, "network.format", "2 to 64 inputs",
    ),
    "a concatenation of different sides": (
        lambda: network(wide(1, 2), Concatenation((0, 1)), shape=(1, 2, 1)),
        Malformed, "network.format", "node 2: the parts",
    ),
    "a reshape of other entries": (
        lambda: network(Reshape(0, (2, 1, 1))), Malformed, "network.format", "node 1: a reshape",
    ),
    "a reshape with a negative side": (
        lambda: network(Reshape(0, (3, -1, -1)), shape=(3, 1, 1)),
        Malformed, "network.format", "node 1: a reshape",
    ),
    "a shift of 17": (lambda: Activation(0, 17, 0), Malformed, "network.format", "shift is 0"),
    "a table that is not there": (
        lambda: network(Activation(0, 0, 1), convolution(1), tables=(IDENTITY,)),
        Malformed, "network.format", "node 1: there is no such table",
    ),
    "a maximum of what are not bytes": (
        lambda: network(convolution(), Maximum(1, (1, 1), (1, 1))),
        Malformed, "network.format", "node 2: a maximum",
    ),
    "a maximum of partly bytes": (
        lambda: network(convolution(), Concatenation((0, 1)), Maximum(2, (1, 1), (1, 1))),
        Malformed, "network.format", "node 3: a maximum",
    ),
    "a weight of 512": (
        lambda: network(wide(2, 1, 512)), Malformed, "network.weights", "node 1: a weight",
    ),
    "a weight of -32768": (
        lambda: network(wide(2, 1, -32768)), Malformed, "network.weights", "node 1: a weight",
    ),
    "a table without values": (
        lambda: Table(0, np.zeros(0, np.uint8)), Malformed, "network.table", "1 to 2^20",
    ),
    "a table of too many values": (
        lambda: Table(0, np.zeros((1 << 20) + 1, np.uint8)), Malformed, "network.table", "1 to 2",
    ),
    "a table far away": (
        lambda: Table(-(1 << 30) - 1, np.zeros(1, np.uint8)), Malformed, "network.table", "from 0",
    ),
    "a table that begins too late": (
        lambda: network(
            Activation(0, 0, 0), convolution(1),
            tables=(Table(1, np.arange(255, dtype=np.uint8)),),
        ),
        Malformed, "network.table", "node 1: table 0 covers 1 to 255, not 0 to 255",
    ),
    "a table that ends too early": (
        lambda: network(
            Activation(0, 1, 0), convolution(1), tables=(Table(0, np.zeros(128, np.uint8)),)
        ),
        Malformed, "network.table", "node 1: table 0 covers 0 to 127, not 0 to 128",
    ),
    "a table too wide for its shift": (
        lambda: network(
            Activation(0, 16, 0), convolution(1), tables=(Table(0, np.zeros(32_512, np.uint8)),)
        ),
        Unsupported, "network.overflow", "node 1: table 0 is too wide",
    ),
    "a bound above 2^30": (
        lambda: network(wide(2, 1, 1, (1 << 30) - 254)),
        Unsupported, "network.overflow", "node 1: values may reach 1073741825",
    ),
    "a bound below -2^30": (
        lambda: network(wide(2, 1, -1, 254 - (1 << 30))), Unsupported, "network.overflow", "node 1",
    ),
    "logits too large": (
        lambda: network(wide(2, 1, 0, 1 << 27)), Unsupported, "network.logits", "node 1: logits",
    ),
    "1,001 nodes": (
        lambda: network(*[convolution(i, 2, 1 + (i > 0)) for i in range(4001)]),
        Unsupported, "network.size", "4000 nodes",
    ),
    "65 tables": (
        lambda: network(convolution(), tables=(IDENTITY,) * 65),
        Unsupported, "network.size", "64 tables",
    ),
    "a value of too many entries": (
        lambda: network(convolution(), shape=(1, 1 << 12, (1 << 12) + 1)),
        Unsupported, "network.size", "2^24 entries",
    ),
    "padding of too many entries": (
        lambda: network(convolution(outputs=8, pads=(1023,) * 4)),
        Unsupported, "network.size", "node 1: a value of more than 2^24",
    ),
    "values of too many entries together": (
        lambda: network(
            *[Reshape(i, (1, 1 << 12, 1 << 12)) for i in range(4)], shape=(1, 1 << 12, 1 << 12)
        ),
        Unsupported, "network.size", "node 4: values have more than 2^26",
    ),
    "too many multiplications": (
        lambda: network(
            Convolution(0, np.ones((1, 1, 128, 128), np.int16), np.zeros(1, np.int32)),
            shape=(1, 3000, 3000),
        ),
        Unsupported, "network.size", "node 1: more than 2^36",
    ),
    "too many comparisons": (
        lambda: network(Maximum(0, (128, 128), (1, 1)), shape=(1, 3000, 3000)),
        Unsupported, "network.size", "node 1: more than 2^36",
    ),
    "tables of too many rows": (
        lambda: network(convolution(), tables=(Table(0, np.zeros(1 << 20, np.uint8)),) * 4),
        Unsupported, "network.size", "rows, at most 2^22",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    make, error, check, message = REFUSED[name]
    with pytest.raises(error) as caught:
        make()
    assert caught.value.check == check
    assert message in caught.value.message


def test_the_largest_that_is_allowed() -> None:
    """Each limit is met exactly: one more is refused above."""
    assert network(wide(2, 1, 511)).logit_bound == 511 * 255
    largest = wide(2, 1, 1, (1 << 30) - 255)
    nothing = convolution(1, 2, 2, weights=np.zeros((2, 2, 1, 1), np.int16))
    assert network(largest, nothing).magnitudes == (255, 1 << 30, 0)
    logits = wide(2, 1, 0, (1 << 27) - 1)
    assert network(logits).argmax_bits == 29
    wide_table = Table(0, np.zeros(32_511, np.uint8))
    assert network(Activation(0, 16, 0), convolution(1), tables=(wide_table,)).argmax_bits
    exact = Table(0, np.zeros(129, np.uint8))
    assert network(Activation(0, 1, 0), convolution(1), tables=(exact,)).argmax_bits
    assert network(wide(65_535, 1, 0)).outputs == 65_535
    copies = [Reshape(i, (1, 1, 1)) for i in range(3999)]
    assert len(network(*copies, convolution(3999)).nodes) == 4000
