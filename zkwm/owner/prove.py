"""Answer a challenge: open blocks, or argue in zero knowledge (SPEC.md 6.2 and 7).

What leaves this module is in the vault's ledger before. The zero-knowledge way is in
``zkwm.owner.prove_argument``; asking a person is the command line's part.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zkwm.owner.consent import NO_CONSENT, Consent
from zkwm.owner.disclosure import (
    ArgumentDisclosure,
    Disclosure,
    asks_again,
    check_challenge,
    confirm_judge,
    disclose_argument,
    pixels_of,
    require_consent,
    too_late,
)
from zkwm.owner.openings_left import asks_last, disputes_left
from zkwm.owner.prove_argument import ArgumentProgress, argue
from zkwm.owner.spent_blocks import choose_blocks, spent_blocks
from zkwm.owner.suspect_file import DerivedNetwork
from zkwm.owner.vault import CommitmentSecrets, LedgerEntry, Vault
from zkwm.owner.vault.ledger import answer_fields
from zkwm_protocols.argument_response import Response
from zkwm_protocols.challenge import ArgumentChallenge, Challenge
from zkwm_protocols.commitment import Commitment, LabelMode
from zkwm_protocols.errors import UsageError
from zkwm_protocols.leaves import SALT_BYTES
from zkwm_protocols.opening import OpenedBlock, OpenedTrigger, Opening, make_opening

if TYPE_CHECKING:
    from zkwm.data import ImageData


def disclosure(
    vault: Vault,
    commitment: Commitment,
    challenge: Challenge,
    *,
    blocks: tuple[int, ...] | None = None,
) -> Disclosure:
    """What answering this challenge would release, to whom and for what. Changes nothing.

    ``blocks`` as in ``Consent``.

    Reads the vault from disk, so that answers of other processes are included. Makes all checks of
    the challenge (SPEC.md 6.1) and raises the first that fails; VaultUnusable for an older copy of
    the vault.
    """
    with vault.transaction() as state:
        vault.require_newest(state)
        _, commitment = check_challenge(state, commitment, challenge)
    repeated = state.response_to(challenge.digest)
    argument: ArgumentDisclosure | None = None
    opened: tuple[int, ...] = ()
    again = last = late = ""
    if isinstance(challenge, ArgumentChallenge):
        _require_no_choice(blocks)
        argument = disclose_argument(state, commitment, challenge)
    else:
        opened = (
            repeated.blocks if repeated else choose_blocks(state, commitment, challenge, blocks)
        )
        again = "" if repeated else asks_again(state, commitment, challenge)
        last = "" if repeated else asks_last(state, commitment, challenge)
        late = "" if repeated else too_late(commitment, challenge)
    spent = spent_blocks(state, commitment)
    return Disclosure(
        suspect=challenge.suspect,
        purpose=challenge.purpose,
        issued=challenge.issued,
        judge_fingerprint=challenge.judge.fingerprint(),
        judge_known=challenge.judge.fingerprint() in state.trusted_judges,
        repeated=repeated is not None,
        declared_labels=commitment.header.label_mode != LabelMode.DERIVED,
        block_count=commitment.header.block_count,
        blocks_to_open=opened,
        blocks_spent=tuple(sorted(spent)),
        released=tuple(
            entry for entry in state.openings() if entry.commitment_digest == commitment.digest
        ),
        argument=argument,
        again=again,
        last=last,
        not_older=late,
        disputes_after=disputes_left(
            commitment, commitment.header.block_count - len(spent | set(opened))
        ),
    )


def prove(
    vault: Vault,
    commitment: Commitment,
    challenge: Challenge,
    *,
    judge_fingerprint: str | None = None,
    model: str | Path | DerivedNetwork | None = None,
    test_data: ImageData | None = None,
    refuse: bool = False,
    consent: Consent = NO_CONSENT,
    ray: bool = False,
    progress: ArgumentProgress | None = None,
) -> Response:
    """Answer a challenge in the way that it asks for (SPEC.md 6.2 and 18.2).

    An ``Opening`` opens unspent whole blocks to the judge, who alone can read it; they are then
    spent. An ``ArgumentResponse`` opens nothing, and shows that at least k* triggers match. The
    response is in the vault, on disk, before it is returned; the same challenge gives the same
    bytes again.

    Args:
        judge_fingerprint: the judge's, as the owner knows it from elsewhere; may be left out for a
            judge whom this vault confirmed before.
        consent: what the owner says yes to beyond that: a further opening, the last one, one for a
            judge who demands an earlier date, a bit beyond the limit. Each is needed where the
            disclosure says so, and none stands for another. And which blocks.
        model, test_data, refuse, ray, progress: for an argument alone; see
            ``zkwm.owner.prove_argument.argue``, which also says what it raises.

    Raises:
        UsageError: the judge is another, or has not been confirmed, a consent is missing, or
            blocks do not fit.
        InvalidOpening: too few blocks are left, or the challenge does not fit.
        InvalidSignature: the challenge is not the judge's.
        VaultUnusable: an older copy of the vault (``Vault.accept_older_copy``), or one in use.
    """
    if isinstance(challenge, ArgumentChallenge):
        _require_no_choice(consent.blocks)
        return argue(
            vault,
            commitment,
            challenge,
            judge_fingerprint=judge_fingerprint,
            model=model,
            test_data=test_data,
            refuse=refuse,
            exceed_limit=consent.exceed_limit,
            ray=ray,
            progress=progress,
        )
    return _open_blocks(vault, commitment, challenge, judge_fingerprint, consent)


def _require_no_choice(blocks: tuple[int, ...] | None) -> None:
    """Raise UsageError where blocks are chosen for an argument (SPEC.md 18.2)."""
    if blocks is not None:
        raise UsageError(
            "an argument is about the first blocks that are free: a choice by what the network "
            "answers would tell more than one bit",
            hint="leave the blocks out (`Consent.blocks`)",
        )


def _open_blocks(
    vault: Vault,
    commitment: Commitment,
    challenge: Challenge,
    fingerprint: str | None,
    consent: Consent,
) -> Opening:
    """Open free blocks to the judge, and enter that into the ledger."""
    with vault.transaction(releases=True) as state:
        owner_secrets, commitment = check_challenge(state, commitment, challenge)
        earlier = state.response_to(challenge.digest)
        if earlier is not None:
            return Opening.from_bytes(earlier.response)
        confirm_judge(state, challenge, fingerprint)
        blocks = choose_blocks(state, commitment, challenge, consent.blocks)
        require_consent(state, commitment, challenge, consent)
        opening = make_opening(
            commitment,
            challenge,
            tuple(_open_block(owner_secrets, commitment, block) for block in blocks),
            (state.signing_key,),
        )
        fields = answer_fields(challenge, opening.to_bytes())
        state.ledger.append(LedgerEntry(**fields, blocks=blocks))
    return opening


def _open_block(
    owner_secrets: CommitmentSecrets, commitment: Commitment, block: int
) -> OpenedBlock:
    """The opening of a whole block from the commitment's secrets."""
    header = commitment.header
    images = pixels_of(owner_secrets.images, header.shape)
    indices = range(block * header.block_size, (block + 1) * header.block_size)
    return OpenedBlock(
        block=block,
        triggers=tuple(
            OpenedTrigger(
                pixels=images[i],
                salt=owner_secrets.salts[i * SALT_BYTES : (i + 1) * SALT_BYTES],
                label=None if owner_secrets.labels is None else owner_secrets.labels[i],
            )
            for i in indices
        ),
    )
