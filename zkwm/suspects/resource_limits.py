"""What a process with foreign work gives up before it reads a byte of it.

On a system without such limits (Windows) only the deadline of the parent process holds.
"""

from __future__ import annotations


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
