"""A crew in this process, whose workers can be lost on purpose; and provers without chance."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from zkwm_protocols.argument.sharding.crew import Arguments, Crew, WorkerLost
from zkwm_protocols.argument.sharding.worker import ShardWorker


class LocalCrew(Crew):
    """Workers one after the other in this process.

    Args:
        size: how many.
        lose: asked before each call with the worker, the method and how often that worker was
            called with it; where it says so, the worker is gone.
    """

    def __init__(
        self, size: int, lose: Callable[[int, str, int], bool] | None = None, most: int = 8
    ) -> None:
        self.seen: list[int] = []
        super().__init__(size, most, self.seen.append)
        self._lose = lose or (lambda worker, method, times: False)
        self._times: dict[tuple[int, str], int] = {}
        self.called: list[tuple[int, str]] = []
        self.workers = [ShardWorker() for _ in range(size)]

    def start(self, worker: int) -> None:
        self.workers[worker] = ShardWorker()

    def submit(self, worker: int, method: str, arguments: Arguments) -> Any:
        return worker, method, arguments

    def result(self, call: Any) -> Any:
        worker, method, arguments = call
        times = self._times[worker, method] = self._times.get((worker, method), 0) + 1
        self.called.append((worker, method))
        if self._lose(worker, method, times):
            raise WorkerLost
        return getattr(self.workers[worker], method)(*arguments)

    def share(self, value: object) -> object:
        return value

    def local(self, shared: object) -> Any:
        return shared


def without_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all provers of this test draw the same: two proofs of a statement are then equal."""
    monkeypatch.setattr(secrets, "token_bytes", lambda count: bytes(range(count)))
    monkeypatch.setattr(secrets, "SystemRandom", lambda: random.Random(1))
