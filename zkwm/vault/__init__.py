"""Secrets on disk: the owner's vault, the judge's key, and the encrypted file under both."""

from zkwm.vault.encrypted import DEFAULT_COST, Cost
from zkwm.vault.judge_key import JudgeKey, create_judge_key, open_judge_key, read_judge_public
from zkwm.vault.ledger import ArgumentEntry, LedgerEntry
from zkwm.vault.state import CommitmentSecrets, VaultState
from zkwm.vault.vault import Vault

__all__ = [
    "DEFAULT_COST",
    "ArgumentEntry",
    "CommitmentSecrets",
    "Cost",
    "JudgeKey",
    "LedgerEntry",
    "Vault",
    "VaultState",
    "create_judge_key",
    "open_judge_key",
    "read_judge_public",
]
