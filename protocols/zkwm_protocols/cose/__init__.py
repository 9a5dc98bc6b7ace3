"""COSE: signed statements that go into a log, and receipts that come out of it.

SPEC.md 23.9 to 23.14. The house's CBOR has text keys and no tags; COSE has integer keys and one
tag. So it has a decoder of its own, as strict, and known labels alone. Read in this order:

- ``cbor``: deterministic CBOR with integer keys and tag 18 (RFC 8949, 4.2.1).
- ``sign1``: COSE_Sign1 by keys of zkwm or of a log (RFC 9052).
- ``contents``: what can be stated: a commitment, a verdict, spent blocks, a dispute.
- ``key_contents``: what can be stated about keys.
- ``public_key``: the key that a statement carries.
- ``statement``: a statement with its issuer and signature: the entry of a log (RFC 9943).
- ``receipt``: the log's proof that it took the statement (RFC 9942).
- ``logged_statement``: a statement with its ``.tlog-proof``, for a commitment's file.
"""
