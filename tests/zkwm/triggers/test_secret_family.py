"""The family secret: high dimension, full contrast, a separate distribution for every block."""

from __future__ import annotations

import functools
import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkwm.triggers import Generated, generate
from zkwm.triggers.keystream import KeyStream
from zkwm.triggers.orthogonality import effective_bits
from zkwm.triggers.secret_family import SecretGenerator
from zkwm.triggers.secret_layers import Partition, lattice, mosaic, spectrum

KEY = b"\x07" * 32
SHAPES = [(1, 28, 28), (3, 32, 32), (1, 40, 24)]
BLOCKS = 6


@functools.cache
def drawn(shape: tuple[int, int, int], family: str = "secret", key: bytes = KEY) -> Generated:
    return generate(family, BLOCKS * 50, shape, key=key)


def in_blocks(images: np.ndarray) -> np.ndarray:
    return images.reshape(BLOCKS, 50, *images.shape[1:])


def features(images: np.ndarray) -> np.ndarray:
    """Statistics of a distribution of images (n, c, h, w): levels, and correlations by distance."""
    values = images.astype(np.float64)
    levels = [np.quantile(values, q, axis=(0, 2, 3)) / 255 for q in (0.02, 0.5, 0.98)]
    values -= values.mean(axis=(2, 3), keepdims=True)
    power = (values**2).mean()
    lags = [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (2, 1), (1, 2), (3, 0), (0, 3)]
    correlations = [
        (values[:, :, down:, across:] * values[:, :, : -down or None, : -across or None]).mean()
        / power
        for down, across in lags
    ]
    colors = (values[:, 0] * values[:, -1]).mean() / power
    return np.array([*np.concatenate(levels), *correlations, colors])


@pytest.mark.parametrize("shape", SHAPES)
def test_every_block_carries_200_bits_an_image(shape: tuple[int, int, int]) -> None:
    made = drawn(shape)
    for images, decoys in zip(in_blocks(made.images), in_blocks(made.decoys), strict=True):
        assert effective_bits(np.concatenate([images, decoys])) > 195  # the estimate errs by 2 %
    assert effective_bits(made.images) > 220


@pytest.mark.parametrize("shape", SHAPES)
def test_images_have_full_contrast(shape: tuple[int, int, int]) -> None:
    images = drawn(shape).images
    darkest, lightest = images.min(axis=(2, 3)).astype(int), images.max(axis=(2, 3)).astype(int)
    assert (lightest - darkest).min() >= 175
    assert images.astype(float).std(axis=(2, 3)).min() > 70


@pytest.mark.parametrize("shape", SHAPES)
def test_binarised_images_differ_in_about_half_of_the_pixels(shape: tuple[int, int, int]) -> None:
    made = drawn(shape)
    flat = np.concatenate([made.images, made.decoys])[::4].reshape(BLOCKS * 25, -1)
    bits = (flat > 127).astype(np.float64)
    distances = (bits @ (1 - bits).T + (1 - bits) @ bits.T) / bits.shape[1]
    pairs = distances[np.triu_indices(len(bits), 1)]
    assert pairs.min() > 0.25
    assert pairs.max() < 0.75


def between_and_within(images: np.ndarray) -> tuple[float, float]:
    """The smallest distance of two blocks' features, and the largest of two halves of a block."""
    blocks = in_blocks(images)
    between = min(
        np.linalg.norm(features(first) - features(second))
        for first, second in itertools.combinations(blocks, 2)
    )
    within = max(np.linalg.norm(features(b[:25]) - features(b[25:])) for b in blocks)
    return float(between), float(within)


@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_have_distributions_of_their_own(shape: tuple[int, int, int]) -> None:
    between, within = between_and_within(drawn(shape).images)
    assert between > 1.5 * within
    between, within = between_and_within(drawn(shape, "blocks").images)
    assert between < 1.5 * within  # the measure does see that all blocks of `blocks` are alike


@pytest.mark.parametrize("shape", SHAPES)
def test_decoys_come_from_the_generator_of_their_block(shape: tuple[int, int, int]) -> None:
    made = drawn(shape)
    blocks = [features(images) for images in in_blocks(made.images)]
    for number, decoys in enumerate(in_blocks(made.decoys)):
        distances = [np.linalg.norm(features(decoys) - block) for block in blocks]
        assert int(np.argmin(distances)) == number


def test_decoys_are_no_triggers() -> None:
    made = drawn((1, 28, 28))
    both = np.concatenate([made.images, made.decoys])
    assert len({image.tobytes() for image in both}) == len(both)


def test_the_same_place_under_another_key_has_another_distribution() -> None:
    mine, yours = (in_blocks(drawn((1, 28, 28), key=key).images) for key in (KEY, b"\x08" * 32))
    _, within = between_and_within(drawn((1, 28, 28)).images)
    for first, second in zip(mine, yours, strict=True):
        assert np.linalg.norm(features(first) - features(second)) > within


@pytest.mark.parametrize("shape", [(1, 1, 200), (1, 10, 20), (3, 9, 8), (1, 1, 999), (3, 1, 67)])
def test_smallest_shapes_still_give_nearly_orthogonal_images(shape: tuple[int, int, int]) -> None:
    made = generate("secret", 50, shape, key=KEY)
    assert effective_bits(np.concatenate([made.images, made.decoys])) > 180
    assert made.images.astype(float).std(axis=(2, 3)).min() > 60


@given(st.sampled_from([1, 3]), st.integers(1, 50), st.integers(1, 50), st.integers(0, 9))
@settings(max_examples=15, deadline=None)
def test_any_shape_with_200_values_works(c: int, h: int, w: int, seed: int) -> None:
    if c * h * w >= 200:
        made = generate("secret", 4, (c, h, w), key=bytes([seed]) * 32, block_size=4)
        assert made.images.shape == made.decoys.shape == (4, c, h, w)


def test_large_images_work() -> None:
    made = generate("secret", 2, (3, 96, 130), key=KEY, block_size=2)
    assert made.images.shape == (2, 3, 96, 130)


@pytest.mark.parametrize("make", [lattice, mosaic])
def test_cells_have_about_the_area_asked_for_and_depend_on_the_key(make: object) -> None:
    layers = [make(KeyStream(KEY, str(i)), (60, 60), 9.0) for i in range(8)]
    for layer in layers:
        assert isinstance(layer, Partition)
        assert 200 < layer.values < 800  # 400 whole cells, and those that the edge cuts
        assert set(np.unique(layer.cell)) == set(range(layer.values))
    digests = {hashlib.sha256(layer.cell.tobytes()).digest() for layer in layers}
    assert len(digests) == len(layers)


def test_filtered_noise_has_no_mean_and_depends_on_the_key() -> None:
    layers = [spectrum(KeyStream(KEY, str(i)), (30, 31), 4.0) for i in range(4)]
    noise = KeyStream(KEY, "noise").signed(50, 930)
    for layer in layers:
        fields = layer.fields(noise)
        assert fields.shape == (50, 30, 31)
        assert np.abs(fields.mean(axis=(1, 2))).max() < 1e-6
        assert float(fields.var()) == pytest.approx(1 / 3, rel=0.3)
    for first, second in itertools.combinations(layers, 2):
        gains = np.corrcoef(first.envelope.ravel(), second.envelope.ravel())[0, 1]
        assert gains < 0.95


def test_generators_of_one_key_differ_in_structure() -> None:
    root = KeyStream(KEY, "structures")
    made = [SecretGenerator.draw(root.derive(i), (3, 16, 16)) for i in range(12)]
    kinds = {
        (g.planes, g.operators, tuple(type(layer).__name__ for layer in g.layers)) for g in made
    }
    assert len(kinds) >= 8
    assert len({g.palette.tobytes() for g in made}) == 12
