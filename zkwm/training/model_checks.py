"""What a model has to be to be trained with a mark; everything else is refused with a hint.

All of it is found before any time is spent on a training.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch._dynamo.eval_frame import OptimizedModule
from torch.nn.parameter import is_lazy

from zkwm.nn.architectures import Classifier
from zkwm.nn.class_scores import class_scores
from zkwm.nn.inference import evaluating
from zkwm.nn.onnx_export import require_exportable
from zkwm_protocols.errors import UsageError

_PASSING = ("View", "UnsafeView", "Reshape", "Squeeze", "Unsqueeze", "Clone", "ToCopy", "Slice")
"""How the names of operations begin that pass values on unchanged, as autograd calls them."""


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
    if isinstance(model, OptimizedModule):
        raise UsageError(
            "a compiled network (torch.compile) can be neither copied nor exported here",
            hint="give the network that was compiled, model._orig_mod, and compile it afterwards",
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


def require_float32(model: nn.Module) -> None:
    """Raise UsageError for a model in half or double precision."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise UsageError(
                f"the model's {name!r} is {kind}; a training needs float32",
                hint="give model.float(); the setting precision='bfloat16' computes in half "
                "precision",
            )


def output_count(model: nn.Module, images: Tensor) -> int:
    """The number of outputs for images float32 (n, c, h, w). Raises UsageError for no logits.

    In training mode a copy is asked, with the same random numbers afterwards: running means,
    counters and random layers stay as they were.
    """
    with evaluating(model):
        logits = _answer(model, images, "")
        _require_no_probabilities(model, images)
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
        output = model(images)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise UsageError(
            f"the model cannot take float32 images {tuple(images.shape)}{mode}: "
            f"{first_line(error)}",
            hint="build the model for images of this shape",
        ) from None
    try:
        logits = class_scores(output)
    except TypeError:
        raise UsageError(
            f"the model gives a {type(output).__name__}{mode}, not logits (n, outputs)",
            hint="let forward return the logits alone, in training mode too (for auxiliary heads "
            "of torchvision: aux_logits=False)",
        ) from None
    if logits.shape[:1] != images.shape[:1] or logits.ndim != 2 or not logits.is_floating_point():
        raise UsageError(
            f"the model does not turn {len(images)} images into logits (n, outputs){mode}"
        )
    return logits


def _require_no_probabilities(model: nn.Module, images: Tensor) -> None:
    """Raise UsageError for a model that ends in softmax or sigmoid: cross-entropy takes logits."""
    with torch.enable_grad():
        scores = class_scores(model(images))
    step, last = scores.grad_fn, ""
    while step is not None and not last:
        name = type(step).__name__
        last = next((word for word in ("Softmax", "Sigmoid") if name.startswith(word)), "")
        # only what passes values on is looked through
        passes = name.startswith(_PASSING) and len(step.next_functions) == 1
        step = step.next_functions[0][0] if passes else None
    sums = scores.detach().sum(dim=1)
    if last == "" and scores.shape[1] > 1 and bool((scores >= 0).all()):
        last = "Softmax" if torch.allclose(sums, torch.ones_like(sums), atol=1e-4) else ""
    if last:
        raise UsageError(
            f"the model ends in {last.lower()}: it gives probabilities, not logits",
            hint=f"leave {last.lower()} out of the model, the loss contains it; for probabilities, "
            "apply it to the answers of the trained model",
        )


def first_line(error: Exception) -> str:
    """The first line of an error's text, or its kind where it has none."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def require_file(model: nn.Module, shape: tuple[int, int, int]) -> None:
    """Raise Unsupported, before time is spent, for a network that torch cannot export."""
    if not isinstance(model, Classifier):  # the built-in networks can be exported
        require_exportable(copy.deepcopy(model).cpu(), shape)
