"""The judge's side of ``onnx_worker``: start it, query it, kill it when it takes too long.

The suspect's file may come from an adversary, so it is never loaded into the judge's own process,
and the worker's replies are checked as if the adversary had written them.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.early_start import MODULE, process_memory
from zkwm.suspects.foreign_text import printable
from zkwm.suspects.limited_process import (
    kill_process,
    killed_after,
    start_process,
    stop_process,
)
from zkwm.suspects.limits import OnnxLimits
from zkwm.suspects.onnx_frames import FrameError, read_frame, write_frame
from zkwm.suspects.onnx_reordered import Reordered
from zkwm.suspects.preprocessing import INPUT_TYPES
from zkwm.suspects.suspect import CRASHED, MAXIMUM_OUTPUTS, TIMED_OUT
from zkwm.suspects.watchdog import Watchdog

_REPLY_LIMIT = 1 + 8 * MAXIMUM_OUTPUTS
_MERGED_LIMIT = (2 << 30) + 1
_NAMES_LIMIT = 1 << 20
_MOST_FILES = 1000
MOST_SENT = 1 << 20
"""Bytes of the inputs that are sent before the first of them is answered."""


class NoReplyError(Exception):
    """The worker gave no answer; the text is the problem of an Answer, ``hint`` what helps."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.hint = hint


ReadFile = Callable[[str], bytes]
"""Reads a file of weights by the name that the model gives it; raises what the judge shall see."""


def no_files(name: str) -> bytes:
    """Refuse every file of weights. Raises NoReplyError."""
    raise NoReplyError(f"its weights lie in another file: {printable(name, 100)}")


@dataclass(frozen=True)
class DeclaredInput:
    """The type and the dimensions of a model's input; None is an open dimension.

    ``reordered`` is what another order of its sums moves.
    """

    dtype: str
    shape: tuple[int | None, ...]
    reordered: Reordered


class OnnxProcess:
    """One model in one process, started on first use and again after it was killed."""

    def __init__(
        self,
        model: bytes,
        limits: OnnxLimits,
        *,
        output: str = "",
        read_file: ReadFile = no_files,
        order: int = 0,
    ) -> None:
        self._model = model
        self._order = order
        self._limits = limits
        self._output = output
        self._read_file = read_file
        self.parts: dict[str, bytes] | None = None
        self._stop: Callable[[], Any] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float | None = None) -> DeclaredInput:
        """Start a new process and load the model within ``seconds`` and ``load_seconds``.

        Raises NoReplyError on failure or timeout.
        """
        return read_declared(self._load(seconds, merge=False))

    def require_running(self, seconds: float) -> None:
        """Start another process, as ``start`` does, where the last one died or was killed."""
        if self._process is None:
            self.start(seconds)

    def merged(self) -> bytes:
        """The model as one file, without running it. Raises NoReplyError."""
        reply = self._load(None, merge=True)
        self.close()
        if reply[:1] != b"M":
            raise NoReplyError(CRASHED)
        return reply[1:]

    def _load(self, seconds: float | None, *, merge: bool) -> bytes:
        """Start a new process, hand it the model and its files of weights; return its reply.

        The files are read when the first process has named them, and another is started, whose
        memory suits their size.
        """
        allowed = self._limits.load_seconds
        deadline = time.monotonic() + (allowed if seconds is None else min(seconds, allowed))
        limit = _MERGED_LIMIT if merge else _REPLY_LIMIT
        reply = self._begin(deadline, limit, merge=merge)
        if reply[:1] != b"P":
            return reply
        names = read_names(reply)
        if self.parts is None:
            self.parts = {name: self._read_file(name) for name in names}
            if self._limits.memory_bytes is None:
                reply = self._begin(deadline, limit, merge=merge)
                names = read_names(reply)
        if sorted(self.parts) != names:
            raise NoReplyError(self._fail(CRASHED))
        parts: list[tuple[bytes, ...]] = [(self.parts[name],) for name in names]
        return self._exchange(deadline - time.monotonic(), parts, limit)

    def _begin(self, deadline: float, limit: int, *, merge: bool) -> bytes:
        """Start a new process and hand it the model; return its reply."""
        self.close()
        self._process = start_process(MODULE, self._memory())
        self._stop = weakref.finalize(self, stop_process, self._process)
        wanted = {"output": self._output, "merge": merge, "order": self._order}
        self._send(json.dumps(wanted).encode())
        return self._exchange(deadline - time.monotonic(), [(self._model,)], limit)

    def _memory(self) -> int:
        """Bytes of address space for the model and its files of weights."""
        size = len(self._model) + sum(map(len, (self.parts or {}).values()))
        return process_memory(size, self._limits)

    def scores(self, image: NDArray[Any], seconds: float) -> NDArray[np.float64] | int:
        """The scores float64 (k,), or the label, of the first row of a batch.

        Raises NoReplyError; if the process died or was killed, ``require_running`` starts another.
        """
        return self._read_scores(self._exchange(seconds, [_question(image)]))

    def scores_of(
        self, images: Sequence[NDArray[Any]], seconds: float, until: float
    ) -> Iterator[NDArray[np.float64] | int | NoReplyError]:
        """As ``scores`` for several inputs, all sent before the first reply is read.

        Args:
            images: inputs of at most ``MOST_SENT`` bytes together, or one.
            seconds: for each of them.
            until: the time (``time.monotonic``) at which the process is killed.

        Yields scores, a label, or why there is neither, in order, and ends with a process that died
        or was killed: the images that are left were not asked.
        """
        process, unread = self._process, len(images)
        if process is None:
            return
        unsent = [_question(image) for image in images]
        watchdog = Watchdog(partial(kill_process, process))
        began = time.monotonic()
        try:
            while unread and self._process is process:
                with watchdog.within(min(began + seconds, until) - time.monotonic()):
                    reply = self._sent_and_read(process, unsent, _REPLY_LIMIT)
                unsent, unread, began = [], unread - 1, time.monotonic()
                answer: NDArray[np.float64] | int | NoReplyError
                try:
                    answer = self._read_scores(self._require(reply, late=watchdog.expired))
                except NoReplyError as reason:
                    answer = reason
                yield answer
        finally:
            watchdog.end()
            if unread:  # nobody will read the replies that are still to come
                self.close()

    def _read_scores(self, reply: bytes) -> NDArray[np.float64] | int:
        """The scores or the label in a reply. Raises NoReplyError."""
        if reply[:1] == b"L" and len(reply) == 9:
            return int.from_bytes(reply[1:], "little", signed=True)
        if reply[:1] != b"S" or len(reply) % 8 != 1:
            raise NoReplyError(self._fail(CRASHED))
        return np.frombuffer(reply, "<f8", offset=1).astype(np.float64)

    @property
    def pid(self) -> int | None:
        """The id of the running process, None while there is none."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """Kill the process, if there is one."""
        if self._stop is not None:
            self._stop()
        self._stop = None
        self._process = None

    def _send(self, frame: bytes) -> None:
        """Send a frame that has no reply of its own; a failure shows in the next exchange."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(FrameError):
                write_frame(self._process.stdin, frame)  # type: ignore[arg-type]

    def _exchange(
        self, seconds: float, frames: list[tuple[bytes, ...]], limit: int = _REPLY_LIMIT
    ) -> bytes:
        """Send frames and return the one reply within ``seconds``. Raises NoReplyError."""
        process = self._process
        if process is None:
            raise NoReplyError(self._fail(CRASHED))
        with killed_after(process, seconds) as expired:
            reply = self._sent_and_read(process, frames, limit)
        return self._require(reply, late=expired.is_set())

    def _sent_and_read(
        self, process: subprocess.Popen[bytes], frames: list[tuple[bytes, ...]], limit: int
    ) -> bytes:
        """Send frames and read one reply; it is empty where the process ended before."""
        if process.stdin is None or process.stdout is None:
            return b""
        try:
            for frame in frames:
                write_frame(process.stdin, *frame)  # type: ignore[arg-type]
            return read_frame(process.stdout, limit)  # type: ignore[arg-type]
        except FrameError:
            return b""
        except BaseException:
            self.close()
            raise

    def _require(self, reply: bytes, *, late: bool) -> bytes:
        """A reply that is an answer. Raises NoReplyError, also ``late`` or without one."""
        if late:
            raise NoReplyError(self._fail(TIMED_OUT))
        if not reply:
            raise NoReplyError(self._fail(CRASHED))
        if reply[:1] == b"E":
            reason, _, hint = reply[1:].decode("utf-8", "replace").partition("\n")
            raise NoReplyError(printable(reason, 300) or CRASHED, printable(hint, 300))
        return reply

    def _fail(self, problem: str) -> str:
        """Kill the process, whose state is unknown, and return ``problem``."""
        self.close()
        return problem


def _question(image: NDArray[Any]) -> tuple[bytes, ...]:
    """The parts of the frame that asks for an input."""
    dimensions = b"".join(size.to_bytes(4, "big") for size in image.shape)
    return image.ndim.to_bytes(1, "big"), dimensions, image.tobytes()


def read_declared(reply: bytes) -> DeclaredInput:
    """Read the worker's first reply as an adversary's. Raises NoReplyError."""
    try:
        declared = json.loads(reply[1:10_000])
        dtype, shape = declared["dtype"], declared["shape"]
        moved, left = declared["moved"], declared["left"]
        counted = type(moved) is int and type(left) is int
        sound = all(size is None or (type(size) is int and size > 0) for size in shape)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NoReplyError(CRASHED) from None
    if reply[:1] != b"R" or dtype not in INPUT_TYPES or not sound or not counted:
        raise NoReplyError(CRASHED)
    return DeclaredInput(dtype, tuple(shape), Reordered(moved, left))


def read_names(reply: bytes) -> list[str]:
    """Read the names of files of weights as an adversary's. Raises NoReplyError."""
    try:
        names = json.loads(reply[1:_NAMES_LIMIT])
    except (ValueError, RecursionError):
        raise NoReplyError(CRASHED) from None
    if not isinstance(names, list) or not all(type(name) is str for name in names):
        raise NoReplyError(CRASHED)
    if not 1 <= len(names) <= _MOST_FILES or names != sorted(set(names)):
        raise NoReplyError(f"its weights lie in more than {_MOST_FILES} files")
    return names
