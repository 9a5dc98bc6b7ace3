"""A transparency log as bytes: tree, tiles, signed trees, and what a judge trusts (SPEC.md 23).

Nothing of our own where a standard exists: RFC 9162 hashing, and the C2SP documents for all that is
served, signed and handed on. No files, sockets or clocks: a log, a witness and a client are built
on this. Read in this order:

- ``tree``: heads, inclusion and consistency proofs, made from stored hashes and verified.
- ``tiles``: how the hashes and entries are cut into files (C2SP tlog-tiles).
- ``note``, ``note_keys``: texts with signature lines, and the keys that sign them (C2SP
  signed-note, tlog-cosignature).
- ``checkpoint``: a signed head of a tree (C2SP tlog-checkpoint).
- ``proof_file``: one entry, proven offline (C2SP tlog-proof).
- ``policy``: which logs and witnesses are trusted, and how many (C2SP tlog-policy).
- ``witness``: what log and witness say to each other (C2SP tlog-witness).
- ``equivocation``: two signed trees that cannot both be true.
"""
