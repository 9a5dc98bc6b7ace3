"""Checks before an owner answers: the challenge, the judge, and what would be released.

SPEC.md sections 6.2 and 18.5. Both ways of answering share it; ``zkwm.owner.prove`` answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zkwm.owner.consent import Consent
from zkwm.owner.openings_left import asks_last
from zkwm.owner.spent_blocks import free_blocks
from zkwm.owner.vault import ArgumentEntry, CommitmentSecrets, LedgerEntry, VaultState
from zkwm.quantizer.agreement_bounds import require_comparable
from zkwm_protocols.challenge import ArgumentChallenge, Challenge
from zkwm_protocols.commitment import MAXIMUM_LOG_PROOFS, Commitment
from zkwm_protocols.dates import Order
from zkwm_protocols.errors import InvalidOpening, Malformed, UsageError
from zkwm_protocols.fingerprints import read_fingerprint
from zkwm_protocols.stated_dates import stated_order
from zkwm_protocols.suspect_identity import SuspectIdentity

BIT_LIMIT = 16
"""Bits that may be released about one commitment before the owner is asked (SPEC.md 18.5)."""


@dataclass(frozen=True)
class ArgumentDisclosure:
    """What an answer in zero knowledge would release: one bit, about this question.

    Args:
        network: the digest of the integer network, 32 bytes.
        least_matches: k*.
        block_count: the blocks that are asked for.
        unopened: the blocks that are left.
        bits: the bits released about this commitment so far.
        limit: the number of bits beyond which the owner is asked.
    """

    network: bytes
    least_matches: int
    block_count: int
    unopened: int
    bits: tuple[ArgumentEntry, ...]
    limit: int


@dataclass(frozen=True)
class Disclosure:
    """What an owner must see before answering a challenge.

    Args:
        suspect: the model that the challenge is about.
        purpose: what the judge says the challenge is for.
        issued: the judge's clock in seconds since 1970.
        judge_fingerprint: of the judge who issued it.
        judge_known: whether this fingerprint was confirmed before.
        repeated: whether this very challenge was answered before.
        declared_labels: whether the owner declared the labels.
        block_count: all blocks of the commitment.
        blocks_to_open: those that ``prove`` would open.
        blocks_spent: those opened before.
        released: the openings of this commitment.
        argument: what an argument would release; None where an opening is asked for.
        again: why ``prove`` wants ``Consent.again`` for this opening; empty where it does not.
        last: why it wants it because this opening is the last; empty where it is not.
        not_older: why the judge will not take the commitment for older than the suspect, as they
            demand; empty where they may.
        disputes_after: the further openings that the blocks left after this one are enough for.
    """

    suspect: SuspectIdentity
    purpose: str
    issued: int
    judge_fingerprint: str
    judge_known: bool
    repeated: bool
    declared_labels: bool
    block_count: int
    blocks_to_open: tuple[int, ...]
    blocks_spent: tuple[int, ...]
    released: tuple[LedgerEntry, ...]
    argument: ArgumentDisclosure | None = None
    again: str = ""
    last: str = ""
    disputes_after: int = 0
    not_older: str = ""


def check_challenge(
    state: VaultState, commitment: Commitment, challenge: Challenge
) -> tuple[CommitmentSecrets, Commitment]:
    """The secrets for a challenge that fits, and the owner's file (``own_file``).

    Raises what its checks raise (SPEC.md 6.1, 18.1).
    """
    owner_secrets = secrets_of(state, commitment)
    commitment = own_file(owner_secrets, commitment)
    commitment.verify()
    challenge.verify_signature()
    challenge.verify_against(commitment)
    require_own_beacon(owner_secrets, commitment, check="challenge.commitment")
    if isinstance(challenge, ArgumentChallenge):
        require_comparable(challenge.suspect.outputs)
    return owner_secrets, commitment


def secrets_of(state: VaultState, commitment: Commitment) -> CommitmentSecrets:
    """The secrets of a commitment. Raises UsageError when the vault does not hold them."""
    owner_secrets = state.commitments.get(commitment.digest)
    if owner_secrets is None:
        raise UsageError(
            f"the vault does not hold the secrets of commitment {commitment.digest.hex()[:16]}",
            hint="use the vault that made the commitment",
        )
    return owner_secrets


def own_file(owner_secrets: CommitmentSecrets, commitment: Commitment) -> Commitment:
    """The commitment, with what the vault has and a file from before registering has not.

    The labels of a named authority's commitment follow from its first timestamp, and the vault has
    it: an older copy of the file does as well. So it does where a log dates: the vault's log proofs
    take the place of none.
    """
    if commitment.timestamps and commitment.log_proofs:
        return commitment
    kept = Commitment.from_bytes(owner_secrets.commitment_file)
    room = MAXIMUM_LOG_PROOFS - len(commitment.key_proofs)
    return replace(
        commitment,
        timestamps=commitment.timestamps or kept.timestamps,
        log_proofs=commitment.log_proofs or kept.log_proofs[:room],
    )


def require_own_beacon(
    owner_secrets: CommitmentSecrets, commitment: Commitment, *, check: str = ""
) -> None:
    """Raise InvalidOpening where a file begins with another token than the vault's (SPEC.md 6.1).

    The first token of a named authority decides on every label, and anybody can exchange it.
    """
    kept = Commitment.from_bytes(owner_secrets.commitment_file)
    if commitment.header.timestamp_authority is None or not kept.timestamps:
        return
    given = commitment.timestamps[0].token if commitment.timestamps else b""
    if given != kept.timestamps[0].token:
        raise InvalidOpening(
            "this file of the commitment begins with another timestamp than the one with which it "
            "was registered, so that all of its labels are others",
            hint="use the file that zkwm register wrote; registering again restores its first "
            "timestamp",
            check=check,
        )


def confirm_judge(state: VaultState, challenge: Challenge, fingerprint: str | None) -> None:
    """Raise UsageError unless the owner means this judge; remember a new one."""
    actual = challenge.judge.fingerprint()
    if fingerprint is None:
        if actual not in state.trusted_judges:
            raise UsageError(
                "the judge of this challenge has not been confirmed",
                hint="ask the judge for their key's fingerprint through another channel, and give "
                "what they tell you",
            )
        return
    try:
        given = read_fingerprint(fingerprint)
    except Malformed as error:
        raise UsageError(error.message, hint=error.hint) from None
    if given != actual:
        raise UsageError(
            "the challenge comes from another judge than the one whose fingerprint was given",
            hint="do not answer; ask the judge, through another channel, which fingerprint is "
            "theirs",
        )
    if actual not in state.trusted_judges:
        state.trusted_judges.append(actual)


def openings_to(
    state: VaultState, commitment: Commitment, challenge: Challenge
) -> tuple[LedgerEntry, ...]:
    """What was opened of this commitment to the judge of this challenge."""
    judge = challenge.judge.fingerprint()
    return tuple(
        entry
        for entry in state.openings()
        if entry.commitment_digest == commitment.digest and entry.judge_fingerprint == judge
    )


def asks_again(state: VaultState, commitment: Commitment, challenge: Challenge) -> str:
    """Why an opening needs a word of its own; empty where it does not (SPEC.md 6.2, step 4).

    One confirmation of a judge is no consent to open the whole mark to them bit by bit: a further
    opening about the same suspect is asked about, and so is one that takes a judge, in several
    openings, beyond half of the blocks. Blocks weighed again show nothing new: ``choose_blocks``
    holds them against the vault's own ledger.
    """
    if challenge.reopened_blocks:
        return ""
    before = openings_to(state, commitment, challenge)
    if any(entry.suspect_digest == challenge.suspect.digest for entry in before):
        return "blocks were opened to this judge about this suspect before"
    opened = {block for entry in before for block in entry.blocks}
    count = commitment.header.block_count
    if opened and 2 * (len(opened) + challenge.block_count) > count:
        return f"with this answer more than half of the {count} blocks are open to this judge"
    return ""


def too_late(commitment: Commitment, challenge: Challenge) -> str:
    """Why an opening cannot prove anything to a judge who demands an older commitment; or empty.

    By the earliest date in the file, whoever signed it: no trust of the judge's makes it earlier.
    """
    if not challenge.policy.older or challenge.published is None:
        return ""
    found = stated_order(commitment, challenge.published)
    if found == Order.OLDER:
        return ""
    if found == Order.UNKNOWN:
        why = "the file of this commitment has no date by which it is"
    else:
        why = "by the earliest date in its file this commitment " + (
            "is not" if found == Order.NOT_OLDER else "may not be"
        )
    return f"the judge demands a commitment older than the model, and {why}"


def require_consent(
    state: VaultState, commitment: Commitment, challenge: Challenge, consent: Consent
) -> None:
    """Raise UsageError for an opening that needs a word of its own and has none."""
    if not consent.again and (reason := asks_again(state, commitment, challenge)):
        raise UsageError(
            reason,
            hint="ask the judge what the answers before did not settle; `Consent.again` opens all "
            "the same",
        )
    if not consent.last and (reason := asks_last(state, commitment, challenge)):
        raise UsageError(
            reason,
            hint="consider an argument in zero knowledge, which spends no block; `Consent.last` "
            "opens all the same",
        )
    if not consent.not_older and (reason := too_late(commitment, challenge)):
        raise UsageError(
            reason,
            hint="use the file of this commitment that has all its timestamps and log proofs; "
            "`Consent.not_older` opens all the same",
        )


def disclose_argument(
    state: VaultState, commitment: Commitment, challenge: ArgumentChallenge
) -> ArgumentDisclosure:
    """What a challenge for an argument asks, and what was released before."""
    return ArgumentDisclosure(
        network=challenge.network,
        least_matches=challenge.least_matches,
        block_count=challenge.block_count,
        unopened=len(free_blocks(state, commitment, challenge)),
        bits=tuple(state.arguments(commitment.digest)),
        limit=BIT_LIMIT,
    )


def pixels_of(data: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Images kept as bytes, as uint8 (n, *shape)."""
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, *shape)
