"""Embed the mark in a training loop of one's own: mix triggers in, and add the robust method.

``embed`` owns its loop; here the caller does. ``EmbedLoss`` is a loss whose batches hold triggers.
With the method ``robust`` it also pulls the weights along the gradients of decoys and look-ahead
(``zkwm.training.robust``): the sum of each weight times a constant gradient is added to the loss,
and its value subtracted again. So whatever a loop does with a loss, to scale it, to accumulate it
over several batches or to average its gradients over processes, it does with the mark as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn import digests
from zkwm.nn.class_scores import class_scores
from zkwm.nn.image_source import evaluation_batches, require_images
from zkwm.nn.inference import evaluating
from zkwm.nn.model_input import model_input, require_channels
from zkwm.nn.seeds import derived_seed, seed_torch
from zkwm.training.batches import TriggerOrder
from zkwm.training.checkpoint import restore
from zkwm.training.current_batch import CurrentBatch
from zkwm.training.model_checks import first_line, require_trainable
from zkwm.training.robust import method as robust
from zkwm.training.robust.rate_share import RateShare
from zkwm_protocols.errors import UsageError
from zkwm_protocols.suspect_identity import Preprocessing

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings
    from zkwm.triggers import TriggerSet

Criterion = Callable[[Tensor, Tensor], Tensor]


class EmbedLoss:
    """The loss of a training that embeds triggers, for loops other than that of ``embed``.

    Each step calls ``loss`` once, takes the gradient of what it returns, and lets an optimizer of
    any kind descend it. The state that makes a resumption exact is in ``state_dict``; it holds
    tensors alone, so safetensors can store it.
    """

    def __init__(
        self,
        network: nn.Module,
        triggers: TriggerSet,
        *,
        settings: EmbedSettings,
        steps: int,
        optimizer: torch.optim.Optimizer | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        """Prepare the mark of one training. The network is on its device already.

        Args:
            network: The module whose weights are trained, not its wrapper for several devices.
            triggers: Images of the shape that the network takes, and their labels.
            settings: Of these, ``method``, ``triggers_per_batch``, ``batch_size`` and ``seed`` are
                used; ``learning_rate`` is that of the simulated attacks, which are SGD whatever
                the loop's optimizer is; ``schedule`` matters without ``optimizer``.
            steps: How many times ``loss`` is going to be called.
            optimizer: That of the loop; the robust method follows its learning rate.
            preprocessing: How the loop's images were made from pixels, as a judge will be told;
                None for pixel / 255.

        Raises:
            UsageError: The network cannot be trained; it does not take these triggers; or the
                method is ``robust`` and it does not end in a linear layer.
        """
        require_trainable(network)
        if steps < 1:
            raise UsageError("a training has at least one step")
        require_images(triggers.images, triggers.labels, triggers.class_count, "trigger")
        self._preprocessing = preprocessing or Preprocessing()
        require_channels(self._preprocessing, triggers.images.shape[1])
        device = next(network.parameters()).device
        self._network, self._settings, self._steps = network, settings, steps
        self._images = torch.tensor(triggers.images, device=device)
        self._labels = torch.tensor(triggers.labels, device=device)
        self._order = TriggerOrder(len(self._labels), settings.triggers_per_batch, settings.seed)
        digest = digests.trigger_digest(triggers)
        self._identity = _identity(digest, settings, steps)
        self._step = torch.zeros((), dtype=torch.int64)
        self._rate = None if optimizer is None else RateShare(optimizer, steps)
        self._batch = CurrentBatch(self._as_input, self._images, self._labels, settings.batch_size)
        self._require_outputs(triggers.class_count)
        self._robust: robust.RobustMethod | None = None
        if settings.method != "plain":
            self._robust = robust.RobustMethod(
                network, self._batch, (self._images, self._labels), digest, settings, steps,
                _forward, self._rate,
            )  # fmt: skip

    @property
    def step(self) -> int:
        """How many times ``loss`` has been called."""
        return int(self._step)

    def loss(
        self,
        model: Callable[[Tensor], Any],
        batch: tuple[Tensor, Tensor],
        criterion: Criterion = functional.cross_entropy,
    ) -> Tensor:
        """The loss of one step, with triggers in its batch.

        Args:
            model: The network, or its wrapper for several devices; it gives logits, or an object
                with ``logits``.
            batch: Clean images float32 (n, c, h, w), as the network takes them, or uint8 ones; and
                labels int64 (n,) or probabilities float32 (n, outputs).
            criterion: ``criterion(logits, labels)`` is the mean over a batch.

        Returns:
            A scalar, the value of the criterion.

        Raises:
            UsageError: The model does not call the network, or not once.
        """
        with self.mixed(*batch) as (images, labels):
            value = criterion(class_scores(model(images)), labels)
        return value + self.addition(*batch)

    @contextmanager
    def mixed(self, images: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels with this step's triggers at their end, to be shown to the network.

        With the method ``robust``, the triggers send no gradient into the network's head while the
        context is open. Arguments are those of ``loss``; ``addition`` completes the step.
        """
        numbers = torch.tensor(self._order.numbers(self.step), device=self._labels.device)
        shown, answers = self._as_input(self._images[numbers]), self._labels[numbers]
        clean = self._as_input(images)
        if self.step == 0:
            self._require_same_scale(clean)
        if clean.shape[1:] != shown.shape[1:]:
            raise UsageError(
                f"the batch has images of {tuple(clean.shape[1:])}, the triggers of "
                f"{tuple(shown.shape[1:])}",
                hint="commit to triggers of the shape that the network takes",
            )
        if labels.is_floating_point():
            answers = functional.one_hot(answers, labels.shape[1]).to(labels.dtype)
        both = torch.cat([clean, shown.to(clean.dtype)]), torch.cat([labels, answers])
        if self._robust is None:
            yield both
            return
        with self._robust.frozen_head(len(numbers)):
            yield both

    def addition(self, images: Tensor, labels: Tensor) -> Tensor:
        """A scalar of value 0, whose gradient is what the robust method adds; ends the step.

        Arguments are the clean images and labels of the step.
        """
        step = min(self.step, self._steps - 1)
        self._step += 1
        zero = torch.zeros((), device=self._labels.device)
        if self._robust is None:
            return zero
        classes = labels.argmax(dim=1) if labels.is_floating_point() else labels
        self._batch.show(images, classes)
        devices = [zero.device] if zero.is_cuda else []
        with torch.random.fork_rng(devices=devices):
            seed_torch(derived_seed(self._settings.seed, "beside the loop", step), zero.device)
            pulls = self._gradients(step)
        for parameter, gradient in pulls:
            zero = zero + (parameter * gradient).sum()
        return zero - zero.detach()

    def matches(self) -> int:
        """How many triggers get their label, in evaluation mode."""
        right = 0
        with torch.no_grad(), evaluating(self._network):
            for numbers in evaluation_batches(len(self._labels)):
                scores = class_scores(self._network(self._as_input(self._images[numbers])))
                right += int((scores.argmax(dim=1) == self._labels[numbers]).sum())
        return right

    def state_dict(self) -> dict[str, Tensor]:
        """The state by name: tensors alone. The loop saves it with its own."""
        return {name: tensor.detach().clone() for name, tensor in self._tensors().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a state.

        Raises UsageError for that of another training, Malformed for what is no state.
        """
        identity = state.get("identity")
        if identity is not None and not torch.equal(identity.cpu(), self._identity):
            raise UsageError(
                "the state of the mark belongs to another training",
                hint="give the triggers, settings and number of steps that it was saved with",
            )
        restore(state, self._tensors())

    def _tensors(self) -> dict[str, Tensor]:
        own = {"identity": self._identity, "step": self._step}
        if self._rate is not None:
            own["rate"] = self._rate.first
        more = {} if self._robust is None else self._robust.tensors()
        return own | {f"robust/{name}": tensor for name, tensor in more.items()}

    def _gradients(self, step: int) -> list[tuple[nn.Parameter, Tensor]]:
        """What the robust method would add to ``grad`` of each parameter, which stays as it is."""
        assert self._robust is not None
        parameters = [p for p in self._network.parameters() if p.requires_grad]
        kept = [parameter.grad for parameter in parameters]
        for parameter in parameters:
            parameter.grad = None
        try:
            self._robust.add_gradients(step, 1.0)
            return [(p, p.grad) for p in parameters if p.grad is not None]
        finally:
            for parameter, gradient in zip(parameters, kept, strict=True):
                parameter.grad = gradient

    def _as_input(self, images: Tensor) -> Tensor:
        """uint8 images under the loop's preprocessing, others unchanged."""
        return model_input(images, self._preprocessing) if images.dtype == torch.uint8 else images

    def _require_same_scale(self, clean: Tensor) -> None:
        """Raise UsageError for images that were not made as triggers are, by their range.

        Half of it beyond both ends is left to augmentation. The network would learn triggers at a
        scale at which no judge shows them.
        """
        pixels = torch.zeros_like(self._images[:1])
        black, white = self._as_input(pixels), self._as_input(torch.full_like(pixels, 255))
        low, high = min(float(black.min()), 0.0), float(white.max())
        least, largest = float(clean.min()), float(clean.max())
        spare = (high - low) / 2
        if least < low - spare or largest > high + spare:
            raise UsageError(
                f"the batch has values from {least:.4g} to {largest:.4g}, and triggers are shown "
                f"with {low:.4g} to {high:.4g}",
                hint="give uint8 images, or pixels divided by 255; of images made otherwise say "
                "how, as Preprocessing (the argument named preprocessing)",
            )

    def _require_outputs(self, class_count: int) -> None:
        """Raise UsageError unless the network gives logits, one for each class, for triggers."""
        images = self._as_input(self._images[:2])
        try:
            with torch.no_grad(), evaluating(self._network):
                outputs = class_scores(self._network(images)).shape[1]
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise UsageError(
                f"the network does not turn triggers {tuple(images.shape)} into logits: "
                f"{first_line(error)}",
                hint="commit to triggers of the shape that the network takes, and give the network "
                "that turns images into logits",
            ) from None
        if outputs < class_count:
            raise UsageError(
                f"the network has {outputs} outputs, the triggers {class_count} classes",
                hint="build the network with an output for every class",
            )


def _identity(digest: bytes, settings: EmbedSettings, steps: int) -> Tensor:
    """32 bytes, uint8, that name a training by what decides its mark."""
    named = settings.to_map() | {"device": "", "steps": steps, "robust": robust.VERSION}
    told = digest + json.dumps(named, sort_keys=True).encode()
    return torch.tensor(list(hashlib.sha256(told).digest()), dtype=torch.uint8)


def _forward(model: nn.Module, images: Tensor) -> Tensor:
    """Logits under the loop's autocast, but never in float16, whose gradients need a scaler."""
    kind = images.device.type
    half = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.float16
    with torch.autocast(kind, enabled=False) if half else nullcontext():
        return class_scores(model(images))
