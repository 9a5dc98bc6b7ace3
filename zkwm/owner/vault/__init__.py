"""The owner's secrets on disk: keys, commitments' salts and images, and what was released."""

from zkwm.owner.vault.ledger import ArgumentEntry, LedgerEntry
from zkwm.owner.vault.state import CommitmentSecrets, VaultState
from zkwm.owner.vault.vault import Vault

__all__ = ["ArgumentEntry", "CommitmentSecrets", "LedgerEntry", "Vault", "VaultState"]
