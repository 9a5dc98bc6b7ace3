"""A value that is computed in a thread before it is needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Early(Generic[T]):
    """Begins to compute ``function()``; ``result`` waits for it, and raises what it raised.

    Whoever needs no result leaves it: the thread ends with the process, at the latest. Where the
    system gives no thread, ``result`` computes.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._found: list[T] = []
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = threading.Thread(target=self._compute, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None

    def result(self) -> T:
        """The value. Raises the error of the function."""
        if self._thread is not None:
            self._thread.join()
        elif not self._found and self._error is None:
            self._compute()
        if self._error is not None:
            raise self._error
        return self._found[0]

    def _compute(self) -> None:
        """Keep the value, or the error."""
        try:
            self._found.append(self._function())
        except BaseException as error:
            self._error = error
