"""What is in a vault, without its secrets: commitments, what was released of them, known judges."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from zkwm.owner.openings_left import disputes_left
from zkwm.owner.shared_images import shared_images
from zkwm.owner.spent_blocks import spent_blocks
from zkwm.owner.vault import ArgumentEntry, LedgerEntry, OlderCopyEntry, Vault, VaultState
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.logged_statement import LoggedStatement


@dataclass(frozen=True)
class CommitmentOverview:
    """One commitment of a vault, and what was released of it.

    Args:
        commitment: the public document.
        family: the trigger family, or ``given``.
        created: when it was made, by the owner's clock, in seconds since 1970; None where an
            earlier release made it. No evidence of a date: a clock can be set.
        spent: the blocks that serve no more, ascending.
        disputes: the openings that the unspent blocks are enough for, at most.
        openings: what was opened, to whom and when.
        arguments: the bits that answers in zero knowledge told, one each.
        shares: how many of its images another commitment of the vault has too, by its digest.
    """

    commitment: Commitment
    family: str
    created: int | None
    spent: tuple[int, ...]
    disputes: int
    openings: tuple[LedgerEntry, ...]
    arguments: tuple[ArgumentEntry, ...]
    shares: dict[bytes, int]

    @property
    def unspent(self) -> int:
        """The blocks that are left."""
        return self.commitment.header.block_count - len(self.spent)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        header = self.commitment.header
        return {
            "digest": self.commitment.digest.hex(),
            "kind": header.kind.value,
            "family": self.family,
            "created": self.created,
            "timestamps": len(self.commitment.timestamps),
            "triggers": header.leaf_count,
            "blocks": header.block_count,
            "block_size": header.block_size,
            "classes": header.class_count,
            "shape": list(header.shape),
            "label_mode": header.label_mode.value,
            "blocks_spent": list(self.spent),
            "disputes": self.disputes,
            "openings": [_answer(entry) for entry in self.openings],
            "arguments": [
                {
                    **_answer(entry),
                    "outcome": entry.outcome.value,
                    "network": entry.network_digest.hex(),
                    "least_matches": entry.least_matches,
                }
                for entry in self.arguments
            ],
            "log_entries": [_entry(proof) for proof in self.commitment.log_proofs],
            "shared_images": {digest.hex(): count for digest, count in self.shares.items()},
        }


@dataclass(frozen=True)
class VaultOverview:
    """A vault without its secrets.

    Args:
        fingerprint: of the owner's key.
        algorithm: of the owner's key.
        commitments: in the order in which they were made.
        trusted_judges: the fingerprints of judges that the owner confirmed.
        older_copies: when an older copy of the vault was accepted; what was released between is
            unknown.
        notice: what the owner should know about this copy; empty where all is well.
    """

    fingerprint: str
    algorithm: str
    commitments: tuple[CommitmentOverview, ...]
    trusted_judges: tuple[str, ...]
    older_copies: tuple[OlderCopyEntry, ...]
    notice: str

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "fingerprint": self.fingerprint,
            "algorithm": self.algorithm,
            "commitments": [one.to_json() for one in self.commitments],
            "trusted_judges": list(self.trusted_judges),
            "older_copies": [entry.recorded for entry in self.older_copies],
            "notice": self.notice,
        }


def overview(vault: Vault) -> VaultOverview:
    """What is in a vault, as it is on disk now; nothing is written. Raises VaultUnusable."""
    state = vault.look()
    public = state.signing_key.public
    return VaultOverview(
        fingerprint=public.fingerprint(),
        algorithm=public.algorithm,
        commitments=tuple(_commitment(state, digest) for digest in state.commitments),
        trusted_judges=tuple(state.trusted_judges),
        older_copies=tuple(state.older_copies()),
        notice=vault.notice,
    )


def _commitment(state: VaultState, digest: bytes) -> CommitmentOverview:
    """The overview of one commitment."""
    kept = state.commitments[digest]
    commitment = Commitment.from_bytes(kept.commitment_file)
    spent = spent_blocks(state, commitment)
    return CommitmentOverview(
        commitment=commitment,
        family=kept.family,
        created=kept.created,
        spent=tuple(sorted(spent)),
        disputes=disputes_left(commitment, commitment.header.block_count - len(spent)),
        openings=tuple(one for one in state.openings() if one.commitment_digest == digest),
        arguments=tuple(state.arguments(digest)),
        shares=shared_images(state, commitment),
    )


def _entry(proof: LoggedStatement) -> dict[str, Any]:
    """An entry of a log, as JSON values."""
    checkpoint = proof.proof.checkpoint.checkpoint
    statement = hashlib.sha256(proof.statement.to_bytes()).hexdigest()
    return {"log": checkpoint.origin, "index": proof.proof.index, "statement": statement}


def _answer(entry: LedgerEntry | ArgumentEntry) -> dict[str, Any]:
    """What every answer records, as JSON values."""
    return {
        "recorded": entry.recorded,
        "judge": entry.judge_fingerprint,
        "suspect": entry.suspect_description,
        "suspect_digest": entry.suspect_digest.hex(),
        "purpose": entry.purpose,
        "challenge": entry.challenge_digest.hex(),
        "blocks": list(entry.blocks),
    }
