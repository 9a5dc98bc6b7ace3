"""The owner's vault: keys, the secrets of commitments, and the ledger, in one encrypted file."""

from zkwm.owner.vault.ledger import ArgumentEntry, LedgerEntry, OlderCopyEntry
from zkwm.owner.vault.state import CommitmentSecrets, VaultState
from zkwm.owner.vault.vault import Vault

__all__ = [
    "ArgumentEntry",
    "CommitmentSecrets",
    "LedgerEntry",
    "OlderCopyEntry",
    "Vault",
    "VaultState",
]
