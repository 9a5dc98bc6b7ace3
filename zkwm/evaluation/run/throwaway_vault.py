"""The throwaway vault and commitment of a mark, kept so that a run can resume.

The keys are throwaway ones: the passphrase stands here, and what these vaults hold is worth nothing
outside the experiment. An owner's vault is ``zkwm.owner.vault``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zkwm.files import read_limited, write_atomic
from zkwm.owner.vault import Vault
from zkwm.secret_files.encrypted import Cost
from zkwm_protocols.commitment import FILE_LIMIT, Commitment

PASSPHRASE = "an experiment, not a secret"  # noqa: S105
CHEAP = Cost(operations=1, memory_kib=8 * 1024)
VAULT, COMMITMENT = "experiment.vault", "experiment.commitment"


def experiment_vault(folder: Path) -> Vault:
    """The vault in a folder, created where there is none."""
    path = folder / VAULT
    if path.exists():
        return Vault.open(path, PASSPHRASE)
    return Vault.create(path, PASSPHRASE, cost=CHEAP)


def experiment_commitment(folder: Path, make: Callable[[], Commitment]) -> Commitment:
    """The commitment in a folder, made and stored where there is none."""
    path = folder / COMMITMENT
    if path.exists():
        return Commitment.from_bytes(read_limited(path, FILE_LIMIT))
    commitment = make()
    write_atomic(path, commitment.to_bytes(), overwrite=True)
    return commitment
