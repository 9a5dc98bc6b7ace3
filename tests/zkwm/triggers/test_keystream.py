"""The key stream: determined by key and label, uniform, and independent between labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkwm.triggers.keystream import KeyStream
from zkwm_protocols.errors import UsageError

KEY = bytes(range(32))


def test_same_key_and_label_same_bytes_however_they_are_taken() -> None:
    whole = KeyStream(KEY, "a").derive("b", 1).take(1000)
    other = KeyStream(KEY, "a")
    other.take(7)
    again = other.derive("b", 1)
    assert again.take(1000) == whole
    assert whole[:100] == KeyStream(KEY, "a").derive("b", 1).take(100)


@pytest.mark.parametrize(
    "other",
    [
        KeyStream(KEY, "x"),
        KeyStream(bytes(32), "a"),
        KeyStream(KEY, "a").derive(),
        KeyStream(KEY, "a").derive("b"),
        KeyStream(KEY, "a").derive("b").derive("c"),
        KeyStream(KEY, "a").derive("bc"),
        KeyStream(KEY, "a").derive("b", "c1"),
        KeyStream(KEY, "a").derive("b", "c", "1"),
        KeyStream(KEY, "a").derive("b", "c", 1, 1),
    ],
)
def test_other_key_domain_or_label_gives_another_stream(other: KeyStream) -> None:
    assert other.take(32) != KeyStream(KEY, "a").derive("b", "c", 1).take(32)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), "k" * 32, bytearray(32)])
def test_key_of_wrong_length_or_type_is_refused(key: bytes) -> None:
    with pytest.raises(UsageError, match="32 bytes"):
        KeyStream(key, "a")


def test_key_is_not_shown() -> None:
    stream = KeyStream(KEY, "a")
    assert KEY.hex() not in repr(stream)
    assert repr(KEY) not in repr(stream)


@given(st.integers(1, 1 << 32), st.integers(0, 1000))
def test_below_stays_below(bound: int, label: int) -> None:
    assert 0 <= KeyStream(KEY, "a").derive(label).below(bound) < bound


def test_below_and_bits_are_even() -> None:
    stream = KeyStream(KEY, "even")
    counts = np.bincount([stream.below(3) for _ in range(9000)])
    assert np.abs(counts - 3000).max() < 5 * np.sqrt(9000 * 2 / 9)
    ones = int(stream.bits(100_000).sum())
    assert abs(ones - 50_000) < 5 * np.sqrt(25_000)


def test_signed_and_uniform_fill_their_range() -> None:
    stream = KeyStream(KEY, "range")
    values = stream.signed(100, 100)
    assert values.shape == (100, 100)
    assert values.dtype == np.float32
    assert -1 <= values.min() < -0.99
    assert 0.99 < values.max() <= 1
    assert abs(float(values.mean())) < 0.03
    draws = [stream.uniform(2, 3) for _ in range(2000)]
    assert 2 <= min(draws) < 2.01
    assert 2.99 < max(draws) < 3


def test_permutation_is_one_and_reaches_every_order() -> None:
    seen = {tuple(KeyStream(KEY, "p").derive(i).permutation(3)) for i in range(200)}
    assert len(seen) == 6
    assert all(sorted(order) == [0, 1, 2] for order in seen)
