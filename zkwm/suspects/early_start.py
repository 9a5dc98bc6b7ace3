"""Start the process for a suspect before it is the suspect's turn.

Starting Python and importing ONNX Runtime takes longer than most small models take to answer, and
depends on nothing that a party chose. The process gets no byte of the suspect here. This module
imports little, so that a command can start the process first and import meanwhile.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from zkwm.suspects.limited_process import started_early

if TYPE_CHECKING:
    from zkwm.suspects.limits import OnnxLimits

MODULE = "zkwm.suspects.onnx_worker"
_BASE_MEMORY = 2 << 30


def process_memory(size: int, limits: OnnxLimits | None) -> int:
    """Bytes of address space: what the limits say, or 2 GiB and four times ``size`` bytes."""
    return (limits and limits.memory_bytes) or _BASE_MEMORY + 4 * size


def started_for(
    location: str | Path, limits: OnnxLimits | None = None
) -> AbstractContextManager[None]:
    """Start what ``open_suspect`` will start for an ONNX file; nothing for other suspects.

    Args:
        location: of the suspect, by which its kind and the file's size are told.
        limits: as for ``open_suspect``. A file that needs another limit of memory, for weights in
            other files, gets another process.
    """
    path = Path(location)
    try:
        if path.suffix.lower() != ".onnx" or not path.is_file():
            return nullcontext()
        size = path.stat().st_size
    except (OSError, ValueError):
        return nullcontext()
    return started_early(MODULE, process_memory(size, limits))
