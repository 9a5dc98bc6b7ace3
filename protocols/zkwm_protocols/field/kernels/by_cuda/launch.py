"""Kernels on the GPU: whether there is one, functions for it, and arrays to it and back.

One kernel at a time: callers on several threads wait. Of the GPU that is current, and its default
stream.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import UsageError

try:
    from numba import cuda as _cuda
except ImportError as error:
    raise UsageError(
        f"ZKWM_KERNELS=cuda: {error}", hint="Install the extra: pip install 'zkwm[cuda]'."
    ) from error

cuda: Any = _cuda
"""What kernels name; the simulator puts its own in its place."""
THREADS = 64
"""Of a block."""

_TURN = threading.Lock()
_AnyArray = NDArray[Any]


def require_device() -> None:
    """Nothing where a GPU is at hand, or the simulator instead of one.

    Raises:
        UsageError: no GPU, or no driver.
    """
    if not cuda.is_available():
        raise UsageError(
            "ZKWM_KERNELS=cuda: no GPU, or no driver for it", hint="Unset ZKWM_KERNELS."
        )


def device_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, to be called by kernels.

    In the simulator it must not name ``cuda``, unless it stands beside the kernel that calls it.
    """
    compiled: Callable[..., Any] = cuda.jit(device=True)(function)
    return compiled


def kernel(function: Callable[..., None]) -> Any:  # noqa: ANN401
    """The function as a kernel, for ``Session.run``."""
    return cuda.jit(function)


class Session:
    """Some kernels on arrays that stay on the device: a context, one at a time in a process."""

    def __enter__(self) -> Session:
        """Wait for one's turn."""
        _TURN.acquire()
        return self

    def __exit__(self, *problem: object) -> None:
        """The next one's turn."""
        _TURN.release()

    def send(self, array: _AnyArray) -> Any:  # noqa: ANN401
        """A copy on the device, C-contiguous."""
        return cuda.to_device(np.ascontiguousarray(array))

    def make(self, *shape: int) -> Any:  # noqa: ANN401
        """An array of uint32 on the device, not filled."""
        return cuda.device_array(shape, dtype=np.uint32)

    def run(self, kernel: Any, threads: int, *arguments: object) -> None:  # noqa: ANN401
        """Start a kernel with at least so many threads, in whole blocks; none for 0."""
        if threads:
            kernel[-(-threads // THREADS), THREADS](*arguments)

    def fetch(self, array: Any, out: _AnyArray) -> None:  # noqa: ANN401
        """Back into ``out``, of the same shape and type; strided is allowed."""
        out[...] = array.copy_to_host()
