"""Arithmetic of F_p and K on the GPU: the scalar functions of the kernels by Numba, compiled anew.

There is one text of each, in ``by_numba.arithmetic``; here it is only bound to the compiled
functions that it calls. Products of two residues fit into 64 bits, so that no high half of a
product of 64 bits is needed. An element of K is a tuple of five residues.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from zkwm_protocols.field.kernels.by_cuda.launch import device_function
from zkwm_protocols.field.kernels.by_numba import arithmetic

_NAMES = ("add", "subtract", "saturate", "reduce", "product", "_sum_of_five", "quintic_product")
"""Each calls only those before it."""


@device_function
def least(a, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The smaller of two numbers; Numba's ``min`` of two does not compile for CUDA everywhere."""
    return a if a < b else b


def _on_the_device() -> dict[str, Callable[..., Any]]:
    """The functions by their names, for kernels."""
    scope = dict(vars(arithmetic)) | {"min": least}
    for name in _NAMES:
        plain = scope[name].py_func
        scope[name] = device_function(FunctionType(plain.__code__, scope, name))
    return scope


_FUNCTIONS = _on_the_device()
add = _FUNCTIONS["add"]
subtract = _FUNCTIONS["subtract"]
product = _FUNCTIONS["product"]
_quintic_product = _FUNCTIONS["quintic_product"]

ZERO = (np.uint32(0),) * 5
"""0 in K."""


@device_function
def load(arrays, which, column):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """An element of ``arrays`` (number, 5, columns)."""
    return (
        arrays[which, 0, column], arrays[which, 1, column], arrays[which, 2, column],
        arrays[which, 3, column], arrays[which, 4, column],
    )  # fmt: skip


@device_function
def store(arrays, which, column, a):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write an element of ``arrays`` (number, 5, columns)."""
    for k in range(5):
        arrays[which, k, column] = a[k]


@device_function
def plus(a, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """a + b in K."""
    return (
        add(a[0], b[0]), add(a[1], b[1]), add(a[2], b[2]), add(a[3], b[3]), add(a[4], b[4])
    )  # fmt: skip


@device_function
def minus(a, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """a - b in K."""
    return (
        subtract(a[0], b[0]), subtract(a[1], b[1]), subtract(a[2], b[2]), subtract(a[3], b[3]),
        subtract(a[4], b[4]),
    )  # fmt: skip


@device_function
def times(a, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """a b in K, all in Montgomery form."""
    return _quintic_product(a[0], a[1], a[2], a[3], a[4], b[0], b[1], b[2], b[3], b[4])


@device_function
def bind(low, high, r):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """low + r (high - low) in K."""
    return plus(low, times(r, minus(high, low)))
