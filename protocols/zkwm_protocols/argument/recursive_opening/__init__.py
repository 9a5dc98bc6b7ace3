"""A short proof of one linear claim <w, v> = s about a long public vector v over K.

::

    v (m = F 2^B elements)   w: sums of powers of code points, and single entries
      |
    fold 1    rows (bits 0 .. a-1 of an index say which) -> codewords -> tree of columns -> root
      |       sumcheck over these bits: v becomes v' = the rows, weighted with eq(r, .)
    fold 2    root of v'; then columns of v are opened: each is a claim on v', joined to the rest
      |
     ...
    last      F elements in clear; the columns before; <w, last> = s is the only equation

Read ``sizes`` first (lengths, limits, soundness), then ``weights`` (what w is, and how a verifier
never builds it), ``protocol`` (challenges and claims, driven by both sides), ``messages``,
``prover`` and ``verifier``.

The model is Ligerito (Novakovic and Angeris, ePrint 2025/1187), here with Reed-Solomon codes in the
unique-decoding regime. Nothing is hidden: v is masked by the commitment that it answers for
(``ligero``). SPEC.md 17.11.
"""
