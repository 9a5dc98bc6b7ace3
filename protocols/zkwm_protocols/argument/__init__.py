"""The zero-knowledge argument: knowledge of all openings, and at least k* matches (SPEC.md 17).

| module | what it is |
|---|---|
| ``statement``, ``proof`` | what is proven; its bytes |
| ``parameters`` | sizes and proven soundness, term by term |
| ``transcript``, ``interaction`` | Fiat-Shamir; challenges and relations that both sides share |
| ``tables``, ``part``, ``relation`` and the parts | cells and lookups of one trigger |
| ``claims``, ``column_tree``, ``opening_check`` | the commitment, as the verifier sees it |
| ``verifier`` | accepts or raises; NumPy and hashlib only |
| ``witness``, ``leaf_witness``, ``randomness`` | the owner's secrets and masks |
| ``tree_prover``, ``committed_rows``, ``witness_commitment``, ``prover`` | the proof; Numba |
| ``estimate`` | what a proof costs |
"""
