"""A zero-knowledge argument whose workers run on a Ray cluster.

Each worker is an actor, a process of its own. One that is killed, or whose machine is lost, is
replaced by another, which repeats what its state follows from (``argument.sharding.crew``).
Triggers, salts and the proof's random tails go to the workers, so the cluster is the owner's own;
keys and the vault never do. The kernels' library is loaded in the workers alone, with as many
threads as each has processors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from zkwm.ray_cluster import connect
from zkwm_protocols.argument.sharding.crew import Arguments, Crew, WorkerLost
from zkwm_protocols.errors import CouldNotCheck, ZkwmError

if TYPE_CHECKING:
    from zkwm_protocols.argument.prover import Progress
    from zkwm_protocols.argument.statement import Statement

MOST_WORKERS = 64
"""The prover waits for all of them in each of a few hundred rounds."""
_START_SECONDS = 120.0
_REPLACEMENTS = 4
"""For each worker, before a proof is given up."""


def prove_on_ray(
    statement: Statement,
    images: NDArray[np.uint8],
    salts: Sequence[bytes],
    *,
    secret: bytes,
    release: str,
    progress: Progress | None = None,
) -> bytes:
    """Prove the statement on the cluster of ``RAY_ADDRESS``, or on one that is started here.

    Arguments as those of ``zkwm_protocols.argument.prover.prove``, and the same bytes for the same
    randomness; the proof was verified. One worker for each processor of the cluster.

    Raises:
        UsageError: Ray is not installed, or openings do not belong to the leaves.
        NotEnoughMatches: fewer triggers than the threshold get their labels.
        CouldNotCheck: there is no cluster, too many workers were lost, or they computed wrongly.
    """
    from zkwm_protocols.argument.sharding.prover import prove_by_crew

    tell = progress or (lambda step, part: None)
    done = 0.0

    def report(step: str, part: float) -> None:
        """Remember how much is done: a lost worker is told beside it."""
        nonlocal done
        done = part
        tell(step, part)

    def lost(worker: int) -> None:
        tell(f"worker {worker + 1} was lost, and another takes its place", done)

    report("start workers on the Ray cluster", 0.0)
    with RayCrew(statement.triggers, lost=lost) as crew:
        return prove_by_crew(
            statement, images, salts, secret=secret, release=release, crew=crew, progress=report
        )


class RayWorker:
    """The actor: a ``ShardWorker`` with some threads. It holds triggers, so it dumps no core.

    Args:
        threads: of its kernels.
    """

    def __init__(self, threads: int) -> None:
        with suppress(ImportError, OSError, ValueError):
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.environ["NUMBA_NUM_THREADS"] = str(threads)
        from zkwm_protocols.argument.sharding.worker import ShardWorker
        from zkwm_protocols.field.kernels.kept_memory import kept

        self._memory = kept()  # for as long as this process is there
        self._memory.__enter__()
        self._worker = ShardWorker()

    def process(self) -> int:
        """The number of this process on its machine."""
        return os.getpid()

    def call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401
        """Call a method of the worker."""
        return getattr(self._worker, method)(*arguments)


class RayCrew(Crew):
    """Workers on a Ray cluster; leaving its ``with`` block ends them.

    Args:
        most: workers are at most so many, and one for each processor of the cluster.
        threads: processors of each worker.
        lost: called with the number of a worker that was lost.

    Raises:
        UsageError: Ray is not installed.
        CouldNotCheck: there is no cluster, or it has no free processors.
    """

    def __init__(
        self, most: int, threads: int = 1, lost: Callable[[int], None] | None = None
    ) -> None:
        self._ray = connect()
        there = int(self._ray.cluster_resources().get("CPU", 0)) // threads
        size = max(1, min(most, there, MOST_WORKERS))
        super().__init__(size, _REPLACEMENTS * size, lost)
        self._threads = threads
        self._kind = self._ray.remote(num_cpus=threads, max_restarts=0)(RayWorker)
        self._actors: list[Any] = [None] * size
        try:
            for worker in range(size):
                self._actors[worker] = self._kind.remote(threads)
            begun = [actor.process.remote() for actor in self._actors]
            self._require_started(begun)
            self.processes: list[int] = self._ray.get(begun)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers."""
        for actor in self._actors:
            if actor is not None:
                self._ray.kill(actor)
        self._actors = []

    def start(self, worker: int) -> None:
        """Start a worker in the place of one that was lost."""
        self._ray.kill(self._actors[worker])  # it may only have been out of reach
        actor = self._actors[worker] = self._kind.remote(self._threads)
        begun = actor.process.remote()
        self._require_started([begun])
        self.processes[worker] = self.result(begun)

    def submit(self, worker: int, method: str, arguments: Arguments) -> Any:  # noqa: ANN401
        """Begin a call: a reference to its result."""
        return self._actors[worker].call.remote(method, *arguments)

    def result(self, call: Any) -> Any:  # noqa: ANN401
        """Wait for a call."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(call)
        except errors.RayTaskError as error:
            if isinstance(error.cause, ZkwmError):
                raise error.cause from None
            if isinstance(error.cause, errors.ObjectStoreFullError):
                raise _no_room() from error
            raise CouldNotCheck(
                f"an unexpected {type(error.cause).__name__} in a worker; nothing was released",
                hint="its machines need the same version of zkwm; prove without the cluster to see "
                "whether it is that",
            ) from error
        except errors.ObjectStoreFullError as error:
            raise _no_room() from error
        except errors.RayError as error:
            raise WorkerLost from error

    def share(self, value: object) -> object:
        """A reference to the value, which each machine gets once."""
        try:
            return self._ray.put(value)
        except self._ray.exceptions.ObjectStoreFullError as error:
            raise _no_room() from error

    def local(self, shared: object) -> Any:  # noqa: ANN401
        """The value that a reference stands for, in memory that is shared with the workers here."""
        return self._ray.get(shared)

    def _require_started(self, begun: list[Any]) -> None:
        """Raise CouldNotCheck unless the cluster starts these workers in time."""
        ready, _ = self._ray.wait(begun, num_returns=len(begun), timeout=_START_SECONDS)
        if len(ready) < len(begun):
            raise CouldNotCheck(
                f"the Ray cluster started {len(ready)} of {len(begun)} workers within "
                f"{_START_SECONDS:.0f} seconds",
                hint="`ray status` says which processors are free; run it again when there are",
            )


def _no_room() -> CouldNotCheck:
    """The error where Ray has no room for what is sent."""
    return CouldNotCheck(
        "the Ray cluster has too little memory for objects; nothing was released",
        hint="start its machines with more memory for objects (docs/owner.md): three times the "
        "cells of all triggers, 4 bytes each, are enough",
    )
