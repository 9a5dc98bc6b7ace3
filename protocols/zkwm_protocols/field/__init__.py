"""The field of the argument: KoalaBear, p = 2^31 - 2^24 + 1, and its quintic extension K.

::

    scalar       one element of K: a tuple of five Python integers       both sides
    vector       arrays of elements, NumPy                               both sides
    polynomial   values and coefficients of polynomials, NumPy           both sides
    kernels/     the same in Montgomery form, compiled by Numba          the prover alone

K = F_p[X] / (X^5 + X^2 - 1) has about 2^155 elements, enough for 120 bits of soundness with one
challenge each; p - 1 is a multiple of 2^24, so that Reed-Solomon codes have fast transforms.
SPEC.md 17.2.
"""
