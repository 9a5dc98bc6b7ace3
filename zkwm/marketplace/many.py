"""Settle many claims at once, in processes that nothing of one case takes along.

Each process settles one claim after the other. One that crashes or takes too long is ended and
replaced: its case could not be checked, and the others go on.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Self

from zkwm.judge.key_file import JudgeKey
from zkwm.marketplace.claims import Claim, Frames, Settled, pack_claim, pack_desk, unpack_settled
from zkwm.sql_database import DatabaseLocation
from zkwm.suspects.limited_process import killed_after, start_process, stop_process
from zkwm.suspects.onnx_frames import FrameError, read_frame, write_frame
from zkwm_protocols.errors import CouldNotCheck, UsageError
from zkwm_protocols.trust import Trust

_WORKER = "zkwm.marketplace.worker"
_REPLY_LIMIT = 1 << 20
_POLL_SECONDS = 0.1


class Settling:
    """Claims that are being settled: iterate over it for results as they come.

    ``cancel``, from any thread, or leaving its ``with`` block ends the processes; what was kept by
    then stays. ``Marketplace.verify_many`` makes one.
    """

    def __init__(
        self,
        location: DatabaseLocation,
        key: JudgeKey,
        claims: Iterable[Claim],
        trust: Trust | None,
        *,
        processes: int | None,
        seconds: float,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        packed = [(claim, pack_claim(claim)) for claim in claims]
        count = min(processes or os.cpu_count() or 1, len(packed))
        if processes is not None and processes < 1:
            raise UsageError("processes is at least 1")
        if not 0 < seconds <= threading.TIMEOUT_MAX:
            raise UsageError("seconds is the time for one claim, above 0")
        self._desk = pack_desk(location, key, os.environ, trust)
        self._seconds, self._progress, self._total = seconds, progress, len(packed)
        self._claims = iter(packed)
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._results: queue.SimpleQueue[Settled] = queue.SimpleQueue()
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._threads = [
            threading.Thread(target=self._work, args=(slot,), daemon=True) for slot in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def __iter__(self) -> Iterator[Settled]:
        """Every result once, in the order in which they come; fewer after ``cancel``."""
        done = 0
        while done < self._total:
            try:
                settled = self._results.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if not any(thread.is_alive() for thread in self._threads) and self._results.empty():
                    return
                continue
            done += 1
            if self._progress is not None:
                self._progress(done, self._total)
            yield settled

    def cancel(self) -> None:
        """End all processes; claims that are not settled yet are dropped. Safe to call twice."""
        self._cancelled.set()
        with self._lock:
            running = list(self._running.values())
        for process in running:
            stop_process(process)
        for thread in self._threads:
            thread.join()

    def _next(self) -> tuple[Claim, Frames] | None:
        """The next claim, or None."""
        with self._lock:
            return None if self._cancelled.is_set() else next(self._claims, None)

    def _work(self, slot: int) -> None:
        """Settle claims in one process after the other until there are none left."""
        try:
            while (taken := self._next()) is not None:
                claim, frames = taken
                settled = self._settle(slot, claim, frames)
                if not self._cancelled.is_set() or settled.outcome:
                    self._results.put(settled)
        finally:
            self._end(slot)

    def _settle(self, slot: int, claim: Claim, frames: Frames) -> Settled:
        """One claim, in the slot's process; it is ended where it gives no reply in time."""
        late = threading.Event()
        try:
            process = self._process(slot)
            with killed_after(process, self._seconds) as late:
                for frame in frames:
                    write_frame(process.stdin, frame)  # type: ignore[arg-type]
                reply = read_frame(process.stdout, _REPLY_LIMIT)  # type: ignore[arg-type]
            return unpack_settled(claim.id, reply)
        except (FrameError, ValueError, RecursionError, OSError):
            self._end(slot)
            return Settled(claim.id, "", self._lost(late=late.is_set()))

    def _process(self, slot: int) -> subprocess.Popen[bytes]:
        """The slot's process, started where there is none. Raises FrameError or OSError."""
        with self._lock:
            if self._cancelled.is_set():
                raise FrameError("cancelled")
            process = self._running.get(slot)
            if process is not None:
                return process
            process = self._running[slot] = start_process(_WORKER, 0)
        write_frame(process.stdin, self._desk)  # type: ignore[arg-type]
        return process

    def _end(self, slot: int) -> None:
        """End the slot's process."""
        with self._lock:
            process = self._running.pop(slot, None)
        if process is not None:
            stop_process(process)

    def _lost(self, *, late: bool) -> CouldNotCheck:
        """The error for a claim whose process gave no result."""
        if late:
            return CouldNotCheck(
                f"this case was not settled within {self._seconds:g} seconds",
                hint="give more seconds, or settle it alone; answers of the model are kept",
            )
        return CouldNotCheck(
            "the process that settled this case ended without a result",
            hint="settle it again; answers of the model, and what was opened, are kept",
        )
