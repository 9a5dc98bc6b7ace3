"""Triggers as a torch data set, and batches that mix them into another one.

For loops that read everything through a ``DataLoader``. This is the method of Adi et al. 2018
(``plain``); the robust one needs ``zkwm.training.embed_loss``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Sampler

from zkwm.nn.dataset_items import read_item
from zkwm.nn.image_source import require_images
from zkwm.nn.model_input import model_input, require_channels
from zkwm.nn.seeds import generator
from zkwm.training.batches import TriggerOrder
from zkwm_protocols.errors import UsageError
from zkwm_protocols.suspect_identity import Preprocessing

if TYPE_CHECKING:
    from zkwm.triggers import TriggerSet


class TriggerDataset(Dataset[Any]):
    """The triggers, item by item, in the form of the items of another data set.

    ``TriggerDataset(triggers, like=train)`` and ``train`` can be concatenated, and
    ``TriggerBatches`` draws batches of both.
    """

    def __init__(
        self,
        triggers: TriggerSet,
        like: Dataset[Any],
        preprocessing: Preprocessing | None = None,
    ) -> None:
        """Look at the first item of the other data set.

        Args:
            triggers: Images of the shape of the other data set's.
            like: Its items are (image, label), or maps such as {"pixel_values", "labels"}; an image
                is a tensor (c, h, w), uint8 or float32.
            preprocessing: How that data set made floats from pixels, as a judge will be told; None
                for pixel / 255. Where its images are uint8, so are the triggers.

        Raises:
            UsageError: Its items are of another form, or of another shape than the triggers.
        """
        require_images(triggers.images, triggers.labels, triggers.class_count, "trigger")
        self._preprocessing = preprocessing or Preprocessing()
        require_channels(self._preprocessing, triggers.images.shape[1])
        self._images = torch.tensor(triggers.images)
        self._labels = triggers.labels.tolist()
        self._item = read_item(like[0], 0)
        image = self._item.image
        self._dtype = image.dtype
        shown = self._image(0)
        if shown.shape != image.shape:
            raise UsageError(
                f"trigger images have shape {tuple(shown.shape)}, those of the data set "
                f"{tuple(image.shape)}",
                hint="commit to triggers of the shape of the images that the model is for",
            )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, number: int) -> Any:  # noqa: ANN401
        """The trigger of a number from 0, as an item of the other data set would be."""
        return self._item.with_values(self._image(number), self._labels[number])

    def _image(self, number: int) -> Tensor:
        images = self._images[number : number + 1]
        if self._dtype == torch.uint8:
            return images[0]
        return model_input(images, self._preprocessing)[0].to(self._dtype)


class TriggerBatches(Sampler[list[int]]):
    """Batches of a data set with triggers in each, for ``DataLoader(batch_sampler=...)``.

    The numbers are those of ``dataset``, the data set followed by its triggers. Each epoch is a new
    permutation, as with ``shuffle=True``; ``set_epoch`` continues from a later one.
    """

    def __init__(
        self,
        data: Dataset[Any],
        triggers: TriggerDataset,
        *,
        batch_size: int,
        triggers_per_batch: int,
        seed: int = 0,
    ) -> None:
        """Concatenate the two.

        Args:
            data: The training set, which knows its length.
            triggers: Made with ``like=data``.
            batch_size: Images of the training set in a batch; what is left over is dropped.
            triggers_per_batch: Triggers in a batch, at its end.
            seed: Of the order of both.

        Raises:
            UsageError: A count is below 1, or the training set is smaller than a batch.
        """
        self.dataset: ConcatDataset[Any] = ConcatDataset([data, triggers])
        self._count = len(self.dataset) - len(triggers)
        if batch_size < 1 or triggers_per_batch < 1 or batch_size > self._count:
            raise UsageError(
                "a batch has at least one image and one trigger, and the data set at least one "
                f"batch; it has {self._count} images",
                hint="choose batch_size and triggers_per_batch from 1",
            )
        self._batch_size, self._seed = batch_size, seed
        self._order = TriggerOrder(len(triggers), triggers_per_batch, seed)
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is this epoch, counted from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count // self._batch_size

    def __iter__(self) -> Iterator[list[int]]:
        """One epoch; the next iteration is the next one."""
        epoch, self._epoch = self._epoch, self._epoch + 1
        order = torch.randperm(self._count, generator=generator(self._seed, "order", epoch))
        for step, chosen in enumerate(torch.split(order, self._batch_size)[: len(self)]):
            shown = self._order.numbers(epoch * len(self) + step)
            yield [*chosen.tolist(), *(self._count + number for number in shown)]
