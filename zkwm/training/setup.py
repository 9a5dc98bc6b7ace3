"""Checks before a training starts: the device's precision, the model, the triggers.

Everything that can be refused is refused here, before any time is spent. Not the training.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zkwm.nn.image_source import Source, as_unit, require_images
from zkwm.nn.inference import evaluating
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings
    from zkwm.triggers import TriggerSet


def resolved_precision(settings: EmbedSettings, device: torch.device) -> str:
    """``float32`` or ``bfloat16``: what ``auto`` means on this device."""
    if settings.precision != "auto":
        return settings.precision
    return "bfloat16" if device.type == "cuda" else "float32"


def trigger_tensors(
    triggers: TriggerSet | None, source: Source, device: torch.device
) -> tuple[Tensor, Tensor] | None:
    """Trigger images uint8 (n, c, h, w) and labels int64 (n,) on the device.

    Raises UsageError when they do not fit the data in type, shape or number of classes.
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

    The layout is channels-last, which is faster, or contiguous for a model that cannot work in it
    (one that takes ``view`` of a convolution's output, say). Raises UsageError unless it turns two
    training images, float32 (2, c, h, w), into finite logits (2, outputs) with an output for every
    class, and has something to train.
    """
    working = copy.deepcopy(model).to(device)
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
        outputs = _outputs(in_layout(working, layout), images.contiguous(memory_format=layout))
    except UsageError:
        layout = torch.contiguous_format
        outputs = _outputs(in_layout(working, layout), images)
    needed = [count for count in (source.class_count, triggers and triggers.class_count) if count]
    if needed and outputs < max(needed):
        raise UsageError(
            f"the model has {outputs} outputs, the data {max(needed)} classes",
            hint="build the model with an output for every class",
        )
    source.require_labels_below(outputs)
    return working, layout


def in_layout(model: nn.Module, layout: torch.memory_format) -> nn.Module:
    """The same model, its four-dimensional tensors in another memory layout."""
    model.to(memory_format=layout)  # type: ignore[call-overload]
    return model


def _outputs(model: nn.Module, images: Tensor) -> int:
    try:
        with torch.no_grad(), evaluating(model):
            logits = model(images)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise UsageError(
            f"the model cannot take float32 images {tuple(images.shape)}: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}",
            hint="build the model for images of this shape",
        ) from None
    if (
        not isinstance(logits, Tensor)
        or logits.shape[:1] != images.shape[:1]
        or logits.ndim != 2
        or not logits.is_floating_point()
    ):
        raise UsageError(f"the model does not turn {len(images)} images into logits (n, outputs)")
    if not bool(torch.isfinite(logits).all()):
        raise UsageError("the model gives outputs that are not finite")
    return int(logits.shape[1])
