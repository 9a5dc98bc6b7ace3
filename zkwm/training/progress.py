"""Decide when a running training reports, and what; the callback decides how it is shown."""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import Tensor

from zkwm.training.checkpoint import Position
from zkwm.training.result import Phase, Progress

REPORT_SECONDS = 0.5


class Reporter:
    """Calls back with a ``Progress`` at most twice a second, and after each epoch."""

    def __init__(self, callback: Callable[[Progress], None] | None, epochs: int) -> None:
        self._callback = callback
        self._epochs = epochs
        self._images, self._steps = 1, 1
        self._began = self._last = 0.0
        self._first = 0

    def start(self, images_per_step: int, steps: int, position: Position) -> None:
        """The training starts or resumes at ``position``: speed is measured from now."""
        self._images, self._steps = images_per_step, steps
        self._began = self._last = time.monotonic()
        self._first = position.epoch * steps + position.step

    def report(self, position: Position, loss_sum: Tensor, ended: bool) -> None:
        """A step is done; ``ended`` if it was the last of its epoch.

        ``loss_sum`` (float64, ()) is the sum of the losses of this epoch's steps.
        """
        now = time.monotonic()
        if self._callback is None or not (ended or now - self._last >= REPORT_SECONDS):
            return
        self._last = now
        done = position.epoch * self._steps + position.step
        rate = (done - self._first) / max(now - self._began, 1e-9)
        last = position.history[-1] if position.history else None
        loss = last.loss if ended and last else float(loss_sum) / max(position.step, 1)
        self._callback(
            Progress(
                phase=Phase.EPOCH if ended else Phase.TRAINING,
                epoch=position.epoch,
                epochs=self._epochs,
                step=position.step,
                steps=self._steps,
                images_per_second=rate * self._images,
                seconds_left=(self._epochs * self._steps - done) / max(rate, 1e-9),
                loss=loss,
                test_accuracy=last.test_accuracy if last else None,
                trigger_matches=last.trigger_matches if last else None,
            )
        )
