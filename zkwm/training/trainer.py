"""Train a model with its triggers: Adi et al. 2018, or the robust embedding.

``embed`` runs the whole training, on one device or several: each step takes a batch of clean images
with triggers appended and descends the mean cross-entropy over it (SGD with momentum). From scratch
and from a trained model are the same procedure; they differ in the model that is given. Without
triggers the same code trains the unmarked twin. The robust method adds its gradients in each step
(``zkwm.training.robust.method``); where triggers and labels come from is no concern of this module.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import torch as safetensors
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from zkwm.nn import digests
from zkwm.nn.class_scores import class_scores
from zkwm.nn.image_source import Data
from zkwm.nn.inference import accuracy, matches
from zkwm.nn.seeds import derived_seed, seed_torch
from zkwm.training.batches import Batch, Batches
from zkwm.training.checkpoint import Checkpoint, Position, restore
from zkwm.training.descent import PREFIX, Descent, MakeOptimizer, MakeSchedule
from zkwm.training.distributed import Group, join, stop_together
from zkwm.training.interrupt import deferred_interrupt
from zkwm.training.progress import Reporter
from zkwm.training.result import EmbedResult, Epoch, Progress
from zkwm.training.robust.method import RobustMethod
from zkwm.training.robust.rate_share import RateShare
from zkwm.training.setup import Preparation, in_layout, prepare
from zkwm.training.versions import versions
from zkwm_protocols.errors import Cancelled, UsageError, ZkwmError

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings
    from zkwm.triggers import TriggerSet

CHECKPOINT_SECONDS = 60.0
"""The state is saved after each epoch, and when this time has passed since the last save."""
FINITE_EVERY = 50
"""Steps between checks that the loss is finite."""
EVALUATED_PER_EPOCH = 1000
"""Test images of the measurement after each epoch."""


def embed(
    model: nn.Module,
    data: Data,
    triggers: TriggerSet | None,
    *,
    settings: EmbedSettings,
    checkpoint: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    optimizer: Callable[[nn.Module], torch.optim.Optimizer] | None = None,
    schedule: Callable[[torch.optim.Optimizer, int], LRScheduler] | None = None,
    workers: int = 0,
) -> EmbedResult:
    """Train a copy of ``model`` on ``data`` with triggers in every batch (Adi et al. 2018).

    Under torchrun all processes train one model together (``zkwm.training.distributed``).

    Args:
        model: Turns float32 images (n, c, h, w) in [0, 1] into logits (n, outputs). With random
            weights it is marked from scratch, a trained one is marked afterwards. Not changed.
        data: Arrays, or a pair (training, test) of torch data sets.
        triggers: None trains the unmarked twin: the same steps without triggers.
        settings: Hyperparameters.
        checkpoint: A folder for the state of the training, saved after each epoch and each minute
            and removed at the end. The same call with the same folder resumes; on a CPU, with the
            same number of threads, it ends in exactly the same weights.
        progress: Called about twice a second and after each epoch.
        optimizer: ``optimizer(model)`` makes another one than SGD, of the parameters of the model
            that it is given. Of the settings, ``momentum`` and ``weight_decay`` are then unused,
            and ``learning_rate`` is that of the robust method's simulated attacks, which are SGD.
        schedule: ``schedule(optimizer, steps)`` makes one of ``torch.optim.lr_scheduler``, whose
            ``step`` is called after each of all steps; None for the settings'.
        workers: Processes that read training items of torch data sets ahead; 0 reads them in this
            one.

    Raises:
        Unsupported: The model cannot be exported to ONNX, the form in which judges read it.
        UsageError: Inputs that do not fit together, a checkpoint of another training, a training
            that diverges, or, with the method ``robust``, a model that has no linear head.
        Cancelled: After Ctrl-C, with the state saved.
    """
    with join(settings.device) as group, deferred_interrupt() as interrupted:
        prepared = prepare(model, data, triggers, settings, group.device)
        reporter = Reporter(progress if group.writes else None, settings.epochs)
        training = _Training(prepared, group, reporter, (optimizer, schedule))
        if checkpoint is not None:
            training.keep_in(Path(checkpoint))
        training.run(interrupted, workers)
        result = _result(prepared, group, training.position, training.descent)
        training.remove_checkpoint()
        return result


def _result(
    prepared: Preparation, group: Group, position: Position, descent: Descent
) -> EmbedResult:
    """The trained model on the CPU with its record."""
    source, triggers = prepared.source, prepared.triggers
    test = accuracy(prepared.model, source)
    final = in_layout(prepared.model, torch.contiguous_format).cpu().eval()
    return EmbedResult(
        model=final,
        shape=source.shape,
        test_accuracy=test,
        test_count=source.test_count,
        trigger_matches=matches(final, *(t.cpu() for t in triggers)) if triggers else None,
        trigger_count=len(triggers[1]) if triggers else 0,
        seconds=position.seconds,
        settings=prepared.settings,
        device=group.device_name,
        processes=group.world,
        precision=prepared.precision,
        versions=versions(),
        model_digest=digests.model_digest(final),
        start_digest=prepared.start_digest,
        data_digest=source.digest,
        trigger_digest=prepared.trigger_digest,
        history=position.history,
        optimizer=descent.named,
    )


class _Training:
    """A training in progress: the model, its optimizer, and the position."""

    def __init__(
        self,
        prepared: Preparation,
        group: Group,
        reporter: Reporter,
        makers: tuple[MakeOptimizer | None, MakeSchedule | None],
    ) -> None:
        self.position = Position()
        self._prepared, self._group = prepared, group
        self._settings = settings = prepared.settings
        self._model = group.prepared(prepared.model)
        self._checkpoint: Checkpoint | None = None
        self._reporter = reporter
        self._batches = Batches(
            prepared.source, prepared.triggers, settings, rank=group.rank, world=group.world
        )
        if self._batches.batch_size < group.world:
            raise UsageError("a batch has fewer images than there are processes")
        self.descent = Descent(self._model, settings, self._batches.steps, *makers)
        self._rate: RateShare | None = None
        self._last_rate = self.descent.first_rate
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=group.device)
        self._robust = self._robust_method()

    def _robust_method(self) -> RobustMethod | None:
        """What the method ``robust`` adds; None for ``plain`` and without triggers."""
        prepared = self._prepared
        triggers, digest = prepared.triggers, prepared.trigger_digest
        if self._settings.method == "plain" or triggers is None or digest is None:
            return None
        steps = self._settings.epochs * self._batches.steps
        if self.descent.own:
            self._rate = RateShare(self.descent.optimizer, steps)
        return RobustMethod(
            self._model,
            prepared.source,
            triggers,
            digest,
            self._settings,
            steps,
            self._forward,
            self._rate,
        )

    def keep_in(self, folder: Path) -> None:
        """Save the state in this folder, and resume from what is there."""
        named = {"optimizer": self.descent.named}
        self._checkpoint = Checkpoint(folder, self._prepared.identity() | named)

    def run(self, interrupted: Callable[[], bool], workers: int) -> None:
        """Run all epochs that are left, and leave the weights in the prepared model.

        ``interrupted`` says whether Ctrl-C was pressed. Raises Cancelled after saving the state.
        """
        self._resume()
        source = self._prepared.source
        reads = None if self._robust is None else self._robust.reads
        source.read_ahead(
            self._batches.plan(self.position.epoch, self.position.step, reads), workers
        )
        try:
            self._run(interrupted)
        finally:
            source.read_ahead(iter(()), 0)
        if self._model is not self._prepared.model:
            self._prepared.model.load_state_dict(self._model.state_dict())

    def _run(self, interrupted: Callable[[], bool]) -> None:
        """Run all epochs that are left."""
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

    def remove_checkpoint(self) -> None:
        """Remove the state of a training that is complete."""
        if self._checkpoint is not None and self._group.writes:
            self._checkpoint.remove()

    def _step(self, stop: bool) -> bool:
        """One step of SGD. Returns whether to stop, as agreed with all processes."""
        epoch, step = self.position.epoch, self.position.step
        # before the batch: items that are read here may be random, too
        seed = derived_seed(self._settings.seed, "model", epoch, step, self._group.rank)
        seed_torch(seed, self._group.device)
        batch = self._batches.batch(epoch, step)
        self.descent.set_rates(epoch, step)
        self._model.train()
        self.descent.optimizer.zero_grad(set_to_none=True)
        done = epoch * self._batches.steps + step
        loss, descended = self._loss(batch, done)
        descended.backward()  # type: ignore[no-untyped-call]
        if self._robust is not None:
            self._robust.add_trigger_gradients(done, 1 / self._group.world)
        loss, stop = self._group.combine(self._model, loss, stop)
        self._last_rate = self.descent.rate
        self.descent.step()
        self._loss_sum += loss.detach()
        self.position.step += 1
        if self.position.step % FINITE_EVERY == 0 or self.position.step == self._batches.steps:
            self._require_finite()
        return stop

    def _loss(self, batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        """This process's part of the mean cross-entropy of a step, and of what is descended.

        ``step`` counts from 0 over all epochs.
        """
        if self._robust is not None:
            return self._robust.loss(batch, step, self._group.rank, self._group.world)
        loss = batch.loss(self._forward(self._model, batch.images))
        return loss, loss

    def _forward(self, model: nn.Module, images: Tensor) -> Tensor:
        """Logits (n, outputs) in the training's precision."""
        images = images.contiguous(memory_format=self._prepared.layout)
        kind = self._group.device.type
        with torch.autocast(kind, torch.bfloat16, enabled=self._prepared.precision == "bfloat16"):
            return class_scores(model(images))

    def _end_epoch(self) -> None:
        """Measure the model and move on to the next epoch."""
        position, triggers = self.position, self._prepared.triggers
        epoch = Epoch(
            epoch=position.epoch + 1,
            loss=float(self._loss_sum) / self._batches.steps,
            learning_rate=self._last_rate,
            test_accuracy=accuracy(self._model, self._prepared.source, EVALUATED_PER_EPOCH),
            trigger_matches=matches(self._model, *triggers) if triggers else None,
        )
        position.history += (epoch,)
        position.epoch, position.step = position.epoch + 1, 0
        self._loss_sum.zero_()

    def _require_finite(self) -> None:
        """Raise UsageError for a training that diverged."""
        if not bool(torch.isfinite(self._loss_sum)):
            raise UsageError(
                f"the training diverged in epoch {self.position.epoch + 1}: the loss is not finite",
                hint=f"choose a learning rate below {self.descent.first_rate:g}",
            )

    def _save(self) -> bool:
        """Save the state, unless it is not finite. Returns whether it was saved."""
        if self._checkpoint is None or not self._group.writes:
            return False
        self.position.loss_sum = float(self._loss_sum)
        if not bool(torch.isfinite(self._loss_sum)):
            return False
        self.position.descent, moving = self.descent.state()
        self._checkpoint.save(self.position, self._tensors() | moving)
        return True

    def _resume(self) -> None:
        """Resume from the checkpoint, if there is one; the first process broadcasts it."""
        group = self._group
        state, problem = None, None
        moving: dict[str, Tensor] = {}
        if self._checkpoint is not None and group.writes:
            try:
                state = self._checkpoint.load()
                if state is not None:
                    moving = {n: t for n, t in state[1].items() if n.startswith(PREFIX)}
                    fixed = {n: t for n, t in state[1].items() if n not in moving}
                    restore(fixed, self._tensors())
            except ZkwmError as error:
                problem = error
        stop_together(group, problem is not None, "could not use the checkpoint")
        if problem is not None:
            raise problem
        position = group.same_bytes(state[0].to_json() if state else None)
        if position is not None:
            self.position = Position.from_json(position)
            self._loss_sum.fill_(self.position.loss_sum)
            packed = group.same_bytes(safetensors.save(moving))
            self.descent.load(self.position.descent, safetensors.load(packed or b""))
        group.same_everywhere(self._tensors().values())

    def _tensors(self) -> dict[str, Tensor]:
        """Everything that a checkpoint holds, by name; restored in place."""
        state = self._model.state_dict()
        tensors = {f"model/{name}": tensor for name, tensor in state.items()}
        tensors |= self.descent.tensors()
        if self._rate is not None:
            tensors["rate"] = self._rate.first
        return tensors if self._robust is None else tensors | self._robust.tensors()

    def _cancelled(self) -> Cancelled:
        if self._save():
            return Cancelled(
                "interrupted; the training so far is saved",
                hint="repeat the same command with the same checkpoint folder to resume",
            )
        return Cancelled("interrupted", hint="name a checkpoint folder to be able to resume later")

    def _cuda_devices(self) -> list[torch.device]:
        return [self._group.device] if self._group.device.type == "cuda" else []
