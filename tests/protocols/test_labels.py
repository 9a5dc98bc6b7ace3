"""Labels: uniform, of fixed widths, functions of D and beacon alone. (Vectors: test_vectors.)"""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import commitment as reference
from tests.support.stored_vectors import fast_label_seed
from zkwm_protocols import labels
from zkwm_protocols.errors import Malformed
from zkwm_protocols.labels import derive_labels, label, label_seed

SEEDS = [hashlib.sha256(bytes([i])).digest() for i in range(4)]


@pytest.mark.parametrize("class_count", [2, 3, 4, 5, 10, 100, 128, 129, 1000])
def test_uniform_over_the_classes(class_count: int) -> None:
    """Chi-square of 40,000 labels within five standard deviations of its mean."""
    drawn = [label(seed, i, class_count) for seed in SEEDS for i in range(10_000)]
    counts = np.bincount(drawn, minlength=class_count)
    assert len(counts) == class_count
    expected = len(drawn) / class_count
    statistic = float(((counts - expected) ** 2 / expected).sum())
    freedom = class_count - 1
    assert abs(statistic - freedom) < 5 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("class_count", [2, 3, 10, 255, 256, 257, 40_000, 65_535])
def test_rejection_makes_every_class_exactly_as_likely(class_count: int) -> None:
    """Of all 65,536 first words equally many are kept for each class; the rest is drawn again."""
    mask = (1 << (class_count - 1).bit_length()) - 1
    kept = np.bincount(np.arange(65_536) & mask, minlength=class_count)[:class_count]
    assert len(set(kept.tolist())) == 1
    assert kept.sum() > 65_536 // 2


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**32 - 1), st.integers(2, 65_535))
@settings(deadline=None)
def test_equal_to_the_reference(seed: bytes, index: int, class_count: int) -> None:
    found = label(seed, index, class_count)
    assert found == reference.label(seed, index, class_count)
    assert 0 <= found < class_count


def test_long_rejections_read_on_in_the_same_stream() -> None:
    """C = 32,769 rejects nearly half of the words: among 20,000 labels some need 16 and more."""
    found = [label(SEEDS[0], i, 32_769) for i in range(20_000)]
    streams = [
        np.frombuffer(
            hashlib.shake_256(b"zkwm-label-1" + SEEDS[0] + i.to_bytes(4, "big")).digest(400), ">u2"
        )
        for i in range(20_000)
    ]
    places = [int(np.argmax(stream < 32_769)) for stream in streams]
    assert [int(s[p]) for s, p in zip(streams, places, strict=True)] == found
    assert max(places) > 10


@pytest.mark.parametrize("class_count", [-1, 0, 1, 65_536, 2**40])
def test_other_class_counts_are_refused(class_count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "label_seed", fast_label_seed)
    with pytest.raises(Malformed, match="2 to 65,535"):
        derive_labels(bytes(32), None, 1, class_count)


@pytest.mark.parametrize(
    ("digest", "beacon"), [(b"", None), (bytes(31), None), (bytes(32), b""), (bytes(32), bytes(33))]
)
def test_seeds_take_32_bytes(digest: bytes, beacon: bytes | None) -> None:
    with pytest.raises(Malformed, match="32 bytes"):
        label_seed(digest, beacon)


def test_derived_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "label_seed", fast_label_seed)
    found = derive_labels(SEEDS[0], None, 50, 10)
    assert found.dtype == np.int64
    assert found.shape == (50,)
    assert derive_labels(SEEDS[0], None, 20, 10).tolist() == found[:20].tolist()
    for digest, beacon in ((SEEDS[1], None), (SEEDS[0], SEEDS[1])):
        assert derive_labels(digest, beacon, 50, 10).tolist() != found.tolist()
    assert derive_labels(SEEDS[0], None, 0, 10).shape == (0,)


def test_too_little_memory_is_an_error_of_ours() -> None:
    """In a process of its own, which may not have the 256 MiB."""
    program = """
import resource
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.labels import label_seed
resource.setrlimit(resource.RLIMIT_AS, (300 * 2**20, 300 * 2**20))
try:
    label_seed(bytes(32), None)
except CouldNotCheck as error:
    print(error.message)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert "256 MiB" in done.stdout, done.stderr


def test_a_seed_that_was_kept_holds_for_its_commitment_and_time_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(labels, "password_key", lambda password, *_, **__: password[-64:-32])
    fresh = label_seed.__wrapped__
    with labels.KeptSeed(SEEDS[0], None, SEEDS[1]):
        assert fresh(SEEDS[0], None) == SEEDS[1]
        assert fresh(SEEDS[0], bytes(32)) == SEEDS[0]
        assert fresh(SEEDS[2], None) == SEEDS[2]
    assert fresh(SEEDS[0], None) == SEEDS[0]
