"""What a process with foreign work gives up before it reads a byte of it.

On a system without limits of memory (Windows, macOS) only the deadline of the parent process holds,
and whoever starts such a process is warned.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path


class NoLimitsWarning(UserWarning):
    """This system sets no limits of memory to a process."""


def warn_without_limits() -> None:
    """Warn (NoLimitsWarning) where a process with foreign work will only have a deadline."""
    if find_spec("resource") is None or sys.platform == "darwin":
        warnings.warn(
            "this system does not limit the memory of a process: a hostile file may take all of "
            "it; examine files of strangers on Linux",
            NoLimitsWarning,
            stacklevel=2,
        )


def limit_resources(memory: int) -> None:
    """Bound address space to ``memory`` bytes; no core files, no written files."""
    try:
        import resource
    except ImportError:
        return
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        try:
            resource.setrlimit(kind, (limit, limit))
        except (OSError, ValueError):
            continue


def mapped_memory() -> int:
    """Bytes of address space that this process has now; 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
