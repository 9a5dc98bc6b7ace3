"""Compiled kernels on all cores: a range of independent tasks is cut among threads.

Kernels release the GIL, and each writes only what belongs to its own tasks. Small jobs stay in the
calling thread: on a busy machine a thread costs more than a millisecond. Plain threads instead of
Numba's: its threading layer would change the number of threads of torch in the same process.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from zkwm_protocols.field.blas import cores

_PIECES_PER_THREAD = 4
_WORK_PER_THREAD = 50_000
"""Products in K; half a millisecond of work."""


_THREADS = cores()
Kernel = Callable[..., None]


def at_once(kernel: Kernel) -> Kernel:
    """Mark a kernel as one that is called once for all tasks, as those on a GPU are."""
    kernel.__dict__["at_once"] = True
    return kernel


def run_tasks(kernel: Kernel, count: int, *arguments: object, work: int) -> None:
    """Call ``kernel(first, last, *arguments)`` for ranges that make up 0 .. count - 1.

    Args:
        kernel: a compiled function that releases the GIL.
        count: the number of tasks.
        arguments: handed on to every call.
        work: the total work, in products in K, approximately.

    An exception of a kernel is raised here.
    """
    threads = min(_THREADS, count, work // _WORK_PER_THREAD)
    if threads <= 1 or "at_once" in getattr(kernel, "__dict__", ()):
        kernel(0, count, *arguments)
        return
    pieces = min(count, threads * _PIECES_PER_THREAD)
    bounds = [count * i // pieces for i in range(pieces + 1)]
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(kernel, first, last, *arguments) for first, last in pairwise(bounds)]
    for future in futures:
        future.result()
