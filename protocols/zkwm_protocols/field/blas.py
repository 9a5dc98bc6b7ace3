"""Matrix products on one thread each, and several at a time.

NumPy's BLAS starts as many threads as there are cores, and each waits by spinning: on a busy
machine a product of a tenth of a millisecond takes a hundred times as long. So BLAS gets one
thread while zkwm multiplies, and large jobs are cut into parts, each in a thread of its own.

The number of BLAS's threads belongs to the whole process. The first thread that limits it puts it
back when it is done (threadpoolctl); what others still multiply is then slower, and no other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

Part = TypeVar("Part")


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    """The BLAS that NumPy has loaded."""
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS multiplies in the calling thread only, in all threads of this process, until the end."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


def matrix_product(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """``left @ right`` on one thread."""
    with one_blas_thread():
        product: NDArray[np.float64] = left @ right
    return product


def in_threads(task: Callable[[Part], None], parts: Iterable[Part]) -> None:
    """Call ``task`` with every part, as many at a time as this process has cores.

    Each writes what belongs to its part alone. An exception of a task is raised here.
    """
    todo = list(parts)
    threads = min(len(todo), cores())
    with one_blas_thread():
        if threads <= 1:
            for part in todo:
                task(part)
            return
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(task, todo):
                pass


def cores() -> int:
    """The cores of this process; the environment variable NUMBA_NUM_THREADS overrides it."""
    wish = os.environ.get("NUMBA_NUM_THREADS", "")
    if wish.isdecimal() and int(wish):
        return int(wish)
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
