"""The side of a limited process: it reads questions, answers them, and ends with its input.

Frames are those of ``zkwm.suspects.limited_process``.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

from zkwm.suspects.limited_process import SENT
from zkwm.suspects.onnx_frames import FrameError, read_frame, write_frame
from zkwm_protocols.errors import ZkwmError

SELDOM = 50_000
"""Objects made until cyclic garbage is sought."""
_QUESTION_LIMIT = 1 << 32


def serve(
    count: int,
    answered: Callable[[list[bytes]], tuple[dict[str, Any], bytes]],
    *,
    prepare: Callable[[], None] | None = None,
) -> None:
    """Answer questions until the input ends; the process's side of ``LimitedProcess``.

    Args:
        count: the number of frames of a question.
        answered: gives the JSON map and the frame of the result, or raises ZkwmError.
        prepare: what can be done before a frame comes.
    """
    questions, replies = open_frames()
    if prepare is not None:
        prepare()
    while True:  # the thread that reads ends the process
        question = [questions.get() for _ in range(count)]
        try:
            facts, result = answered(question)
        except ZkwmError as error:
            write_frame(replies, _error_frame(error))
        else:
            write_frame(replies, b"R", json.dumps(facts).encode())
            write_frame(replies, result)


def open_frames() -> tuple[queue.SimpleQueue[bytes], BinaryIO]:
    """The frames that this process is sent, and the stream for its replies; nothing else prints.

    The process ends at once when its input ends, even inside a model's loop: nobody else would end
    it when whoever started it is gone. Cyclic garbage is sought seldom: imports leave none.
    """
    gc.set_threshold(SELDOM)
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    questions: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_questions, args=(questions,), daemon=True).start()
    return questions, replies


def _read_questions(questions: queue.SimpleQueue[bytes]) -> None:
    """Queue frames until the input ends, or no memory is left for one; then end the process."""
    stdin = os.fdopen(0, "rb", buffering=0, closefd=False)
    try:
        while True:
            questions.put(read_frame(stdin, _QUESTION_LIMIT))
    except (FrameError, MemoryError):
        os._exit(0)


def _error_frame(error: ZkwmError) -> bytes:
    """The frame of an error."""
    value = {
        "class": next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in SENT),
        "message": error.message[:2000],
        "hint": error.hint[:2000],
        "check": error.check[:100],
    }
    return b"E" + json.dumps(value).encode()
