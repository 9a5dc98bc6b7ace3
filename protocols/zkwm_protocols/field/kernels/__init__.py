"""Compiled field arithmetic for the prover; the verifier never imports it.

::

    layout               Montgomery form, lines, tasks
    native               kernels from C: their library, and the level that this processor runs
    native_kernels       their calls, with checked sizes
    montgomery           scalars and lines of elements in Montgomery form
    ntt                  number-theoretic transforms: codewords, interpolation, products
    linear_combination   sums of many rows with weights in K
    sumcheck             folding arrays, and the whole prover of a sumcheck over products
    threads              a range of tasks over all cores
"""
