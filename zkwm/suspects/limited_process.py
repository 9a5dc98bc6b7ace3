"""Run foreign work in a process with a deadline, and read its reply as a stranger's.

``run_limited`` asks a process one question, ``LimitedProcess`` one or more;
``zkwm.suspects.onnx_process`` keeps one of its own, with the same start, deadline and end. The
process's side is ``zkwm.suspects.limited_worker``.

Frames (``zkwm.suspects.onnx_frames``) go both ways, never pickles. The process's first frame is
``R`` and JSON, followed by the frames of the result, or ``E`` and JSON: the class, message, hint
and check of an error of zkwm. ``zkwm.suspects.resource_limits`` limits the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zkwm.extras import NO_TELEMETRY
from zkwm.suspects.foreign_text import printable
from zkwm.suspects.onnx_frames import FrameError, read_frame, write_frame
from zkwm.suspects.resource_limits import warn_without_limits
from zkwm_protocols.errors import (
    CouldNotCheck,
    InvalidOpening,
    Malformed,
    SuspectUnusable,
    Unsupported,
    UsageError,
    ZkwmError,
)

_REPLY_LIMIT = 1 << 20
_END_SECONDS = 10.0
_KEPT_ENVIRONMENT = (
    "HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "VIRTUAL_ENV",
)  # fmt: skip
_ERRORS: dict[str, type[ZkwmError]] = {
    kind.__name__: kind
    for kind in (
        CouldNotCheck, InvalidOpening, Malformed, SuspectUnusable, Unsupported, UsageError
    )
}  # fmt: skip
SENT = {*_ERRORS, "ZkwmError"}
"""Names by which errors are sent: a class that is not among them is sent as its base."""


_Waiting = tuple[str, int, subprocess.Popen[bytes]]
_waiting: list[_Waiting] = []
"""Module, memory and process of those that were started early and wait for their first frame."""


class NoResultError(Exception):
    """The process gave no result; ``late`` tells whether it was ended at its deadline."""

    def __init__(self, *, late: bool) -> None:
        super().__init__("late" if late else "ended")
        self.late = late


@contextlib.contextmanager
def started_early(module: str, memory: int) -> Iterator[None]:
    """Start a process now; the next ``start_process`` of the same module and memory takes it.

    It imports its libraries while the caller does other work, and has been given nothing. One that
    nobody took is ended with the block, and one that cannot be started is left to its turn.
    """
    if any(waiting[:2] == (module, memory) for waiting in _waiting):
        yield
        return
    try:
        waiting = (module, memory, _start(module, memory))
    except OSError:
        yield
        return
    _waiting.append(waiting)
    try:
        yield
    finally:
        if _taken(waiting):
            stop_process(waiting[2])


def start_process(module: str, memory: int) -> subprocess.Popen[bytes]:
    """Start ``python -P -m module MEMORY`` with pipes, or take one that was ``started_early``.

    Warns (``resource_limits.NoLimitsWarning``) where the system cannot limit its memory.
    """
    warn_without_limits()
    for waiting in list(_waiting):
        if waiting[:2] == (module, memory) and _taken(waiting):
            if waiting[2].poll() is None:
                return waiting[2]
            stop_process(waiting[2])
    return _start(module, memory)


def _taken(waiting: _Waiting) -> bool:
    """Take a process that was started early; False where another thread was faster."""
    try:
        _waiting.remove(waiting)
    except ValueError:
        return False
    return True


def _start(module: str, memory: int) -> subprocess.Popen[bytes]:
    """Start ``python -P -m module MEMORY`` in a session and environment of its own."""
    return subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-P", "-m", module, str(memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=worker_environment(),
        cwd=Path(sys.executable).anchor,
        start_new_session=True,
    )


def worker_environment() -> dict[str, str]:
    """A worker's environment variables, without passphrases and options of ONNX Runtime.

    What it is asked about leaves this machine by nobody: ONNX Runtime's telemetry is off.
    """
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    search = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path if entry)
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**kept, "PYTHONPATH": search, **threads, **NO_TELEMETRY}


@contextlib.contextmanager
def killed_after(process: subprocess.Popen[bytes], seconds: float) -> Iterator[threading.Event]:
    """Kill ``process`` if the block takes longer; the event tells whether it did."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        kill_process(process)

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()
        timer.join()


def stop_process(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and close its pipes; the system ends one that it keeps waiting."""
    kill_process(process)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    _await_end(process)


def _await_end(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process, and not long for one that the system keeps.

    ``Popen.wait`` with a deadline asks in intervals, which take longer than most processes to end.
    """
    try:
        end = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # another system, or it has been waited for
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_END_SECONDS)
        return
    try:
        ended = select.poll()
        ended.register(end, select.POLLIN)
        ended.poll(_END_SECONDS * 1000)
    finally:
        os.close(end)
    process.poll()


def kill_process(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all that it started, which could keep its pipes open.

    Until it was waited for, no other group of processes can have its number.
    """
    if process.returncode is None and hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


class LimitedProcess:
    """``python -P -m module MEMORY``, which answers questions, each within a deadline.

    It is started, or one that was ``started_early`` taken, with the first question. After a
    question without a result it is ended, and the next one starts another.

    Args:
        module: a module whose process answers in the frames above.
        memory: bytes of its address space, where the system has such a limit.
    """

    def __init__(self, module: str, memory: int) -> None:
        self._module = module
        self.memory = memory
        self._process: subprocess.Popen[bytes] | None = None

    def answer(
        self, question: list[bytes], seconds: float, result_limit: int
    ) -> tuple[dict[str, Any], bytes]:
        """The JSON map of the reply to the frames of ``question``, and the frame of the result.

        Args:
            question: the frames that it reads.
            seconds: after which it is killed.
            result_limit: bytes of the largest result.

        Raises:
            NoResultError: it died, was killed, or answered in another form.
            ZkwmError: the error that it sent.
        """
        if self._process is None:
            self._process = start_process(self._module, self.memory)
        late = threading.Event()
        try:
            with killed_after(self._process, seconds) as late:
                reply, result = _exchange(self._process, question, result_limit)
            if late.is_set():  # it has been killed since it answered
                self.close()
            return _read_map(reply), result
        except FrameError:
            self.close()
            raise NoResultError(late=late.is_set()) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            stop_process(self._process)
        self._process = None


def run_limited(
    module: str, question: list[bytes], *, memory: int, seconds: float, result_limit: int
) -> tuple[dict[str, Any], bytes]:
    """Ask a process one question: ``LimitedProcess.answer`` of a process that is ended then."""
    with contextlib.closing(LimitedProcess(module, memory)) as process:
        return process.answer(question, seconds, result_limit)


def _exchange(
    process: subprocess.Popen[bytes], question: list[bytes], result_limit: int
) -> tuple[bytes, bytes]:
    """Send the question; return the reply and the result. Raises FrameError or what was sent."""
    if process.stdin is None or process.stdout is None:
        raise FrameError("no pipes")
    for frame in question:
        write_frame(process.stdin, frame)  # type: ignore[arg-type]
    reply = read_frame(process.stdout, _REPLY_LIMIT)  # type: ignore[arg-type]
    if reply[:1] == b"E":
        raise _read_error(reply)
    if reply[:1] != b"R":
        raise FrameError("another reply")
    return reply, read_frame(process.stdout, result_limit)  # type: ignore[arg-type]


def _read_map(reply: bytes) -> dict[str, Any]:
    """The JSON map of a reply. Raises NoResultError."""
    try:
        value = json.loads(reply[1:])
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise NoResultError(late=False)
    return value


def _read_error(reply: bytes) -> ZkwmError:
    """The error that a process sent, of a known class, in printable words.

    Raises NoResultError for one that says nothing.
    """
    value = _read_map(reply)
    kind, message, hint, check = (
        printable(str(value.get(name, "")), 500) for name in ("class", "message", "hint", "check")
    )
    if not message:
        raise NoResultError(late=False)
    return _ERRORS.get(kind, CouldNotCheck)(message, hint=hint, check=check)
