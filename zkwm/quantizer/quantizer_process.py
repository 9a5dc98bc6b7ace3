"""The process in which foreign files are quantized: its module, its memory, an early start."""

from __future__ import annotations

from contextlib import AbstractContextManager

from zkwm.suspects.limited_process import started_early

MODULE = "zkwm.quantizer.quantizer_worker"
_BASE_MEMORY = 8 << 30


def quantizer_memory(size: int, pixels: int) -> int:
    """Bytes of address space for a file of ``size`` bytes and images of ``pixels`` bytes."""
    return _BASE_MEMORY + 8 * size + 32 * pixels


def quantizer_started(size: int, pixels: int = 0) -> AbstractContextManager[None]:
    """Start the process of a task before its turn, without a byte of the file.

    Args:
        size: of the file in bytes.
        pixels: of all images of the task together.
    """
    return started_early(MODULE, quantizer_memory(size, pixels))
