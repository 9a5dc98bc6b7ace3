"""Evaluation of integer networks against plain loops, in batches, with large intermediate sums."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support import network_loops as loops
from tests.support.small_networks import random_network, small_network, two_class_network
from zkwm_protocols.errors import Unsupported, UsageError
from zkwm_protocols.integer_network import correlation, evaluate
from zkwm_protocols.integer_network.model import Activation, Convolution, IntegerNetwork, Table


def images_for(network: IntegerNetwork, count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, *network.shape)).astype(np.uint8)


def by_loops(network: IntegerNetwork, image: np.ndarray) -> list[np.ndarray]:
    entries = {place: int(image[place]) for place in loops.positions(network.shape)}
    values = loops.evaluate(network, entries)
    return [
        np.array([value[place] for place in loops.positions(shape)]).reshape(shape)
        for value, shape in zip(values, network.shapes, strict=True)
    ]


def require_equal_to_loops(network: IntegerNetwork, count: int = 2) -> None:
    images = images_for(network, count)
    found = evaluate.trace(network, images)
    for index in range(count):
        expected = by_loops(network, images[index])
        for number, value in enumerate(expected):
            assert np.array_equal(found[number][..., index], value), number
            assert found[number].dtype == (np.uint8 if network.of_bytes[number] else np.int32)
            assert np.abs(value).max() <= network.magnitudes[number]


@pytest.mark.parametrize("seed", range(4))
def test_every_kind_of_node(seed: int) -> None:
    require_equal_to_loops(small_network(seed))


@pytest.mark.parametrize("seed", range(25))
def test_random_networks(seed: int) -> None:
    require_equal_to_loops(random_network(seed))


@pytest.mark.parametrize("seed", range(25))
def test_tap_by_tap_where_nothing_is_unfolded(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "UNFOLDED_ENTRIES", 0)
    require_equal_to_loops(random_network(seed))
    require_equal_to_loops(small_network(seed))


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small_network(1)
    images = images_for(network, 7)
    whole = evaluate.trace(network, images)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    assert len(list(evaluate.batches(network, images))) == 3
    most = evaluate._most_entries(network)
    monkeypatch.setattr(evaluate, "ENTRIES_AT_ONCE", 2 * most)
    monkeypatch.setattr(correlation, "UNFOLDED_ENTRIES", 900)
    assert len(list(evaluate.batches(network, images))) == 4
    for left, right in zip(evaluate.trace(network, images), whole, strict=True):
        assert np.array_equal(left, right)
    logits = evaluate.logits(network, images)
    assert np.array_equal(logits, whole[-1][:, 0, 0].T)
    assert logits.dtype == np.int64


def test_sums_beyond_single_precision_are_exact() -> None:
    """The sum of 129 products, all bytes 255, is 2^24 or more by little and odd, or below it."""
    copies = Convolution(0, np.ones((129, 1, 1, 1), np.int16), np.zeros(129, np.int32))
    table = Table(0, np.arange(256, dtype=np.uint8))
    bias = np.array([1 << 26, 0], np.int32)  # no integer of single precision, with the products
    for last, least in ((511, np.float64), (387, np.float64), (385, np.float32)):
        weights = np.full((2, 129, 1, 1), 511, np.int16)
        weights[:, -1] = last
        nodes = (copies, Activation(1, 0, 0), Convolution(2, weights, bias))
        network = IntegerNetwork((1, 1, 1), (table,), nodes)
        assert correlation.kind(weights.astype(np.float64), 255) is least
        images = np.array([255, 254, 253], np.uint8).reshape(3, 1, 1, 1)
        sums = [image * (511 * 128 + last) for image in (255, 254, 253)]
        assert evaluate.logits(network, images).T.tolist() == [[s + (1 << 26) for s in sums], sums]


def test_sums_beyond_doubles_are_exact() -> None:
    """Partial sums of 34,000 terms up to 511 * 2^30 pass 2^53; the same again cancels them."""
    random = np.random.default_rng(0)
    half = random.integers((1 << 30) - 1000, 1 << 30, 34_000).astype(np.int32)
    signs = random.integers(500, 512, (2, 34_000, 1, 1)).astype(np.int16)
    constants = Convolution(0, np.zeros((68_000, 1, 1, 1), np.int16), np.concatenate([half, half]))
    weights = np.concatenate([signs, -signs], axis=1)
    network = IntegerNetwork(
        (1, 1, 1), (), (constants, Convolution(1, weights, np.array([1, 2], np.int32)))
    )
    assert network.magnitudes == (255, int(half.max()), 2)
    found = evaluate.trace(network, images_for(network, 2))[2]
    assert found[:, 0, 0, 1].tolist() == [1, 2]


def test_a_sum_that_cancels_in_doubles_only_is_refused() -> None:
    """The second half of the weights leaves 2 * (2^30 - 1) more than the first."""
    count, base = 68_000, (1 << 30) - 1
    constants = Convolution(0, np.zeros((count, 1, 1, 1), np.int16), np.full(count, base, np.int32))
    weights = np.where(np.arange(count) < count // 2, 511, -511).astype(np.int16)
    weights[-1] = -509
    weights = np.stack([weights, weights]).reshape(2, count, 1, 1)
    sum_of_both = Convolution(1, weights, np.zeros(2, np.int32))
    with pytest.raises(Unsupported) as caught:
        IntegerNetwork((1, 1, 1), (), (constants, sum_of_both))
    assert caught.value.check == "network.overflow"
    assert "2147483646" in caught.value.message


def test_the_first_of_the_largest_is_the_label() -> None:
    network = two_class_network()
    images = np.stack(np.meshgrid(np.arange(0, 256, 5), np.arange(0, 256, 5)), axis=-1)
    images = images.reshape(-1, 1, 1, 2).astype(np.uint8)
    logits = evaluate.logits(network, images)
    found = evaluate.labels(network, images)
    assert (logits[:, 0] == logits[:, 1]).any()
    assert np.array_equal(found, np.where(logits[:, 1] > logits[:, 0], 1, 0))
    assert set(found) == {0, 1}


def test_other_images_are_refused() -> None:
    network = small_network()
    images = images_for(network, 2)
    for wrong in (images[0], images[:, :, :-1], images.astype(np.int16)):
        with pytest.raises(UsageError, match="expected uint8"):
            evaluate.labels(network, wrong)
        with pytest.raises(UsageError, match="expected uint8"):
            evaluate.trace(network, wrong)


def test_no_images_have_no_labels() -> None:
    network = small_network()
    assert evaluate.labels(network, images_for(network, 0)).shape == (0,)
