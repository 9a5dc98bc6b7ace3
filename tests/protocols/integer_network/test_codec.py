"""The file of a network: round trips, refusals by form, and mutated bytes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.small_networks import random_network, small_network, two_class_network
from zkwm_protocols.encoding import pack, unpack
from zkwm_protocols.errors import Malformed, Unsupported, ZkwmError
from zkwm_protocols.integer_network import codec, evaluate
from zkwm_protocols.integer_network.model import Convolution, IntegerNetwork, Table

FILE = codec.to_bytes(small_network())
TINY = codec.to_bytes(two_class_network())


def value() -> dict[str, Any]:
    return unpack("network", FILE, limit=1 << 20)


@pytest.mark.parametrize("seed", range(20))
def test_round_trip(seed: int) -> None:
    network = random_network(seed)
    data = codec.to_bytes(network)
    read = codec.from_bytes(data)
    assert codec.to_bytes(read) == data
    assert codec.digest(read) == codec.digest(network)
    assert read.shapes == network.shapes
    assert read.magnitudes == network.magnitudes
    images = np.random.default_rng(seed).integers(0, 256, (3, *network.shape)).astype(np.uint8)
    assert np.array_equal(evaluate.logits(read, images), evaluate.logits(network, images))


def test_a_bias_by_position_comes_back_as_one() -> None:
    read, written = codec.from_bytes(FILE), small_network()
    for left, right in zip(read.nodes, written.nodes, strict=True):
        if isinstance(right, Convolution):
            assert isinstance(left, Convolution)
            assert np.array_equal(left.bias, right.bias)
            assert np.array_equal(left.weights, right.weights)
            assert (left.stride, left.pads) == (right.stride, right.pads)
            assert (left.dilation, left.groups) == (right.dilation, right.groups)
        else:
            assert left == right
    assert read.nodes[0].bias.ndim == 3


def test_arrays_that_were_read_are_read_only() -> None:
    read = codec.from_bytes(FILE)
    with pytest.raises(ValueError, match="read-only"):
        read.tables[0].values[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        read.nodes[0].weights[0] = 1


def test_the_digest_is_of_the_content() -> None:
    network = small_network()
    first, *others = network.tables
    values = first.values.copy()
    values[0] ^= 1
    other = IntegerNetwork(network.shape, (Table(first.first, values), *others), network.nodes)
    assert codec.digest(other) != codec.digest(network) == codec.digest(small_network())


def node(index: int, **changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda value: value["nodes"][index].update(changes)


def field(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda value: value.update(changes)


MUTATIONS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "type": (field(type="zkwm-proof"), "another"),
    "version": (field(version=2), "another"),
    "version true": (field(version=True), "another"),
    "a key too many": (field(extra=0), "unknown field 'extra'"),
    "a key too few": (lambda value: value.pop("shape"), "missing or unknown field 'shape'"),
    "shape of four": (field(shape=[1, 1, 1, 1]), "3 to 3 items"),
    "shape of zeros": (field(shape=[0, 6, 5]), "an integer from 1"),
    "tables no list": (field(tables={}), "0 to 64 items"),
    "a table of text": (lambda v: v["tables"][0].update(values="no"), "byte string"),
    "a table without first": (lambda v: v["tables"][0].pop("first"), "'first'"),
    "a first too large": (lambda v: v["tables"][0].update(first=1 << 31), "1073741824"),
    "no nodes": (field(nodes=[]), "1 to 4000 items"),
    "4,001 nodes": (lambda v: v["nodes"].extend([{}] * 4001), "1 to 4000 items"),
    "node no map": (lambda v: v["nodes"].insert(0, 3), "node 1: expected a map"),
    "node without kind": (lambda v: v["nodes"][0].pop("kind"), "node 1: expected printable text"),
    "an unknown kind": (node(0, kind="attention"), "node 1: a node of an unknown kind"),
    "a key of another kind": (node(1, sources=[0]), "node 2: node: missing or unknown"),
    "a source above": (node(3, sources=[1, 4, 1]), "node 4: expected an integer from 0 to 3"),
    "a negative source": (node(0, source=-1), "node 1: expected an integer from 0 to 0"),
    "one source": (node(3, sources=[1]), "node 4: expected a list of 2 to 64"),
    "weights too short": (node(0, weights=bytes(46)), "node 1: expected a byte string of 48"),
    "sizes of three": (node(0, sizes=[4, 3, 2]), "node 1: expected a list of 4"),
    "sizes that overflow": (node(0, sizes=[1 << 24] * 4), "node 1: expected a byte string of"),
    "size zero": (node(0, sizes=[4, 1, 0, 2]), "node 1: expected an integer from 1"),
    "a bias of another size": (node(0, bias=bytes(20)), "node 1: the bias"),
    "a bias cut": (node(0, bias=bytes(17)), "node 1: the bias"),
    "stride zero": (node(0, stride=[1, 0]), "node 1: expected an integer from 1 to 1024"),
    "dilation of three": (node(0, dilation=[1, 1, 1]), "node 1: expected a list of 2"),
    "pads too wide": (node(0, pads=[0, 0, 0, 1024]), "node 1: expected an integer from 0 to 1023"),
    "groups zero": (node(0, groups=0), "node 1: expected an integer from 1"),
    "a kernel too large": (
        node(0, sizes=[1, 1, 4, 6], weights=bytes(48), pads=[0] * 4),
        "node 1: the kernel is larger",
    ),
    "shift 17": (node(1, shift=17), "node 2: expected an integer from 0 to 16"),
    "a table that is not there": (node(1, table=3), "node 2: there is no such table"),
    "a pooling kernel of one": (node(6, kernel=[2]), "node 7: expected a list of 2"),
    "a reshape of two sides": (node(9, shape=[24, 1]), "node 10: expected a list of 3"),
    "a reshape of others": (node(9, shape=[23, 1, 1]), "node 10: a reshape changes"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_refused(name: str) -> None:
    change, message = MUTATIONS[name]
    changed = copy.deepcopy(value())
    change(changed)
    with pytest.raises(Malformed) as caught:
        codec.from_bytes(pack("network", changed))
    assert caught.value.check == "network.format"
    assert message in caught.value.message
    assert caught.value.check == "network.format"


def test_what_a_network_refuses_keeps_its_check() -> None:
    changed = value()
    changed["nodes"][0]["weights"] = b"\x00\x02" * 24
    with pytest.raises(Malformed) as caught:
        codec.from_bytes(pack("network", changed))
    assert caught.value.check == "network.weights"
    changed = value()
    changed["tables"][0]["first"] += 1 << 20
    with pytest.raises(Malformed) as caught:
        codec.from_bytes(pack("network", changed))
    assert caught.value.check == "network.table"
    changed = value()
    changed["nodes"][-1]["bias"] = (1 << 29).to_bytes(4, "little") * 3
    with pytest.raises(Unsupported) as unsupported:
        codec.from_bytes(pack("network", changed))
    assert unsupported.value.check == "network.logits"


def test_files_of_other_kinds_versions_and_lengths() -> None:
    for wrong in (b"", b"zkwm-proof/1\n" + FILE, FILE[:-1], FILE + b"\0", FILE[15:]):
        with pytest.raises(Malformed):
            codec.from_bytes(wrong)
    with pytest.raises(Unsupported):
        codec.from_bytes(FILE.replace(b"network/1", b"network/2", 1))


def test_limits_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MAXIMUM_FILE", len(FILE) - 1)
    with pytest.raises(Malformed) as caught:
        codec.to_bytes(small_network())
    assert caught.value.check == "network.size"
    monkeypatch.setattr(codec, "MAXIMUM_FILE", len(FILE) - 20)
    with pytest.raises(Malformed) as caught:
        codec.from_bytes(FILE)
    assert caught.value.check == "network.format"


@settings(max_examples=100, deadline=None)
@given(position=st.integers(0, len(TINY) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_mutated_files_are_read_canonically_or_refused(position: int, byte: int, cut: bool) -> None:
    data = TINY[:position] if cut else TINY[:position] + bytes([byte]) + TINY[position + 1 :]
    try:
        read = codec.from_bytes(data)
    except ZkwmError as error:
        named = bool(error.check)
    else:
        named = codec.to_bytes(read) == data
    assert named


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.binary(max_size=9)
    | st.text("ab"),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_value_in_any_field_is_refused_or_read(data: st.DataObject) -> None:
    changed = unpack("network", TINY, limit=1 << 20)
    place = changed
    while True:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(list(keys)))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(json_like)
    try:
        read = codec.from_bytes(pack("network", changed))
    except ZkwmError:
        return
    assert codec.to_bytes(read) == pack("network", changed)
