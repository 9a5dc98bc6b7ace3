"""The field of the argument: KoalaBear, p = 2^31 - 2^24 + 1, and its quintic extension K.

SPEC.md 17.2. ``scalar`` has single elements of K as tuples of Python integers, ``vector`` arrays of
elements for NumPy (the verifier needs no more), ``compiled`` the prover's kernels for Numba. Only
the prover imports ``compiled``.
"""
