from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.support import small_training as small
from zkwm.nn.image_source import open_source
from zkwm.training import EmbedSettings
from zkwm.training.batches import Batches, crop_and_mirror

CPU = torch.device("cpu")


class Numbers:
    """A source whose images tell their number."""

    shape = (1, 1, 1)
    class_count = None
    digest = None
    test_count = 1

    def __init__(self, count: int) -> None:
        self.train_count = count

    def train(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return numbers.float().reshape(-1, 1, 1, 1), numbers

    def test(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        raise NotImplementedError

    def require_labels_below(self, outputs: int) -> None:
        raise NotImplementedError


def batches(count: int, n: int, size: int, k: int, rank: int = 0, world: int = 1) -> Batches:
    settings = EmbedSettings(
        epochs=9, learning_rate=0.1, batch_size=size, triggers_per_batch=k, seed=3
    )
    triggers = (torch.zeros(n, 1, 1, 1), -1 - torch.arange(n)) if n else None
    return Batches(Numbers(count), triggers, settings, rank=rank, world=world)


sizes = st.integers(1, 40)


@given(count=sizes, n=st.integers(0, 30), size=sizes, k=st.integers(1, 12), world=st.integers(1, 4))
def test_processes_share_each_step_without_overlap(
    count: int, n: int, size: int, k: int, world: int
) -> None:
    whole = batches(count, n, size, k)
    shares = [batches(count, n, size, k, rank, world) for rank in range(world)]
    for epoch in range(2):
        seen = []
        for step in range(whole.steps):
            single = whole.batch(epoch, step)
            parts = [share.batch(epoch, step) for share in shares]
            labels = [label for part in parts for label in part.labels.tolist()]
            assert sorted(labels) == sorted(single.labels.tolist())
            assert len(set(labels)) == len(labels) == single.total == whole.images_per_step
            assert all(part.total == single.total for part in parts)
            numbers = [number for part in parts for number in part.triggers]
            assert sorted(numbers) == sorted(single.triggers)
            assert [-1 - number for number in single.triggers] == [
                label for label in single.labels.tolist() if label < 0
            ]
            seen += [label for label in labels if label >= 0]
        assert len(set(seen)) == len(seen) == whole.steps * min(size, count)
        assert count - len(seen) < min(size, count)


@given(n=st.integers(1, 50), k=st.integers(1, 60), epochs=st.integers(1, 5))
def test_no_trigger_twice_in_a_step_and_all_in_each_cycle(n: int, k: int, epochs: int) -> None:
    whole = batches(30, n, 3, k)
    steps = [whole.trigger_numbers(e, s) for e in range(epochs) for s in range(whole.steps)]
    assert all(len(set(step)) == len(step) == min(n, k) for step in steps)
    length = -(-n // min(n, k))
    for start in range(0, len(steps) - length + 1, length):
        cycle = [number for step in steps[start : start + length] for number in step]
        assert set(cycle) == set(range(n))


def test_any_step_can_be_asked_for_first() -> None:
    in_order = batches(40, 7, 6, 3)
    expected = {(e, s): in_order.batch(e, s).labels for e in range(3) for s in range(6)}
    for epoch, step in [(2, 4), (0, 0), (1, 5), (2, 3)]:
        alone = batches(40, 7, 6, 3).batch(epoch, step)
        assert torch.equal(alone.labels, expected[epoch, step])


def test_epochs_and_cycles_differ() -> None:
    whole = batches(40, 8, 40, 8)
    assert not torch.equal(whole.batch(0, 0).labels, whole.batch(1, 0).labels)
    assert whole.trigger_numbers(0, 0) != whole.trigger_numbers(1, 0)


def test_crop_and_mirror_against_slicing() -> None:
    images = torch.randint(0, 256, (40, 3, 9, 7), dtype=torch.uint8)
    top, left = torch.randint(0, 9, (40,)), torch.randint(0, 9, (40,))
    mirrored = torch.randint(0, 2, (40,))
    result = crop_and_mirror(images, top, left, mirrored)
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)))
    for i in range(40):
        window = padded[i, :, top[i] : top[i] + 9, left[i] : left[i] + 7]
        expected = window[:, :, ::-1] if mirrored[i] else window
        assert np.array_equal(result[i].numpy(), expected)


def test_triggers_are_never_augmented() -> None:
    settings = EmbedSettings(
        epochs=1, learning_rate=0.1, batch_size=20, triggers_per_batch=4, augment=True
    )
    marks = small.triggers()
    tensors = torch.tensor(marks.images), torch.tensor(marks.labels)
    source = open_source(small.data(), CPU)
    whole = Batches(source, tensors, settings)
    batch = whole.batch(0, 1)
    assert len(batch.triggers) == 4
    for image, number in zip(batch.images[-4:], batch.triggers, strict=True):
        assert torch.equal(image, tensors[0][number].float() / 255)
    shares = [Batches(source, tensors, settings, rank=r, world=2).batch(0, 1) for r in (0, 1)]
    assert torch.equal(shares[1].images[:10], batch.images[1:20:2])
    assert torch.equal(shares[0].images[:10], batch.images[0:20:2])


def test_alternating_images_move_by_two_pixels_and_are_mirrored_every_second_epoch() -> None:
    settings = EmbedSettings(
        epochs=4, learning_rate=0.1, batch_size=20, augment=True, augmentation="alternating"
    )
    source = open_source(small.data(), CPU)
    whole = Batches(source, None, settings)
    mirrored: dict[int, list[bool]] = {}
    for epoch in range(4):
        for step in range(whole.steps):
            batch, numbers = whole.batch(epoch, step), whole.numbers(epoch, step)
            originals = source.train(numbers)[0].numpy()
            for image, original, number in zip(
                (255 * batch.images).round().byte().numpy(), originals, numbers.tolist(),
                strict=True,
            ):  # fmt: skip
                padded = np.pad(original, ((0, 0), (2, 2), (2, 2)), mode="reflect")
                windows = [
                    padded[:, top : top + 12, left : left + 12]
                    for top in range(5)
                    for left in range(5)
                ]
                flipped = image[:, :, ::-1]
                is_mirrored = any(np.array_equal(flipped, window) for window in windows)
                assert is_mirrored != any(np.array_equal(image, window) for window in windows)
                mirrored.setdefault(number, []).append((epoch % 2 == 0) == is_mirrored)
    assert all(len(set(seen)) == 1 for seen in mirrored.values())
    assert {seen[0] for seen in mirrored.values()} == {False, True}
    share = Batches(source, None, settings, rank=1, world=2)
    assert torch.equal(share.batch(2, 3).images, whole.batch(2, 3).images[1::2])


def test_cutout_covers_one_square_of_each_image_and_no_trigger() -> None:
    marks = small.triggers()
    tensors = torch.tensor(marks.images), torch.tensor(marks.labels)
    source = open_source(small.data(), CPU)
    plain = EmbedSettings(epochs=1, learning_rate=0.1, batch_size=20, triggers_per_batch=4)
    covered = replace(plain, cutout=5)
    before, after = (Batches(source, tensors, each).batch(0, 1) for each in (plain, covered))
    places = set()
    for old, new in zip(before.images[:20].numpy(), after.images[:20].numpy(), strict=True):
        gray = np.float32(128) / np.float32(255)
        squares = [
            (top, left)
            for top in range(8)
            for left in range(8)
            if (new[:, top : top + 5, left : left + 5] == gray).all()
        ]
        assert len(squares) == 1
        top, left = squares[0]
        old[:, top : top + 5, left : left + 5] = gray
        assert np.array_equal(old, new)
        places.add(squares[0])
    assert len(places) > 10
    assert torch.equal(before.images[20:], after.images[20:])
    share = Batches(source, tensors, covered, rank=1, world=2).batch(0, 1)
    assert torch.equal(share.images[:10], after.images[1:20:2])


def test_cutout_wider_than_an_image_covers_all_of_it() -> None:
    settings = EmbedSettings(epochs=1, learning_rate=0.1, batch_size=20, cutout=1000)
    images = Batches(open_source(small.data(), CPU), None, settings).batch(0, 0).images
    assert images.unique().numel() == 1
