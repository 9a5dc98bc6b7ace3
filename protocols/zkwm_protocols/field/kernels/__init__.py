"""Compiled field arithmetic for the prover; the verifier never imports it.

::

    montgomery           conversions, equality tables
    ntt                  number-theoretic transforms: codewords, interpolation, products
    linear_combination   sums of many rows with weights in K
    sumcheck             folding arrays, and the whole prover of a sumcheck over products
    layout               Montgomery form, lines, tasks
    threads              a range of tasks over all cores
    kept_memory          freed memory stays in the process during a proof

    loops                the loops of the above: from C where the library is there, else by Numba
    native               the library from C, and the level that this processor runs
    native_kernels       its calls, with checked sizes
    native_transform     the same for transforms
    by_numba/            the same loops compiled by Numba
    by_cuda/             most of them on a GPU, if ZKWM_KERNELS is ``cuda``
"""
