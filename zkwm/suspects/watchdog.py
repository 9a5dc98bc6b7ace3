"""One deadline after another for a process that answers many questions, kept by one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watchdog:
    """Calls ``kill`` where a block takes longer than it may; ends itself then, or at ``end``.

    A timer for each question would start a thread for each, which costs more than a small model.
    """

    def __init__(self, kill: Callable[[], None]) -> None:
        self._kill = kill
        self._changed = threading.Condition()
        self._deadline: float | None = None
        self._wakes = float("inf")
        self._ended = False
        self.expired = False
        threading.Thread(target=self._watch, daemon=True).start()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Kill unless the block ends within ``seconds``; ``expired`` tells whether it did."""
        with self._changed:
            self._deadline = time.monotonic() + seconds
            if self._deadline < self._wakes:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._deadline = None

    def end(self) -> None:
        """End the thread."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _watch(self) -> None:
        """Sleep until the deadline that was nearest, look again, kill once."""
        with self._changed:
            while not self._ended:
                now = time.monotonic()
                if self._deadline is not None and self._deadline <= now:
                    self.expired = True
                    self._kill()
                    return
                self._wakes = float("inf") if self._deadline is None else self._deadline
                self._changed.wait(None if self._deadline is None else self._deadline - now)
