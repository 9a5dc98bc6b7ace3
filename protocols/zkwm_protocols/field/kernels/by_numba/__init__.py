"""The prover's kernels by Numba: for where the library from C is missing, and to test it by.

::

    arithmetic   scalars and lines of elements in Montgomery form
    lines        columns of arrays into lines and back
    sums         binding a bit, round sums, linear combinations
    transform    number-theoretic transforms
"""
