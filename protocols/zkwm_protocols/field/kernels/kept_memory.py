"""Keep freed memory in the process during a proof: a third of a prover's time was page faults.

glibc gives large blocks back to the system when they are freed, and gets new ones page by page,
zeroed. A proof frees and allocates arrays of the same sizes in every round. Inside of ``kept`` they
come from the heap, which is not trimmed; behind it, all free memory goes back. Elsewhere than on
glibc nothing happens.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# parameters of mallopt, malloc.h; its values are ints
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_NEVER = -1
_INSIDE = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, 64 << 20))
# what glibc's own rule, which ends with the first call of mallopt, arrives at in such a process
_OUTSIDE = (
    (_MMAP_MAX, 65536),
    (_MMAP_THRESHOLD, 32 << 20),
    (_TRIM_THRESHOLD, 64 << 20),
    (_TOP_PAD, 128 << 10),
)
_HUGE_PAGE = 2 << 20
_MADV_HUGEPAGE = 14

_lock = threading.Lock()
_users = 0


def _libc() -> ctypes.CDLL | None:
    """The process's C library if it is glibc."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return None
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return library


@contextmanager
def kept(expected: int = 0) -> Iterator[None]:
    """Keep freed memory until the last of those who are inside leaves.

    Args:
        expected: bytes that will be needed at the same time, about: the heap is grown by them at
            once and made of huge pages where the system has them. No page of it is touched here.
    """
    global _users
    library = _libc()
    if library is None:
        yield
        return
    with _lock:
        _users += 1
        if _users == 1:
            for parameter, value in _INSIDE:
                library.mallopt(parameter, value)
            _grow(library, expected)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                for parameter, value in _OUTSIDE:
                    library.mallopt(parameter, value)
                library.malloc_trim(0)


def _grow(library: ctypes.CDLL, expected: int) -> None:
    """Grow the heap, which is not trimmed, by a block that is freed at once."""
    if expected < 4 * _HUGE_PAGE:
        return
    block = library.malloc(expected)
    if block is None:
        return  # the system refuses so much at once: it grows by and by
    first = -(-block // _HUGE_PAGE) * _HUGE_PAGE
    end = (block + expected) // _HUGE_PAGE * _HUGE_PAGE
    library.madvise(first, end - first, _MADV_HUGEPAGE)
    library.free(block)
