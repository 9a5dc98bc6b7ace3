"""Prepare a training: check data, triggers and model, and copy them to the device.

Everything that can be refused is refused here, before any time is spent.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zkwm.nn import digests
from zkwm.nn.image_source import Data, Source, as_unit, open_source, require_images
from zkwm.training.model_checks import (
    first_line,
    output_count,
    require_file,
    require_float32,
    require_trainable,
)
from zkwm.training.robust import method as robust
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings
    from zkwm.triggers import TriggerSet


@dataclass(frozen=True)
class Preparation:
    """The checked inputs of a training, on its device.

    Attributes:
        model: The copy that is trained, in ``layout``.
        layout: The memory format of model and images.
        source: The owner's data set.
        triggers (uint8 (n, c, h, w), int64 (n,)): None for an unmarked model.
        settings: Those of the training.
        precision: ``float32`` or ``bfloat16``.
        start_digest: Of the model that was given.
        trigger_digest: None without triggers.
    """

    model: nn.Module
    layout: torch.memory_format
    source: Source
    triggers: tuple[Tensor, Tensor] | None
    settings: EmbedSettings
    precision: str
    start_digest: bytes
    trigger_digest: bytes | None

    def identity(self) -> dict[str, str]:
        """What a checkpoint must agree in to belong to this training."""
        settings = self.settings.to_map() | {"device": "", "precision": self.precision}
        source = self.source
        names = {
            "settings": json.dumps(settings),
            "data": source.digest.hex() if source.digest else f"{source.train_count} images",
            "triggers": self.trigger_digest.hex() if self.trigger_digest else "none",
            "model": self.start_digest.hex(),
        }
        return names | ({"robust": str(robust.VERSION)} if self.settings.method != "plain" else {})


def prepare(
    model: nn.Module,
    data: Data,
    triggers: TriggerSet | None,
    settings: EmbedSettings,
    device: torch.device,
) -> Preparation:
    """Check all inputs of a training and copy them to the device.

    Args:
        model: Turns float32 images (n, c, h, w) into logits (n, outputs). Not changed.
        data: Arrays, or a pair of torch data sets.
        triggers: None for an unmarked model.
        settings: Those of the training.
        device: Where to train.

    Raises:
        UsageError: They do not fit together (see the functions below).
    """
    require_trainable(model)
    require_float32(model)
    source = open_source(data, device)
    tensors = trigger_tensors(triggers, source, device)
    start_digest = digests.model_digest(model)
    working, layout = prepared_copy(model, source, triggers, device)
    return Preparation(
        model=working,
        layout=layout,
        source=source,
        triggers=tensors,
        settings=settings,
        precision=resolved_precision(settings, device),
        start_digest=start_digest,
        trigger_digest=digests.trigger_digest(triggers) if triggers else None,
    )


def resolved_precision(settings: EmbedSettings, device: torch.device) -> str:
    """``float32`` or ``bfloat16``; ``auto`` means bfloat16 on a GPU only."""
    if settings.precision != "auto":
        return settings.precision
    return "bfloat16" if device.type == "cuda" else "float32"


def trigger_tensors(
    triggers: TriggerSet | None, source: Source, device: torch.device
) -> tuple[Tensor, Tensor] | None:
    """Trigger images uint8 (n, c, h, w) and labels int64 (n,), on the device.

    Raises UsageError if they do not fit the data in dtype, shape or number of classes.
    """
    if triggers is None:
        return None
    require_images(triggers.images, triggers.labels, triggers.class_count, "trigger")
    if tuple(triggers.images.shape[1:]) != source.shape:
        raise UsageError(
            f"trigger images have shape {tuple(triggers.images.shape[1:])}, "
            f"the training images {source.shape}",
            hint="commit to triggers of the shape of the images that the model is for",
        )
    if source.class_count is not None and triggers.class_count != source.class_count:
        raise UsageError(
            f"the triggers are for {triggers.class_count} classes, the data for "
            f"{source.class_count}"
        )
    return (
        torch.tensor(triggers.images, device=device),
        torch.tensor(triggers.labels, device=device),
    )


def prepared_copy(
    model: nn.Module, source: Source, triggers: TriggerSet | None, device: torch.device
) -> tuple[nn.Module, torch.memory_format]:
    """A copy of the model on the device, and the memory layout for it and its images.

    The layout is channels-last, which is faster, or contiguous for a model that refuses it (because
    it takes ``view`` of a convolution's output, say).

    Args:
        model: Not changed.
        source: The training images that are tried.
        triggers: Their labels need an output each; None for a training without triggers.
        device: Of the copy.

    Raises:
        UsageError: The model cannot be copied, has nothing to train, its state is not finite, or it
            does not turn two training images, float32 (2, c, h, w), into finite logits (2, outputs)
            with an output for every class, in training mode too.
    """
    try:
        working = copy.deepcopy(model).to(device)
    except (RuntimeError, TypeError) as error:
        raise UsageError(
            f"the model cannot be copied: {first_line(error)}",
            hint="give a model that copy.deepcopy copies; weight_norm of "
            "torch.nn.utils.parametrizations can be copied, that of torch.nn.utils cannot",
        ) from None
    if not any(parameter.requires_grad for parameter in working.parameters()):
        raise UsageError("the model has no parameter that can be trained")
    for name, tensor in working.state_dict().items():
        if not isinstance(tensor, Tensor) or tensor.is_sparse or tensor.is_complex():
            raise UsageError(f"the model's state {name!r} is not a plain tensor")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise UsageError(f"the model's tensor {name!r} holds a number that is not finite")
    images = as_unit(source.train(torch.tensor([0, source.train_count - 1]))[0])
    layout = torch.channels_last
    try:
        outputs = output_count(in_layout(working, layout), images.contiguous(memory_format=layout))
    except UsageError:
        layout = torch.contiguous_format
        outputs = output_count(in_layout(working, layout), images)
    require_file(working, source.shape)
    needed = [count for count in (source.class_count, triggers and triggers.class_count) if count]
    if needed and outputs < max(needed):
        raise UsageError(
            f"the model has {outputs} outputs, the data {max(needed)} classes",
            hint="build the model with an output for every class",
        )
    source.require_labels_below(outputs)
    return working, layout


def in_layout(model: nn.Module, layout: torch.memory_format) -> nn.Module:
    """The same model, with its four-dimensional tensors in another memory layout."""
    model.to(memory_format=layout)  # type: ignore[call-overload]
    return model
