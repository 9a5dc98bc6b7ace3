"""Learning about unopened triggers from opened ones: SPEC.md 5.6.

Whoever saw a block opened knows its images and their style. If all blocks had one style, the rest
could be found and erased. Every block has its own generator, from its own sub-key.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from zkwm.triggers import Generated, generate
from zkwm.triggers.keystream import KeyStream

SHAPE = (1, 28, 28)
SIZE = 50
OWNERS = 10


def centered(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Images as vectors of mean 0 and length 1, (n, pixels)."""
    flat = images.reshape(len(images), -1).astype(float)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def style(opened: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What an opened block shows of its generator: which pixels go together, (pixels, pixels)."""
    images = centered(opened)
    together = images.T @ images
    np.fill_diagonal(together, 0)
    return np.asarray(together / np.linalg.norm(together))


def likeness(images: NDArray[np.uint8], together: NDArray[np.float64]) -> float:
    """How far the same pixels go together in these images, on average."""
    flat = centered(images)
    return float(np.einsum("np,pq,nq->n", flat, together, flat, optimize=True).mean())


@pytest.fixture(scope="module")
def owners() -> list[Generated]:
    """The secret triggers of ten owners, two blocks of 50 each, and their decoys."""
    return [generate("secret", 2 * SIZE, SHAPE, key=bytes([n] * 32)) for n in range(OWNERS)]


def test_an_opened_block_tells_no_more_of_the_owners_next_than_of_a_strangers(
    owners: list[Generated],
) -> None:
    own, strange, same = [], [], []
    for number, made in enumerate(owners):
        known = style(made.images[: SIZE // 2])
        same.append(likeness(made.images[SIZE // 2 : SIZE], known))
        own.append(likeness(made.images[SIZE:], known))
        strange.append(likeness(owners[(number + 1) % OWNERS].images[SIZE:], known))
    differences = np.array(own) - np.array(strange)
    assert abs(differences.mean()) < 4 * differences.std() / np.sqrt(OWNERS)
    # The measure is no blunt one: half a block does tell of its other half.
    assert np.mean(same) > 3 * np.mean(own)
    assert min(same) > 0


def test_decoys_look_like_the_triggers_of_their_block(owners: list[Generated]) -> None:
    """An endpoint that knows the opened style cannot tell which of the two it is asked."""
    differences = []
    for made in owners:
        known = style(made.images[: SIZE // 2])
        trigger = likeness(made.images[SIZE // 2 : SIZE], known)
        differences.append(trigger - likeness(made.decoys[SIZE // 2 : SIZE], known))
    assert abs(np.mean(differences)) < 4 * np.std(differences) / np.sqrt(OWNERS)


def test_decoys_are_no_triggers_and_nothing_repeats(owners: list[Generated]) -> None:
    made = owners[0]
    every = [image.tobytes() for image in (*made.images, *made.decoys)]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize("family", ["secret", "blocks", "abstract"])
def test_another_key_or_block_size_shares_no_image(family: str) -> None:
    options = [
        {"key": bytes(32), "block_size": 10},
        {"key": bytes(31) + b"\x01", "block_size": 10},
    ]
    made = [generate(family, 20, SHAPE, **option) for option in options]
    sets = [{image.tobytes() for image in (*each.images, *each.decoys)} for each in made]
    assert not sets[0] & sets[1]


def test_streams_of_different_purposes_never_meet() -> None:
    """Numbers and texts that print alike, joined or split labels, derived twice or at once."""
    root = KeyStream(bytes(32), "test")
    labels: list[tuple[str | int, ...]] = [
        ("block", 1), ("block", "1"), ("block1",), ("block", 11), ("block", 1, 1), (1, "block"),
        ("", "block", 1), ("block", 1, ""),
    ]  # fmt: skip
    streams = [root.derive(*label) for label in labels]
    streams += [root.derive("block").derive(1), KeyStream(bytes(32), "test2"), root]
    seen = [stream.take(32) for stream in streams]
    assert len(set(seen)) == len(seen)
