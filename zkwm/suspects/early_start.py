"""Start the process for a suspect before it is the suspect's turn.

Starting Python and importing ONNX Runtime takes longer than most small models take to answer, and
depends on nothing that a party chose. The process gets no byte of the suspect here.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from zkwm.suspects.limited_process import started_early
from zkwm.suspects.limits import OnnxLimits
from zkwm.suspects.onnx_process import MODULE, process_memory


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
    return started_early(MODULE, process_memory(size, limits or OnnxLimits()))
