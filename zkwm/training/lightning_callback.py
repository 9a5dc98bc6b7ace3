"""A callback that embeds the mark while Lightning trains; PyTorch Lightning is imported here alone.

It puts itself around ``training_step``: the batch gets its triggers, and the loss that the step
returns gets the gradient of the robust method (``zkwm.training.embed_loss``). The module's own
loss, optimizer, schedule, precision and strategy stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

import lightning
import torch
from torch import Tensor

from zkwm.nn.dataset_items import IMAGE_KEYS, LABEL_KEYS, keys_of
from zkwm.training.embed_loss import EmbedLoss
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings
    from zkwm.triggers import TriggerSet
    from zkwm_protocols.suspect_identity import Preprocessing

Step = Callable[..., Any]


class LightningEmbedCallback(lightning.Callback):
    """Embeds triggers in the training of a ``LightningModule`` with automatic optimization.

    Its state is in Lightning's checkpoints, so a training that is resumed from one continues the
    mark. Metrics that ``training_step`` logs are of batches with triggers.
    """

    def __init__(
        self,
        triggers: TriggerSet,
        *,
        settings: EmbedSettings,
        network: str = "",
        preprocessing: Preprocessing | None = None,
    ) -> None:
        """Only keep the arguments; Lightning calls the rest.

        Args:
            triggers: Images of the shape that the network takes, and their labels.
            settings: As of ``EmbedLoss``; the method decides how the mark is embedded.
            network: The attribute of the module that turns images into logits; empty where the
                module itself does.
            preprocessing: How the batches' images were made from pixels; None for pixel / 255.
        """
        self._triggers, self._settings = triggers, settings
        self._name, self._preprocessing = network, preprocessing
        self._stored: Mapping[str, Tensor] | None = None
        self._mark: EmbedLoss | None = None

    @property
    def state_key(self) -> str:
        """The name of the state in Lightning's checkpoints."""
        return "zkwm embed"

    def matches(self) -> int:
        """How many triggers get their label now. Raises UsageError before the training."""
        if self._mark is None:
            raise UsageError("no training has begun", hint="call trainer.fit first")
        return self._mark.matches()

    def state_dict(self) -> dict[str, Any]:
        """The state of the mark: tensors by name."""
        return {} if self._mark is None else dict(self._mark.state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep a state until the training begins."""
        self._stored = state_dict

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Prepare the mark and put it around ``training_step``."""
        if not pl_module.automatic_optimization:
            raise UsageError(
                "the module optimizes by itself (automatic_optimization is False)",
                hint="use zkwm.EmbedLoss in its training_step",
            )
        steps = trainer.estimated_stepping_batches
        if not isinstance(steps, int) or steps < 1:
            raise UsageError(
                "the number of steps of this training is not known",
                hint="give the Trainer max_epochs or max_steps",
            )
        network = self._network_of(pl_module)
        self._mark = EmbedLoss(
            network,
            self._triggers,
            settings=self._settings,
            steps=steps * trainer.accumulate_grad_batches,
            optimizer=trainer.optimizers[0],
            preprocessing=self._preprocessing,
        )
        if self._stored:
            self._mark.load_state_dict(self._stored)
            self._stored = None
        self._put_around(pl_module, self._mark)

    def _network_of(self, module: lightning.LightningModule) -> torch.nn.Module:
        """The part of the module that gives logits. Raises UsageError where it is not named."""
        parts = ", ".join(name for name, _ in module.named_children()) or "none"
        hint = f"give the callback network=NAME, the part that gives logits; there are: {parts}"
        try:
            network = module.get_submodule(self._name)
        except AttributeError:
            raise UsageError(f"the module has no part named {self._name!r}", hint=hint) from None
        if not self._name and type(module).forward is lightning.LightningModule.forward:
            raise UsageError("the module has no forward, so that it gives no logits", hint=hint)
        assert isinstance(network, torch.nn.Module)
        return network

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Leave the module as it was."""
        pl_module.__dict__.pop("training_step", None)

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Leave the module as it was."""
        pl_module.__dict__.pop("training_step", None)

    def _put_around(self, module: lightning.LightningModule, mark: EmbedLoss) -> None:
        """Replace ``training_step`` of this one module."""
        original: Step = module.training_step

        @wraps(original)
        def step(batch: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401
            images, labels = _parts(batch)
            with mark.mixed(images, labels) as both:
                returned = original(_with_parts(batch, *both), *rest, **named)
            added = mark.addition(images, labels)
            if isinstance(returned, Tensor):
                return returned + added
            if isinstance(returned, Mapping) and isinstance(returned.get("loss"), Tensor):
                return {**returned, "loss": returned["loss"] + added}
            raise UsageError(
                f"training_step returned {type(returned).__name__}, not a loss",
                hint="let it return the loss, or a dict with it as 'loss'",
            )

        # the instance's attribute hides the class's method until it is removed again
        object.__setattr__(module, "training_step", step)


def _parts(batch: Any) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """Images and labels of a batch. Raises UsageError for one that is no pair of them."""
    if isinstance(batch, Mapping):
        found = tuple(batch.get(key) for key in keys_of(batch))
    else:
        found = tuple(batch) if isinstance(batch, tuple | list) else ()
    match found:
        case (Tensor() as images, Tensor() as labels):
            return images, labels
    raise UsageError(
        "a batch of this training is not (images, labels)",
        hint="let the loader give pairs of tensors, or maps with one of "
        f"{', '.join(IMAGE_KEYS)} and one of {', '.join(LABEL_KEYS)}",
    )


def _with_parts(batch: Any, images: Tensor, labels: Tensor) -> Any:  # noqa: ANN401
    """A batch of the same form with other images and labels."""
    if isinstance(batch, Mapping):
        image_key, label_key = keys_of(batch)
        return {**batch, image_key: images, label_key: labels}
    return [images, labels] if isinstance(batch, list) else (images, labels)
