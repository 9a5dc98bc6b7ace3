"""Group commit: many clients, one writer thread, one durable tree for up to 100 entries.

While a batch is written the next one gathers. A statement that is in the log, or in the same
batch, gets the position that it has. Whoever goes away before their batch begins is left out.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from zkwm.transparency_log.entries import Entry, HeadRow
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.refusals import RefusedError
from zkwm_protocols.errors import CouldNotCheck

MOST_ENTRIES = 100
"""Entries of one batch."""
GATHER_SECONDS = 0.02
"""How long the first entry of a batch waits for others, at most; the design allows 0.05."""
RESUME_SECONDS = 1.0
"""How often a log that was interrupted looks whether it can go on."""
MOST_WAITING = 2000
"""Entries that wait for the writer; more are told to come back."""


@dataclass(frozen=True)
class Registered:
    """Where a statement stands, and a signed tree that holds it.

    Args:
        position: its index in the log.
        row: the tree; everything in it is durable.
        again: whether it was in the log before.
    """

    position: int
    row: HeadRow
    again: bool


class Sequencer:
    """Takes entries from any thread and appends them by one. Close it before the log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiting: queue.Queue[tuple[Entry, Future[Registered]] | None] = queue.Queue(
            MOST_WAITING
        )
        self._closing = threading.Event()
        self._door = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many entries wait for the writer."""
        return self._waiting.qsize()

    def submit(self, entry: Entry) -> Future[Registered]:
        """Have an entry appended; the future ends when it is durable, or with CouldNotCheck.

        It can be cancelled until its batch begins. Raises CouldNotCheck at once where the log has
        stopped or is held, or too many wait.
        """
        future: Future[Registered] = Future()
        with self._door:  # nothing is put behind the end
            self._log.require_writing()
            if self._closing.is_set():
                raise _ending()
            try:
                self._waiting.put_nowait((entry, future))
            except queue.Full:
                raise RefusedError(
                    f"{MOST_WAITING:,} statements wait for the log already",
                    hint="try again in a few seconds",
                    retry_seconds=2,
                ) from None
        return future

    def close(self) -> None:
        """Append what waits, then end. Safe to call twice."""
        with self._door:
            first = not self._closing.is_set()
            self._closing.set()
        if first:
            self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        """The writer's loop; it ends with ``close``."""
        ended = False
        while not ended:
            try:
                first = self._waiting.get(timeout=RESUME_SECONDS if self._log.interrupted else None)
            except queue.Empty:
                self._log.resume()
                continue
            if first is None:
                break
            batch, ended = self._gather(first)
            self._append([one for one in batch if one[1].set_running_or_notify_cancel()])

    def _gather(
        self, first: tuple[Entry, Future[Registered]]
    ) -> tuple[list[tuple[Entry, Future[Registered]]], bool]:
        """A batch that begins with ``first``, and whether the sequencer is being closed."""
        batch, until = [first], time.monotonic() + GATHER_SECONDS
        while len(batch) < MOST_ENTRIES:
            left = until - time.monotonic()
            try:
                item = self._waiting.get(timeout=left) if left > 0 else self._waiting.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _append(self, batch: Sequence[tuple[Entry, Future[Registered]]]) -> None:
        """Append what is new, and answer all, who wait until then."""
        if not batch:
            return
        try:
            self._log.take_in()
            known = self._log.database.positions([entry.statement for entry, _ in batch])
            new: dict[bytes, Entry] = {}
            for entry, _ in batch:
                if entry.statement not in known:
                    new.setdefault(entry.statement, entry)
            old = self._log.row
            row = self._log.append(list(new.values())) if new else old
        except BaseException as error:
            failure = error if isinstance(error, CouldNotCheck) else _ending()
            for _, future in batch:
                future.set_exception(failure)
            return
        placed = {statement: old.size + number for number, statement in enumerate(new)}
        for entry, future in batch:
            statement = entry.statement
            again = statement in known
            position = known[statement] if again else placed[statement]
            future.set_result(Registered(position, row, again))


def _ending() -> RefusedError:
    """The error of a log that takes no more entries."""
    return RefusedError(
        "the log takes no entries: it is ending",
        hint="try again later; what it acknowledged is kept",
    )
