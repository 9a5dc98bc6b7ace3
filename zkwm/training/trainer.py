"""Training with a watermark: the two ways of Adi et al. 2018, on one device or several.

From scratch and pre-trained are the same procedure; they differ in the model that goes in. Without
triggers the same code trains the unmarked twin. Not here: what the triggers are, or their labels,
nor what the robust method does besides (``zkwm.training.robust.method``).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn import digests
from zkwm.nn.image_source import Data, Source, open_source
from zkwm.nn.inference import accuracy, matches
from zkwm.nn.seeds import derived_seed
from zkwm.training.batches import Batch, Batches
from zkwm.training.checkpoint import Checkpoint, Position, named_tensors, restore
from zkwm.training.distributed import Group, join, stop_together
from zkwm.training.interrupt import deferred_interrupt
from zkwm.training.progress import Reporter
from zkwm.training.result import EmbedResult, Epoch, Progress
from zkwm.training.robust import method as robust
from zkwm.training.robust.method import RobustMethod
from zkwm.training.setup import in_layout, prepared_copy, resolved_precision, trigger_tensors
from zkwm.training.versions import versions
from zkwm_protocols.errors import Cancelled, UsageError, ZkwmError

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings
    from zkwm.triggers import TriggerSet

CHECKPOINT_SECONDS = 60.0
FINITE_EVERY = 50
EVALUATED_PER_EPOCH = 1000


def embed(
    model: nn.Module,
    data: Data,
    triggers: TriggerSet | None,
    *,
    settings: EmbedSettings,
    checkpoint: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> EmbedResult:
    """Train a copy of ``model`` on ``data`` with the triggers in every batch.

    ``model`` turns float32 images (n, c, h, w) in [0, 1] into logits (n, outputs); it is left as
    it is. A model with random weights is marked from scratch, a trained one is marked afterwards
    (Adi et al. 2018). ``triggers`` None trains the unmarked twin: the same steps without triggers.

    ``checkpoint`` names a folder for the state of the training, written after each epoch and each
    minute and removed at the end; the same call with the same folder goes on from there, on a CPU
    (with as many threads) to exactly the same weights. ``progress`` is called about twice a second
    and after each epoch. Under torchrun all processes train one model together (see
    ``zkwm.training.distributed``).

    Raises UsageError for input that does not fit together, a checkpoint of another training, and a
    training that diverges, or, by the method ``robust``, for a model that does not end in a linear
    layer; Cancelled after Ctrl-C, with the state saved.
    """
    with join(settings.device) as group, deferred_interrupt() as interrupted:
        source = open_source(data, group.device)
        tensors = trigger_tensors(triggers, source, group.device)
        start_digest = digests.model_digest(model)
        original, layout = prepared_copy(model, source, triggers, group.device)
        precision = resolved_precision(settings, group.device)
        trigger_digest = digests.trigger_digest(triggers) if triggers else None
        identity = {
            "settings": json.dumps(settings.to_map() | {"device": "", "precision": precision}),
            "data": source.digest.hex() if source.digest else f"{source.train_count} images",
            "triggers": trigger_digest.hex() if trigger_digest else "none",
            "model": start_digest.hex(),
        } | ({"robust": str(robust.VERSION)} if settings.method == "robust" else {})
        training = _Training(
            original,
            layout,
            source,
            tensors,
            trigger_digest,
            settings,
            group,
            precision,
            Checkpoint(Path(checkpoint), identity) if checkpoint is not None else None,
            Reporter(progress if group.writes else None, settings.epochs),
        )
        training.run(interrupted)
        test = accuracy(original, source)
        final = in_layout(original, torch.contiguous_format).cpu().eval()
        result = EmbedResult(
            model=final,
            shape=source.shape,
            test_accuracy=test,
            test_count=source.test_count,
            trigger_matches=matches(final, *(t.cpu() for t in tensors)) if tensors else None,
            trigger_count=len(triggers.labels) if triggers else 0,
            seconds=training.position.seconds,
            settings=settings,
            device=group.device_name,
            processes=group.world,
            precision=precision,
            versions=versions(),
            model_digest=digests.model_digest(final),
            start_digest=start_digest,
            data_digest=source.digest,
            trigger_digest=trigger_digest,
            history=training.position.history,
        )
        training.forget()
        return result


class _Training:
    """One training under way: the model, its optimiser, and how far it has come."""

    def __init__(
        self,
        model: nn.Module,
        layout: torch.memory_format,
        source: Source,
        triggers: tuple[Tensor, Tensor] | None,
        trigger_digest: bytes | None,
        settings: EmbedSettings,
        group: Group,
        precision: str,
        checkpoint: Checkpoint | None,
        reporter: Reporter,
    ) -> None:
        self.position = Position()
        self._original = model
        self._layout = layout
        self._model = group.prepared(model)
        self._source, self._triggers = source, triggers
        self._settings, self._group, self._precision = settings, group, precision
        self._checkpoint = checkpoint
        self._reporter = reporter
        self._batches = Batches(source, triggers, settings, rank=group.rank, world=group.world)
        if self._batches.batch_size < group.world:
            raise UsageError("a batch has fewer images than there are processes")
        named = {n: p for n, p in self._model.named_parameters() if p.requires_grad}
        self._optimizer = torch.optim.SGD(
            named.values(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self._momentum = {name: torch.zeros_like(p) for name, p in named.items()}
        for name, parameter in named.items():
            self._optimizer.state[parameter]["momentum_buffer"] = self._momentum[name]
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=group.device)
        self._robust: RobustMethod | None = None
        if settings.method == "robust" and triggers is not None and trigger_digest is not None:
            steps = settings.epochs * self._batches.steps
            self._robust = RobustMethod(
                self._model, source, triggers, trigger_digest, settings, steps, self._forward
            )

    def run(self, interrupted: Callable[[], bool]) -> None:
        """All epochs that are left. Leaves the trained weights in the model that was given."""
        self._resume()
        began, before = time.monotonic(), self.position.seconds
        saved = began
        self._reporter.start(self._batches.images_per_step, self._batches.steps, self.position)
        with torch.random.fork_rng(devices=self._cuda_devices()):
            while self.position.epoch < self._settings.epochs:
                stop = self._step(interrupted())
                self.position.seconds = before + time.monotonic() - began
                ended = self.position.step == self._batches.steps
                if ended:
                    self._end_epoch()
                    self.position.seconds = before + time.monotonic() - began
                try:
                    self._reporter.report(self.position, self._loss_sum, ended)
                except KeyboardInterrupt:
                    stop = True
                if stop and self.position.epoch < self._settings.epochs:
                    raise self._cancelled()
                if ended or time.monotonic() - saved > CHECKPOINT_SECONDS:
                    self._save()
                    saved = time.monotonic()
        if self._model is not self._original:
            self._original.load_state_dict(self._model.state_dict())

    def forget(self) -> None:
        """Remove the checkpoint of a training that is complete."""
        if self._checkpoint is not None and self._group.writes:
            self._checkpoint.remove()

    def _step(self, stop: bool) -> bool:
        """One step of gradient descent. Returns whether to stop, agreed with all processes."""
        epoch, step = self.position.epoch, self.position.step
        batch = self._batches.batch(epoch, step)
        torch.manual_seed(derived_seed(self._settings.seed, "model", epoch, step, self._group.rank))
        rate = self._settings.rate(epoch, step, self._batches.steps)
        for parameters in self._optimizer.param_groups:
            parameters["lr"] = rate
        self._model.train()
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._robust is not None:
            self._robust.add_gradients(epoch * self._batches.steps + step, 1 / self._group.world)
        loss, stop = self._group.combine(self._model, loss, stop)
        self._optimizer.step()
        self._loss_sum += loss.detach()
        self.position.step += 1
        if self.position.step % FINITE_EVERY == 0 or self.position.step == self._batches.steps:
            self._require_finite()
        return stop

    def _loss(self, batch: Batch) -> Tensor:
        """This share's part of the mean cross-entropy over the whole step, triggers included."""
        logits = self._forward(self._model, batch.images, len(batch.triggers))
        summed = functional.cross_entropy(logits.float(), batch.labels, reduction="sum")
        return summed / batch.total

    def _forward(self, model: nn.Module, images: Tensor, triggers: int = 0) -> Tensor:
        """Logits in the precision of this training; the last ``triggers`` images are triggers."""
        images = images.contiguous(memory_format=self._layout)
        kind = self._group.device.type
        with torch.autocast(kind, torch.bfloat16, enabled=self._precision == "bfloat16"):
            if self._robust is not None:
                return self._robust.logits(model, images, triggers)
            logits: Tensor = model(images)
            return logits

    def _end_epoch(self) -> None:
        position = self.position
        epoch = Epoch(
            epoch=position.epoch + 1,
            loss=float(self._loss_sum) / self._batches.steps,
            learning_rate=self._optimizer.param_groups[0]["lr"],
            test_accuracy=accuracy(self._model, self._source, EVALUATED_PER_EPOCH),
            trigger_matches=matches(self._model, *self._triggers) if self._triggers else None,
        )
        position.history += (epoch,)
        position.epoch, position.step = position.epoch + 1, 0
        self._loss_sum.zero_()

    def _require_finite(self) -> None:
        if not bool(torch.isfinite(self._loss_sum)):
            raise UsageError(
                f"the training diverged in epoch {self.position.epoch + 1}: the loss is not finite",
                hint=f"choose a learning rate below {self._settings.learning_rate:g}",
            )

    def _save(self) -> bool:
        if self._checkpoint is None or not self._group.writes:
            return False
        self.position.loss_sum = float(self._loss_sum)
        if not bool(torch.isfinite(self._loss_sum)):
            return False
        self._checkpoint.save(self.position, self._tensors())
        return True

    def _resume(self) -> None:
        """Go on from the checkpoint, if there is one; the first process tells the others."""
        group = self._group
        found, problem = None, None
        if self._checkpoint is not None and group.writes:
            try:
                found = self._checkpoint.load()
                if found is not None:
                    restore(found[1], self._tensors())
            except ZkwmError as error:
                problem = error
        stop_together(group, problem is not None, "could not use the checkpoint")
        if problem is not None:
            raise problem
        told = group.same_bytes(found[0].to_json() if found else None)
        if told is not None:
            self.position = Position.from_json(told)
            self._loss_sum.fill_(self.position.loss_sum)
        group.same_everywhere(self._tensors().values())

    def _tensors(self) -> dict[str, Tensor]:
        tensors = named_tensors(self._model.state_dict(), self._momentum)
        return tensors if self._robust is None else tensors | self._robust.tensors()

    def _cancelled(self) -> Cancelled:
        if self._save():
            return Cancelled(
                "interrupted; the training so far is saved",
                hint="repeat the same command with the same checkpoint folder to go on",
            )
        return Cancelled("interrupted", hint="name a checkpoint folder to be able to go on later")

    def _cuda_devices(self) -> list[torch.device]:
        return [self._group.device] if self._group.device.type == "cuda" else []
