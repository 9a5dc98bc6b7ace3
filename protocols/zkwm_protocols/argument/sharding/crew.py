"""A crew of workers that one proof is shared among, and what happens when one is lost.

::

    prover    call("level", one list of arguments for each worker)   ->  one result from each
    journal   the calls that a worker's state follows from
    a worker is lost:  another starts, repeats the journal, and does the call again

A worker draws nothing at random (``worker``): its state and its answers follow from the calls, so
the proof is the same, byte for byte, however many are lost. How workers run is a subclass's part.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from zkwm_protocols.errors import CouldNotCheck

Arguments = tuple[Any, ...]

_LASTING = ("run", "mark", "tree", "level", "bind")
"""Methods of ``ShardWorker`` that change a worker's state."""
_OF_THE_TREE = ("tree", "level", "bind")
_ENDS = {
    "level": ("level", "bind"),
    "fold": _OF_THE_TREE,
    "columns": ("run", "mark", *_OF_THE_TREE),
}
"""What nothing depends on any more once a method is called."""


class WorkerLost(Exception):
    """A worker, or its answer, is gone: it was killed, or its machine."""


class Journal:
    """The calls that a worker's state follows from, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Arguments]] = []

    def begin(self, method: str) -> None:
        """A method is about to be called: forget what nothing depends on any more."""
        ended = _ENDS.get(method, ())
        self.calls = [call for call in self.calls if call[0] not in ended]

    def note(self, method: str, arguments: Arguments) -> None:
        """A method was called."""
        if method in _LASTING:
            self.calls.append((method, arguments))


class Crew(ABC):
    """Workers 0 .. size - 1, each a ``ShardWorker``.

    Args:
        size: how many.
        replacements: how many lost workers are replaced before the proof is given up.
        lost: called with the number of a worker that was lost.
    """

    def __init__(
        self, size: int, replacements: int, lost: Callable[[int], None] | None = None
    ) -> None:
        self.size = size
        self.replaced = 0
        self._replacements = replacements
        self._lost = lost or (lambda worker: None)
        self._journals = [Journal() for _ in range(size)]

    @abstractmethod
    def start(self, worker: int) -> None:
        """Start a worker, or another in the place of one that was lost."""

    @abstractmethod
    def submit(self, worker: int, method: str, arguments: Arguments) -> Any:  # noqa: ANN401
        """Begin a call; what is returned goes to ``result``."""

    @abstractmethod
    def result(self, call: Any) -> Any:  # noqa: ANN401
        """Wait for a call. Raises WorkerLost, or the error of the worker's method."""

    @abstractmethod
    def share(self, value: object) -> object:
        """Something that may be given to several workers instead of the value."""

    @abstractmethod
    def local(self, shared: object) -> Any:  # noqa: ANN401
        """The value of what ``share`` returned, in the prover's process."""

    def call(self, method: str, arguments: Sequence[Arguments]) -> list[Any]:
        """Call a method of every worker, with arguments for each; their results in order.

        Raises:
            CouldNotCheck: too many workers were lost.
        """
        for journal in self._journals:
            journal.begin(method)
        calls = [self._submitted(i, method, given) for i, given in enumerate(arguments)]
        results = []
        for i, (call, given) in enumerate(zip(calls, arguments, strict=True)):
            try:
                results.append(self._again(i, method, given) if call is None else self.result(call))
            except WorkerLost:
                results.append(self._again(i, method, given))
            self._journals[i].note(method, given)
        return results

    def _submitted(self, worker: int, method: str, arguments: Arguments) -> Any:  # noqa: ANN401
        """A call that was begun, None where the worker is lost."""
        try:
            return self.submit(worker, method, arguments)
        except WorkerLost:
            return None

    def _again(self, worker: int, method: str, arguments: Arguments) -> Any:  # noqa: ANN401
        """The result of a call that was lost with its worker, from another one."""
        while True:
            self._lost(worker)
            self.replaced += 1
            if self.replaced > self._replacements:
                raise CouldNotCheck(
                    f"{self.replaced} workers were lost during one proof, which was given up; "
                    "nothing was released",
                    hint="look for the reason on the cluster (often memory); then run it again",
                )
            try:
                self.start(worker)
                for earlier, given in self._journals[worker].calls:
                    self.result(self.submit(worker, earlier, given))
                return self.result(self.submit(worker, method, arguments))
            except WorkerLost:
                continue


def even_parts(count: int, parts: int) -> list[tuple[int, int]]:
    """0 .. count - 1 as ranges (first, end) whose lengths differ by 1 at the most."""
    bounds = [count * i // parts for i in range(parts + 1)]
    return list(pairwise(bounds))
