"""LogUp by GKR: every lookup is a fraction, and their sum is proven layer by layer.

::

    sum over lookups of 1 / (1 + d)  =  sum over table rows of multiplicity / (1 + d)

    d = beta - f,   f = tag + alpha v_1 + alpha^2 v_2 + ...      the fingerprint of the values

If that holds for random alpha and beta, every lookup is a table row, but for the probability that
SPEC.md 17.9 calls "look-ups" (LogUp, Haböck, ePrint 2022/1530). All fractions are the leaves of a
binary tree of sums; each layer is reduced to the next by a fractional sumcheck, as in GKR (Papini
and Haböck, ePrint 2023/1284), down to one claim about the leaves, and by the gradient of the
lookups to one claim about cells.

``protocol`` is what both sides share; read it first, then ``relations``, in whose forms it writes
down what has to hold. ``prover`` builds the tree of ``blocks`` of nodes; ``level`` computes the
messages of one of its levels, with ``bound_rows`` for any numerators, ``unit_fractions`` for leaves
with numerators 1, and the ``round_weights`` of both. ``layer_kernels``, ``kernels``,
``unit_kernels`` and ``node_lines`` are compiled loops. SPEC.md 17.5, 17.6.
"""
