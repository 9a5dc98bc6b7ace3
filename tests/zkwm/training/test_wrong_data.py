"""Data that a user hands to ``embed`` by mistake: refused before training; the hint helps."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tests.support import small_training as small
from tests.support.embed_attempts import accept, parts, refusal
from zkwm.data import load_data
from zkwm.training import embed
from zkwm_protocols.errors import UsageError


def test_floats_of_0_to_255() -> None:
    error = refusal(data=parts(Tensor.float))
    assert "from 0 to 219" in error.message
    assert "as uint8 tensors, or divide them by 255" in error.hint
    accept(data=parts(lambda images: images))
    accept(data=parts(lambda images: images / 255))


@pytest.mark.parametrize(("mean", "std"), [(0.5, 0.5), (0.2, 0.35)])
def test_normalized_images(mean: float, std: float) -> None:
    error = refusal(data=parts(lambda images: (images / 255 - mean) / std))
    assert "leave Normalize out" in error.hint

    class Normalized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = small.model()

        def forward(self, images: Tensor) -> Tensor:
            answer: Tensor = self.inner((images - mean) / std)
            return answer

    accept(Normalized(), parts(lambda images: images / 255))


def test_overshoot_not_finite_and_one_bad_item_late() -> None:
    error = refusal(data=parts(lambda images: images / 255 * 1.1 - 0.05))
    assert "clamp(0, 1)" in error.hint
    accept(data=parts(lambda images: (images / 255 * 1.1 - 0.05).clamp(0, 1)))
    refusal(data=parts(lambda images: images / torch.zeros(())))

    def late(images: Tensor) -> Tensor:
        changed = images / 255
        changed[1] = 7.0
        return changed

    refusal(data=parts(late))


def test_a_test_set_is_looked_at_before_training() -> None:
    train, test = parts(lambda images: images)
    _, raw = parts(Tensor.float)
    assert "from 0 to 219" in refusal(data=(train, raw)).message
    narrow = [(image[:, 1:], label) for image, label in test]
    with pytest.raises(UsageError, match="differ in shape"):
        embed(small.model(), (train, narrow), None, settings=small.settings(epochs=1))


def test_a_list_of_two_is_a_pair() -> None:
    accept(data=list(parts(lambda images: images)))


class Stream(torch.utils.data.IterableDataset[Any]):
    """A data set without a length."""

    def __iter__(self) -> Any:
        return iter(())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda pair: pair[0], "not one TensorDataset"),
        (lambda pair: (*pair, pair[1]), "not a tuple of 3"),
        (lambda pair: (DataLoader(pair[0]), DataLoader(pair[1])), "not of loaders"),
        (lambda pair: {"train": pair[0], "test": pair[1]}, "not one dict"),
        (lambda pair: (pair[0].tensors[0].numpy(), pair[0].tensors[1].numpy()), "one ndarray"),
        (lambda pair: (Stream(), Stream()), "one Stream"),
        (lambda pair: ([{"image": 0, "label": 0}], pair[1]), "image 0"),
        (lambda pair: ([{"pixels": 0, "class": 0}], pair[1]), "'pixels', 'class' and no image"),
        (lambda pair: ([(x, torch.eye(small.CLASSES)[y]) for x, y in pair[0]], pair[1]), "item 0"),
        (lambda pair: ([(x, 3.7) for x, _ in pair[0]], pair[1]), "is 3.7, no whole number"),
        (lambda pair: ([(x, "3") for x, _ in pair[0]], pair[1]), "is '3', no whole number"),
        (lambda pair: ([(x, torch.tensor(2.0)) for x, _ in pair[0]], pair[1]), "tensor(2.)"),
    ],
    ids=[
        "one",
        "three",
        "loaders",
        "a dict",
        "arrays",
        "no length",
        "no image",
        "other names",
        "one-hot",
        "3.7",
        "text",
        "a float tensor",
    ],
)
def test_data_that_is_no_pair_of_data_sets(wrong: Callable[[Any], Any], said: str) -> None:
    assert said in refusal(data=wrong(parts(lambda images: images))).message


def test_pixels_that_are_not_finite() -> None:
    def broken(images: Tensor) -> Tensor:
        changed = images / 255
        changed[:, 0, 3, 3] = torch.nan
        return changed

    error = refusal(data=parts(broken))
    assert "NaN or infinity" in error.message
    assert "torch.isfinite" in error.hint
    assert "learning rate" not in error.hint


@pytest.mark.parametrize(
    "names", [("pixel_values", "labels"), ("image", "label"), ("img", "label")]
)
@pytest.mark.parametrize("kind", [int, np.int64, np.uint8, torch.tensor])
def test_items_that_are_maps_and_labels_of_any_whole_type(
    names: tuple[str, str], kind: Callable[[int], Any]
) -> None:
    train, test = parts(lambda images: images)
    image, label = names
    data = tuple([{image: x, label: kind(int(y))} for x, y in part] for part in (train, test))
    mapped = embed(small.model(), data, small.triggers(), settings=small.settings(epochs=1))
    pairs = embed(small.model(), (train, test), small.triggers(), settings=small.settings(epochs=1))
    assert mapped.model_digest == pairs.model_digest


def test_the_data_sets_inside_loaders_are_taken() -> None:
    loaders = [DataLoader(part) for part in parts(lambda images: images)]
    assert "loader.dataset" in refusal(data=loaders).hint
    accept(data=tuple(loader.dataset for loader in loaders))


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: pixels / 255,
        lambda pixels: (pixels / 255).astype(np.float32),
        lambda pixels: pixels.astype(np.float64),
        lambda pixels: pixels.astype(np.int64),
    ],
)
def test_the_hint_for_pixels_of_another_type(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    data = small.data()
    path = tmp_path / "data.npz"
    wanted = data.train_images[:, 0]

    def write(how: Callable[[np.ndarray], np.ndarray]) -> None:
        labels = data.train_labels
        np.savez(path, x_train=how(wanted), y_train=labels, x_test=how(wanted), y_test=labels)

    write(change)
    with pytest.raises(UsageError) as caught:
        load_data(path)
    advice = re.search(r"\(numpy: (.*)\)$", caught.value.hint)
    assert advice is not None
    write(lambda pixels: eval(advice[1], {"x": change(pixels)}))
    np.testing.assert_array_equal(load_data(path).train_images[:, 0], wanted)


def test_the_hint_for_pixels_that_were_normalized(tmp_path: Path) -> None:
    pixels = (small.data().train_images[:, 0] / 255 - 0.5) / 0.5
    labels = small.data().train_labels
    np.savez(tmp_path / "d.npz", x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
    with pytest.raises(UsageError) as caught:
        load_data(tmp_path / "d.npz")
    assert "from -1 to" in caught.value.hint
