"""The owner: commit, see what an answer would disclose, answer a challenge.

Secrets and the ledger are in ``zkwm.owner.vault``. Nothing is exported here, since ``commit`` and
``prove`` are names of modules and of functions.
"""
