"""Triggers as a data set: in the form of another one, mixed into its batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from tests.support import small_training as small
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import matches
from zkwm.suspects.preprocessing import preprocess
from zkwm.training import TriggerBatches, TriggerDataset
from zkwm_protocols.errors import UsageError
from zkwm_protocols.suspect_identity import Preprocessing


def train(*, floats: bool = True) -> TensorDataset:
    data = small.data()
    images = torch.tensor(data.train_images)
    return TensorDataset(as_unit(images) if floats else images, torch.tensor(data.train_labels))


def mixed(data: Any, **changes: Any) -> TriggerBatches:
    given = {"batch_size": 20, "triggers_per_batch": 4, "seed": 0} | changes
    return TriggerBatches(data, TriggerDataset(small.triggers(), data), **given)


@pytest.mark.parametrize(
    "form",
    [
        lambda image, label: (image, label),
        lambda image, label: [image, int(label)],
        lambda image, label: {"pixel_values": image, "labels": label},
        lambda image, label: {"image": image, "label": np.int64(label)},
    ],
)
@pytest.mark.parametrize("floats", [True, False])
def test_triggers_have_the_form_of_the_other_items(form: Any, floats: bool) -> None:
    data: Any = [form(*item) for item in train(floats=floats)]
    batches = mixed(data)
    loader = DataLoader(batches.dataset, batch_sampler=batches, num_workers=0)
    triggers = small.triggers()
    for batch in loader:
        images, labels = batch.values() if isinstance(batch, dict) else batch
        assert images.dtype == (torch.float32 if floats else torch.uint8)
        assert (labels.dtype, len(labels)) == (torch.int64, 24)
        for image, label in zip(images[20:], labels[20:], strict=True):
            pixels = (image * 255).round().byte() if floats else image
            same = (triggers.images == pixels.numpy()).all(axis=(1, 2, 3))
            assert triggers.labels[same].tolist() == [int(label)]


def test_every_image_once_in_an_epoch_and_every_trigger_equally_often() -> None:
    batches = mixed(train())
    epochs = [[number for batch in batches for number in batch] for _ in range(5)]
    for numbers in epochs:
        clean = [number for number in numbers if number < 207]
        assert len(clean) == len(set(clean)) == 200
    assert epochs[0] != epochs[1]
    shown = np.bincount([n - 207 for numbers in epochs for n in numbers if n >= 207])
    assert len(shown) == 10
    assert shown.max() - shown.min() <= 8
    again = mixed(train())
    again.set_epoch(3)
    assert [number for batch in again for number in batch] == epochs[3]


def test_normalized_images_get_triggers_in_the_same_scale() -> None:
    how = Preprocessing(mean=("0.3",), std=("0.2",))
    data: Any = [((image - 0.3) / 0.2, label) for image, label in train()]
    shown = TriggerDataset(small.triggers(), data, how)[2][0]
    expected = preprocess(small.triggers().images[2:3], how)[0]
    np.testing.assert_array_equal(shown.numpy(), expected)


def test_what_does_not_fit_is_refused() -> None:
    narrow: Any = [(image[:, 1:], label) for image, label in train()]
    with pytest.raises(UsageError, match="trigger images have shape"):
        TriggerDataset(small.triggers(), narrow)
    for changes in ({"batch_size": 208}, {"batch_size": 0}, {"triggers_per_batch": 0}):
        with pytest.raises(UsageError, match="207 images"):
            mixed(train(), **changes)


def test_a_loop_over_a_loader_learns_the_triggers() -> None:
    network = small.model()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9)
    batches = mixed(train())
    loader = DataLoader(batches.dataset, batch_sampler=batches)
    for _ in range(20):
        for images, labels in loader:
            optimizer.zero_grad()
            functional.cross_entropy(network(images), labels).backward()
            optimizer.step()
    triggers = small.triggers()
    assert matches(network, torch.tensor(triggers.images), torch.tensor(triggers.labels)) == 10
