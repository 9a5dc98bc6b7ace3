"""The kernels from C: the level that this processor runs, and calls with checked arrays.

::

    protocols/c_kernels/*.h, *.c  --(hatch_build.py)-->  c_kernels.so beside this file, or nothing
    plain, avx2, avx512           the same kernels; the processor's best is chosen once, on import
    ZKWM_KERNELS                  a level to use instead, ``numba`` for none, or ``cuda`` for some
                                  loops on a GPU (``by_cuda``) and the others at the best level

Where the library is missing, or of another VERSION, ``LEVEL`` is None and the same kernels are
compiled by Numba; the results are equal bit for bit. Another VERSION, as after an update of an
editable install, is logged by who asks for a proof (``OTHER_VERSION``). C checks nothing: whoever
calls a kernel first checks type, layout and size of every array, by ``words`` and its siblings.
Calls release the GIL.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import UsageError

VERSION = 5
"""Counts changes of any kernel's arguments or meaning; processor.c has the same."""
LEVELS = ("plain", "avx2", "avx512")
"""From what runs everywhere to what needs the most of a processor."""
VARIABLE = "ZKWM_KERNELS"
WITHOUT = "numba"
GPU = "cuda"

_FILE = Path(__file__).with_name("c_kernels.so")
_AnyArray = NDArray[Any]


def _open() -> tuple[ctypes.CDLL | None, int | None]:
    """The library, None where it is missing or of another version, and that version."""
    try:
        library = ctypes.CDLL(str(_FILE))
    except OSError:
        return None, None
    there = int(library.zkwm_kernels_version())
    return (library, None) if there == VERSION else (None, there)


_LIBRARY, OTHER_VERSION = _open()
"""``OTHER_VERSION`` is that of a library that does not fit these sources, else None."""


def available() -> tuple[str, ...]:
    """The levels that this processor runs, the fastest last; none without the library."""
    if _LIBRARY is None:
        return ()
    return LEVELS[: int(_LIBRARY.zkwm_processor_level()) + 1]


def _choose() -> str | None:
    """The level to run: the best, or what the environment names.

    Raises:
        UsageError: the environment names a level that is not there.
    """
    levels = available()
    wish = os.environ.get(VARIABLE, "")
    if wish in ("", GPU):
        return levels[-1] if levels else None
    if wish == WITHOUT:
        return None
    if wish not in levels:
        names = ", ".join((WITHOUT, GPU, *levels))
        raise UsageError(
            f"{VARIABLE}={wish}: no such kernels here", hint=f"Set {VARIABLE} to one of {names}."
        )
    return wish


LEVEL = _choose()
"""The level of this process, None for Numba."""
ON_GPU = os.environ.get(VARIABLE) == GPU
"""Whether loops run on a GPU where there are such."""

_functions: dict[str, Callable[..., None]] = {}
_level = LEVEL


@contextmanager
def at_level(level: str) -> Iterator[None]:
    """Run kernels from C at another level of ``available()``, for tests; not for threads."""
    global _level
    before, _level = _level, level
    _functions.clear()
    try:
        yield
    finally:
        _level = before
        _functions.clear()


def call(name: str, *arguments: int) -> None:
    """Call a kernel with integers and addresses, all of 64 bits, as its C declaration has them."""
    function = _functions.get(name)
    if function is None:
        function = getattr(_LIBRARY, f"zkwm_{name}_{_level}")
        function.argtypes = [ctypes.c_int64] * len(arguments)
        function.restype = None
        _functions[name] = function
    function(*arguments)


def words(array: _AnyArray, *shape: int | None, dtype: type = np.uint32, out: bool = False) -> int:
    """The address of an array's first element, for ``call``.

    Args:
        array: of ``dtype``, C-contiguous, aligned to its elements.
        shape: what its shape must be; None for any length.
        dtype: of its elements.
        out: whether it is written.

    Raises:
        UsageError: another type, layout or shape.
    """
    flags = array.flags
    if (
        array.dtype != dtype
        or not flags.c_contiguous
        or not flags.aligned
        or (out and not flags.writeable)
        or len(shape) != array.ndim
        or any(want not in (None, have) for want, have in zip(shape, array.shape, strict=True))
    ):
        raise UsageError(
            f"a kernel's array: expected {np.dtype(dtype)} {shape}, contiguous, "
            f"got {array.dtype} {array.shape}"
        )
    return int(array.__array_interface__["data"][0])


def require(condition: bool, what: str) -> None:
    """Raise UsageError unless a kernel's sizes fit each other."""
    if not condition:
        raise UsageError(f"a kernel's sizes do not fit: {what}")
