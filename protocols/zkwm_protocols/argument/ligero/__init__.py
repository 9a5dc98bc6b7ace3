"""The Ligero commitment to the witness, and the proof of one linear claim about it.

::

    rows              the tableau: every row a polynomial, every polynomial a codeword
      |
    codewords         the encoded tableau, whole or in strips of rows
      |
    column_tree       hashes its columns; the root is the commitment
      |
    messages          one challenge, four combined rows, t opened columns
      |
    linear_claim      the linear constraints as polynomials
      |
    prover, verifier  the two sides

Ames, Hazay, Ishai and Venkitasubramaniam, "Ligero", CCS 2017. The rows are one interleaved
Reed-Solomon code, in the unique-decoding regime. Their tests are here, in one round: of the
interleaved code (``low``), of linear constraints (``dot`` and ``pads``), of quadratic constraints
(``product``). Read ``rows`` first: its docstring draws the tableau. SPEC.md 17.7.
"""
