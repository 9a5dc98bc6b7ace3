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
from torch.nn.parameter import is_lazy

from zkwm.nn import digests
from zkwm.nn.image_source import Data, Source, as_unit, open_source, require_images
from zkwm.nn.inference import evaluating
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
        return names | ({"robust": str(robust.VERSION)} if self.settings.method == "robust" else {})


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


def require_trainable(model: nn.Module) -> None:
    """Raise UsageError for what is no module, or one whose weights cannot be copied and trained."""
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"the model is a torch.nn.Module, not one {type(model).__name__}",
            hint="for a saved state, build the network and call its load_state_dict",
        )
    if isinstance(model, torch.jit.ScriptModule):
        raise UsageError(
            "a scripted network (torch.jit) cannot be trained here",
            hint="give the network that was scripted; export or script it afterwards",
        )
    if isinstance(model, nn.parallel.DistributedDataParallel | nn.DataParallel):
        raise UsageError(
            f"the model is wrapped for several devices ({type(model).__name__})",
            hint="give model.module; zkwm.embed runs on several devices under torchrun",
        )
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if is_lazy(tensor):
            raise UsageError(
                f"the model's {name!r} has no size yet (a lazy layer)",
                hint="call the model once on a batch of images first",
            )
        if tensor.is_meta:
            raise UsageError(
                f"the model's {name!r} has no values (the device 'meta')",
                hint="build the model on the CPU, or call to_empty and load its weights",
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
            f"the model cannot be copied: {_first_line(error)}",
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
    """The same model, with its four-dimensional tensors in another memory layout."""
    model.to(memory_format=layout)  # type: ignore[call-overload]
    return model


def _outputs(model: nn.Module, images: Tensor) -> int:
    """The number of outputs for images float32 (n, c, h, w). Raises UsageError for no logits.

    In training mode a copy is asked, with the same random numbers afterwards: running means,
    counters and random layers stay as they were.
    """
    with evaluating(model):
        logits = _answer(model, images, "")
    if not bool(torch.isfinite(logits).all()):
        raise UsageError("the model gives outputs that are not finite")
    devices = [images.device] if images.is_cuda else []
    with torch.random.fork_rng(devices=devices):
        trained = _answer(copy.deepcopy(model).train(), images, " in training mode")
    if trained.shape != logits.shape:
        raise UsageError(
            f"the model has {logits.shape[1]} outputs, and {trained.shape[1]} in training mode"
        )
    return int(logits.shape[1])


@torch.no_grad()
def _answer(model: nn.Module, images: Tensor, mode: str) -> Tensor:
    """The logits (n, outputs) for images float32 (n, c, h, w). Raises UsageError for none."""
    try:
        logits = model(images)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise UsageError(
            f"the model cannot take float32 images {tuple(images.shape)}{mode}: "
            f"{_first_line(error)}",
            hint="build the model for images of this shape",
        ) from None
    if not isinstance(logits, Tensor):
        raise UsageError(
            f"the model gives a {type(logits).__name__}{mode}, not logits (n, outputs)",
            hint="let forward return the logits alone, in training mode too (for auxiliary heads "
            "of torchvision: aux_logits=False)",
        )
    if logits.shape[:1] != images.shape[:1] or logits.ndim != 2 or not logits.is_floating_point():
        raise UsageError(
            f"the model does not turn {len(images)} images into logits (n, outputs){mode}"
        )
    return logits


def _first_line(error: Exception) -> str:
    """The first line of an error's text, or its kind where it has none."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
