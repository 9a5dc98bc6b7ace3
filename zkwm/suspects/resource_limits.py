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


def memory_left() -> int | None:
    """Bytes that this process can still take; None where the system does not tell.

    The least of what is available, what the group of processes (a container) has left, and what
    address space the process has left.
    """
    fields = _read("/proc/meminfo").split()
    if "MemAvailable:" not in fields:
        return None
    left = [int(fields[fields.index("MemAvailable:") + 1]) * 1024]
    most, used = (_read(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    if most.isdigit() and used.isdigit():
        left.append(int(most) - int(used))
    limit = _address_space()
    if limit is not None:
        left.append(limit - mapped_memory())
    return max(0, min(left))


def _address_space() -> int | None:
    """The limit of this process's address space in bytes, None where it has none."""
    try:
        import resource
    except ImportError:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _read(name: str) -> str:
    """The text of a file of the system's; empty where there is none."""
    try:
        return Path(name).read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
