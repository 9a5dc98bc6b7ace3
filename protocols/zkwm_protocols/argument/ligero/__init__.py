"""The Ligero commitment to the witness, and the proof of one linear claim about it.

::

    rows        the tableau: every row a polynomial, every polynomial a Reed-Solomon codeword
      |
    column_tree hash the columns of the encoded tableau; the root is the commitment
      |
    messages    one challenge, four combined rows, t opened columns
      |
    linear_claim    what the dot test proves, as polynomials
      |
    prover, verifier

Ames, Hazay, Ishai and Venkitasubramaniam, "Ligero", CCS 2017: an interleaved Reed-Solomon code, in
the unique-decoding regime. Read ``rows`` first: its docstring draws the tableau. SPEC.md 17.7.
"""
