"""How the weights of a training descend: SGD with momentum by the settings, or the owner's own.

Vision transformers are usually trained with AdamW, networks with custom layers with rates of their
own. The owner gives functions that make optimizer and schedule, so that a resumed training can make
the same ones again and put their state back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from zkwm.training.muon import Muon, parameter_groups
from zkwm.training.plain_state import from_plain, to_plain
from zkwm_protocols.errors import Malformed, UsageError

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings

MakeOptimizer: TypeAlias = Callable[[nn.Module], torch.optim.Optimizer]
"""Makes the optimizer of a model's parameters."""
MakeSchedule: TypeAlias = Callable[[torch.optim.Optimizer, int], LRScheduler]
"""Makes the schedule of an optimizer for a number of steps."""
PREFIX = "optimizer/"
"""Of the names of an own optimizer's tensors in a checkpoint."""


class Descent:
    """The optimizer of one training and its learning rates."""

    def __init__(
        self,
        model: nn.Module,
        settings: EmbedSettings,
        steps: int,
        make_optimizer: MakeOptimizer | None = None,
        make_schedule: MakeSchedule | None = None,
    ) -> None:
        """Make optimizer and schedule.

        Args:
            model: The model in training, on its device.
            settings: SGD's; with ``make_optimizer`` only the schedule, unless that is made too.
            steps: In an epoch.
            make_optimizer: None for SGD with momentum.
            make_schedule: Its ``step`` is called after each step of the training; None for the
                schedule of the settings.

        Raises:
            UsageError: What they make is of another kind, holds parameters of another model, or has
                a state that no checkpoint can hold.
        """
        self._settings, self._steps = settings, steps
        self._momentum: dict[str, Tensor] = {}
        self.own = make_optimizer is not None or make_schedule is not None
        if make_optimizer is None:
            self.optimizer = self._of_settings(model)
        else:
            self.optimizer = _checked(make_optimizer(model), model)
        self._first_rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        self._schedule: LRScheduler | None = None
        if make_schedule is not None:
            self._schedule = make_schedule(self.optimizer, settings.epochs * steps)
            if not isinstance(self._schedule, LRScheduler):
                raise UsageError(
                    f"the schedule is a {type(self._schedule).__name__}, not one of "
                    "torch.optim.lr_scheduler",
                    hint="schedule=lambda optimizer, steps: CosineAnnealingLR(optimizer, steps)",
                )
            if isinstance(self._schedule, ReduceLROnPlateau):
                raise UsageError(
                    "ReduceLROnPlateau follows a measurement, which a training here has not after "
                    "each step",
                    hint="choose a schedule of steps, such as CosineAnnealingLR or MultiStepLR",
                )
        self.named = json.dumps(self._named(), sort_keys=True)
        """What an own optimizer and schedule are, for a checkpoint's identity."""

    @property
    def first_rate(self) -> float:
        """The learning rate with which the training begins, before any schedule."""
        return self._first_rates[0]

    @property
    def rate(self) -> float:
        """The learning rate of the last step, of the first parameters."""
        return float(self.optimizer.param_groups[0]["lr"])

    def set_rates(self, epoch: int, step: int) -> None:
        """The learning rates of the step that comes next."""
        if self._schedule is not None:
            return
        rate = self._settings.rate(epoch, step, self._steps)
        for group, first in zip(self.optimizer.param_groups, self._first_rates, strict=True):
            own = not self._momentum or self._settings.optimizer != "sgd"
            group["lr"] = rate / self._settings.learning_rate * first if own else rate

    def step(self) -> None:
        """Descend the gradients, and move on in the schedule."""
        self.optimizer.step()
        if self._schedule is not None:
            self._schedule.step()

    def tensors(self) -> dict[str, Tensor]:
        """SGD's momentum by the names of the parameters; restored in place."""
        return {f"momentum/{name}": tensor for name, tensor in self._momentum.items()}

    def state(self) -> tuple[Any, dict[str, Tensor]]:
        """The state of an own optimizer and schedule: ready for JSON, and its tensors by name.

        None and no tensors where all is the settings'.
        """
        if not self.own:
            return None, {}
        tensors: dict[str, Tensor] = {}
        # SGD's momentum is restored by name; a schedule changes what else its groups hold
        optimizer = self._groups() if self._momentum else self.optimizer.state_dict()
        schedule = None if self._schedule is None else self._schedule.state_dict()
        plain = to_plain([optimizer, schedule], PREFIX.rstrip("/"), tensors)
        return plain, tensors

    def load(self, plain: Any, tensors: dict[str, Tensor]) -> None:  # noqa: ANN401
        """Put back what ``state`` gave. Raises Malformed for a state of another kind."""
        if not self.own:
            return
        try:
            optimizer, schedule = from_plain(plain, tensors)
            if self._momentum:
                for group, stored in zip(self.optimizer.param_groups, optimizer, strict=True):
                    group.update(stored)
            else:
                self.optimizer.load_state_dict(optimizer)
            if self._schedule is not None:
                self._schedule.load_state_dict(schedule)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Malformed("the checkpoint's optimizer is not that of this training") from None

    def _of_settings(self, model: nn.Module) -> torch.optim.Optimizer:
        """SGD or Muon, as the settings say."""
        settings = self._settings
        named = {n: p for n, p in model.named_parameters() if p.requires_grad}
        optimizer: torch.optim.Optimizer
        if settings.optimizer == "muon":
            groups = parameter_groups(
                model,
                learning_rate=settings.learning_rate,
                weight_decay=settings.weight_decay,
            )
            optimizer = Muon(groups, momentum=settings.momentum)
        else:
            optimizer = torch.optim.SGD(
                named.values(),
                lr=settings.learning_rate,
                momentum=settings.momentum,
                weight_decay=settings.weight_decay,
                fused=True,
            )
        # momentum buffers of our own, so that a checkpoint can restore them in place by name
        self._momentum = {name: torch.zeros_like(p) for name, p in named.items()}
        for name, parameter in named.items():
            optimizer.state[parameter]["momentum_buffer"] = self._momentum[name]
        return optimizer

    def _groups(self) -> list[dict[str, Any]]:
        """The optimizer's groups without their parameters: rates and other settings."""
        return [
            {name: value for name, value in group.items() if name != "params"}
            for group in self.optimizer.param_groups
        ]

    def _named(self) -> Any:  # noqa: ANN401
        """Kinds and settings of an own optimizer and schedule, ready for JSON."""
        if not self.own:
            return f"{type(self.optimizer).__name__} of the settings"
        schedule = self._schedule
        state = None if schedule is None else schedule.state_dict()
        plain = to_plain([self._groups(), state], "optimizer", {})
        return [type(self.optimizer).__name__, type(schedule).__name__, plain]


def _checked(optimizer: Any, model: nn.Module) -> torch.optim.Optimizer:  # noqa: ANN401
    """The optimizer, of parameters of this model. Raises UsageError for another one."""
    if not isinstance(optimizer, torch.optim.Optimizer) or isinstance(optimizer, torch.optim.LBFGS):
        raise UsageError(
            f"the optimizer is a {type(optimizer).__name__}, not one of torch.optim that takes one "
            "gradient a step",
            hint="optimizer=lambda model: torch.optim.AdamW(model.parameters(), lr=0.001)",
        )
    own = {id(parameter) for parameter in model.parameters()}
    for group in optimizer.param_groups:
        if any(id(parameter) not in own for parameter in group["params"]):
            raise UsageError(
                "the optimizer holds parameters of another model: a copy is trained",
                hint="make it of what it is given: lambda model: AdamW(model.parameters(), ...)",
            )
    return optimizer
