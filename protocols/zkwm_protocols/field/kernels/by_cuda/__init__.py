"""Loops of the field on a GPU, by numba.cuda, from the scalar functions of those by Numba.

::

    launch        is there a GPU; arrays to it and back
    arithmetic    F_p and K on the device: the functions of ``by_numba.arithmetic`` themselves
    transform     number-theoretic transforms of rows
    sums          folds, rounds of products, linear combinations

Off unless ZKWM_KERNELS is ``cuda``. Results are equal bit for bit, which tests hold in CUDA's
simulator; no GPU has run them yet, so nothing is known of their speed. Arrays go to the device and
back at every call.
"""
