"""A zero-knowledge argument that committed triggers get their labels from a network.

::

    statement    leaf digests, labels, network, threshold k*          public
        |
    relation     cells and lookups of every trigger                   what must hold
        |
    logup_gkr    all lookups are table rows: one sum of fractions,    -> one claim about cells
        |        proven layer by layer
    ligero       a hiding commitment to the cells opens that claim    -> one claim on combined rows
        |
    recursive_opening    that claim, by columns of every fold         -> accept or refuse
        |
    proof        bytes

Read in this order:

1. ``statement``, ``parameters``, ``soundness``, ``layout_choice``, ``fold_choice``: what is proven;
   sizes and soundness, term by term; how a prover chooses them.
2. ``relation``: gadgets, tables, witness. A lookup claims that affine expressions are a table row.
3. ``logup_gkr``: LogUp (Haböck, ePrint 2022/1530) as a fractional sumcheck in GKR form (Papini and
   Haböck, ePrint 2023/1284).
4. ``ligero``: an interleaved Reed-Solomon code, column openings, a low-degree test (Ames, Hazay,
   Ishai, Venkitasubramaniam, CCS 2017). Every message above is one-time padded, and the pads are
   committed as well (as in Longfellow, ePrint 2024/2010).
5. ``recursive_opening``: a linear claim about a long public vector (as in Ligerito, ePrint
   2025/1187).
6. ``transcript``, ``combined_claim``: Fiat-Shamir; what both sides derive from it.
7. ``prover``, ``verifier``: the two sides as a whole. ``proof``: the bytes between them.
8. ``prover_randomness``, ``cost_estimate``: the secret stream; cost beforehand.
9. ``sharding``: the prover with many workers.

The verifier needs NumPy and hashlib. Only the prover reaches compiled code: ``prover``,
``relation.witness``, ``relation.blake2s_witness``, ``logup_gkr`` but for ``.protocol`` and
``.relations``, ``ligero.prover`` and ``.rows``, ``recursive_opening.prover``, ``sharding`` but for
``.crew`` (tests/architecture/test_protocols.py). SPEC.md 17.
"""
