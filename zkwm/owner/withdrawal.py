"""An owner's signed word that they withdraw a claim of theirs (SPEC.md 23.12)."""

from __future__ import annotations

import hashlib

from zkwm.owner.vault import Vault
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.cose.contents import DisputeEvent, DisputeStatement
from zkwm_protocols.cose.statement import SignedStatement, sign_statement
from zkwm_protocols.errors import UsageError


def state_withdrawal(vault: Vault, challenge: Challenge) -> SignedStatement:
    """State that the owner withdraws the claim that a challenge is about.

    It names commitment, suspect and the challenge's file, so that no other claim is withdrawn.

    Args:
        vault: of the owner.
        challenge: about a commitment of theirs.

    Raises UsageError where the vault does not hold the challenge's commitment.
    """
    if challenge.commitment not in vault.state.commitments:
        raise UsageError(
            f"the vault does not hold the commitment {challenge.commitment.hex()[:16]}, which the "
            "challenge is about",
            hint="only the commitment's owner withdraws their claim: use the vault that made it",
        )
    content = DisputeStatement(
        challenge.commitment,
        challenge.suspect.digest,
        DisputeEvent.WITHDRAWN,
        hashlib.sha256(challenge.to_bytes()).digest(),
    )
    return sign_statement(content, vault.state.signing_key)
