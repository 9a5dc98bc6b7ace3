"""Images that two commitments of one vault have in common.

Whoever sees such an image by one of them knows it of the other: a block that was opened from one
spends the blocks of the other that have its images (``zkwm.owner.spent_blocks``).
"""

from __future__ import annotations

from zkwm.owner.spent_blocks import images_of
from zkwm.owner.vault import VaultState
from zkwm_protocols.commitment import Commitment


def shared_images(state: VaultState, commitment: Commitment) -> dict[bytes, int]:
    """How many images of a commitment each other commitment of the vault has too, by its digest.

    Those with none are left out.
    """
    own = set(images_of(state.commitments[commitment.digest]))
    counts = {
        digest: sum(image in own for image in images_of(kept))
        for digest, kept in state.commitments.items()
        if digest != commitment.digest
    }
    return {digest: count for digest, count in counts.items() if count}
