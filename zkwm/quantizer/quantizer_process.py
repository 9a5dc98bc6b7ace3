"""The process in which foreign files are quantized: its module, its memory, an early start."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from typing import Any

from zkwm.suspects.limited_process import LimitedProcess, started_early

MODULE = "zkwm.quantizer.quantizer_worker"
_BASE_MEMORY = 8 << 30
_PIXELS = 1 << 25
"""Bytes of images for which the base is ample."""
_FILE = 1
"""The frame of a question that is the file's content."""


def quantizer_memory(size: int, pixels: int) -> int:
    """Bytes of address space for a file of ``size`` bytes and images of ``pixels`` bytes."""
    return _BASE_MEMORY + 8 * size + 32 * max(0, pixels - _PIXELS)


def quantizer_started(size: int, pixels: int = 0) -> AbstractContextManager[None]:
    """Start the process of a task before its turn, without a byte of the file.

    Args:
        size: of the file in bytes.
        pixels: of all images of the task together.
    """
    return started_early(MODULE, quantizer_memory(size, pixels))


class QuantizerProcess:
    """A process for the tasks of one file, one after the other, each with limits of its own.

    Quantizing a file and evaluating its layers are work of the same stranger, so that the second
    task trusts what the first one left no more than the file itself. No other file is read there.

    Args:
        memory: bytes of its address space, as ``quantizer_memory`` says.
    """

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self._process = LimitedProcess(MODULE, memory)
        self._file: bytes | None = None

    def answer(
        self, question: list[bytes], seconds: float, result_limit: int
    ) -> tuple[dict[str, Any], bytes]:
        """``LimitedProcess.answer``, for tasks of the file of the first one only.

        Raises ValueError for another file.
        """
        file = hashlib.sha256(question[_FILE]).digest()
        if self._file not in (None, file):
            raise ValueError("a process reads one file only")
        self._file = file
        return self._process.answer(question, seconds, result_limit)

    def close(self) -> None:
        """End the process, if there is one."""
        self._process.close()
