"""Run one piece of foreign work in a process with a deadline, and read its reply as a stranger's.

Frames (``zkwm.suspects.onnx_frames``) go both ways, never pickles. The process's first frame is
``R`` and JSON, followed by the frames of the result, or ``E`` and JSON: the class, message, hint
and check of an error of zkwm. ``zkwm.suspects.resource_limits`` is the process's own side.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from zkwm.suspects.onnx_frames import FrameError, read_frame, write_frame
from zkwm.suspects.onnx_process import worker_environment
from zkwm.suspects.suspect import printable
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
_ERRORS: dict[str, type[ZkwmError]] = {
    kind.__name__: kind
    for kind in (
        CouldNotCheck, InvalidOpening, Malformed, SuspectUnusable, Unsupported, UsageError
    )
}  # fmt: skip


class NoResultError(Exception):
    """The process gave no result; ``late`` tells whether it was ended at its deadline."""

    def __init__(self, *, late: bool) -> None:
        super().__init__("late" if late else "ended")
        self.late = late


def run_limited(
    module: str, question: list[bytes], *, memory: int, seconds: float, result_limit: int
) -> tuple[dict[str, Any], bytes]:
    """Run ``python -P -m module MEMORY`` on the frames of ``question``.

    Args:
        module: a module whose process answers in the frames above.
        question: the frames that it reads.
        memory: bytes of its address space, where the system has such a limit.
        seconds: after which it is killed.
        result_limit: bytes of the largest result.

    Returns:
        The JSON map of the reply, and the frame of the result.

    Raises:
        NoResultError: it died, was killed, or answered in another form.
        ZkwmError: the error that it sent.
    """
    process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-P", "-m", module, str(memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=worker_environment(),
        cwd=Path(sys.executable).anchor,
        start_new_session=True,
    )
    late = threading.Event()

    def expire() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        reply, result = _exchange(process, question, result_limit)
    except FrameError:
        raise NoResultError(late=late.is_set()) from None
    finally:
        timer.cancel()
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()
    return _read_map(reply), result


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
    """The error that a process sent, of a known class, in printable words."""
    value = _read_map(reply)
    kind, message, hint, check = (
        printable(str(value.get(name, "")), 500) for name in ("class", "message", "hint", "check")
    )
    return _ERRORS.get(kind, CouldNotCheck)(message, hint=hint, check=check)


def error_frame(error: ZkwmError) -> bytes:
    """The frame of an error; the process's side of ``run_limited``."""
    value = {
        "class": type(error).__name__,
        "message": error.message[:2000],
        "hint": error.hint[:2000],
        "check": error.check[:100],
    }
    return b"E" + json.dumps(value).encode()
