"""The spent and the free blocks of a commitment, by the vault's ledger (SPEC.md 6.2, step 4).

A trigger that was opened once is known to somebody and proves nothing to anybody else.
"""

from __future__ import annotations

from zkwm.owner.vault import CommitmentSecrets, VaultState
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, UsageError
from zkwm_protocols.leaves import SALT_BYTES
from zkwm_protocols.opened_words import opened_words


def choose_blocks(
    state: VaultState,
    commitment: Commitment,
    challenge: Challenge,
    chosen: tuple[int, ...] | None = None,
) -> tuple[int, ...]:
    """The first r blocks that are neither spent nor excluded, or the owner's choice of such.

    The evidence pays for any choice (SPEC.md 6.2, 8.2). Where the challenge names blocks to be
    weighed again, these: they were opened to this judge about this suspect, so that opening them
    again shows nothing new. Raises InvalidOpening (``challenge.reachable``), UsageError for a
    choice that does not fit.
    """
    if challenge.reopened_blocks:
        _require_opened_to_judge(state, challenge)
        if chosen is not None and chosen != challenge.reopened_blocks:
            raise UsageError(
                "the judge weighs blocks again that were opened to them before; there is no choice",
                hint="leave the blocks out (`Consent.blocks`)",
            )
        return challenge.reopened_blocks
    free = free_blocks(state, commitment, challenge)
    if len(free) < challenge.block_count:
        size, opened = commitment.header.block_size, opened_words(challenge.suspect.kind)
        raise InvalidOpening(
            f"{challenge.block_count * size} {opened} are asked for and {len(free) * size} are "
            "still unopened and not excluded",
            hint="ask the judge for a smaller challenge"
            if free
            else "every block is spent or excluded; this commitment can open nothing more",
            check="challenge.reachable",
        )
    if chosen is not None:
        _require_choice(chosen, free, challenge)
        return chosen
    return free[: challenge.block_count]


def _require_choice(chosen: tuple[int, ...], free: tuple[int, ...], challenge: Challenge) -> None:
    """Raise UsageError unless these are r of the free blocks, ascending."""
    if taken := sorted(set(chosen) - set(free)):
        raise UsageError(
            f"block {taken[0]} is opened already, excluded by the judge, or not in the commitment",
            hint="zkwm vault show lists what was opened; choose others (`Consent.blocks`)",
        )
    if len(chosen) != challenge.block_count or sorted(set(chosen)) != list(chosen):
        raise UsageError(
            f"the judge asks for {challenge.block_count} of the blocks, each once and ascending, "
            f"and {len(chosen)} are given",
            hint="name as many as the challenge asks for (`Consent.blocks`), or none of them",
        )


def free_blocks(state: VaultState, commitment: Commitment, challenge: Challenge) -> tuple[int, ...]:
    """The blocks that are neither spent nor excluded by the judge, ascending."""
    gone = spent_blocks(state, commitment) | set(challenge.excluded_blocks)
    return tuple(block for block in range(commitment.header.block_count) if block not in gone)


def _require_opened_to_judge(state: VaultState, challenge: Challenge) -> None:
    """Raise InvalidOpening unless this judge has all blocks to be weighed again, for this suspect.

    The vault's own ledger says so; the judge's word counts for nothing here.
    """
    opened = {
        block
        for entry in state.openings()
        if (entry.commitment_digest, entry.judge_fingerprint, entry.suspect_digest)
        == (challenge.commitment, challenge.judge.fingerprint(), challenge.suspect.digest)
        for block in entry.blocks
    }
    new = sorted(set(challenge.reopened_blocks) - opened)
    if new:
        raise InvalidOpening(
            f"the judge asks to weigh block {new[0]} again, which was never opened to them about "
            "this suspect",
            hint="answer nothing: ask the judge for a challenge that opens new blocks (`reveal`)",
            check="challenge.reachable",
        )


def spent_blocks(state: VaultState, commitment: Commitment) -> frozenset[int]:
    """The blocks opened before, and those with an image that was opened from another commitment."""
    size = commitment.header.block_size
    opened = opened_images(state, but=commitment.digest)
    own = images_of(state.commitments[commitment.digest])
    again = (index for index, image in enumerate(own) if image in opened)
    return state.spent_blocks(commitment.digest) | {index // size for index in again}


def opened_images(state: VaultState, *, but: bytes = b"") -> set[bytes]:
    """The pixels of every image that was opened, but from the commitment of this digest."""
    opened: set[bytes] = set()
    for entry in state.openings():
        if entry.commitment_digest != but:
            other = state.commitments[entry.commitment_digest]
            size = Commitment.from_bytes(other.commitment_file).header.block_size
            images = images_of(other)
            for block in entry.blocks:
                opened.update(images[block * size : (block + 1) * size])
    return opened


def images_of(owner_secrets: CommitmentSecrets) -> list[bytes]:
    """The pixels of each image of a commitment."""
    size = len(owner_secrets.images) * SALT_BYTES // len(owner_secrets.salts)
    return [owner_secrets.images[i : i + size] for i in range(0, len(owner_secrets.images), size)]
