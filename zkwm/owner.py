"""The owner's side: commit to triggers, get them for embedding, answer a judge's challenge.

SPEC.md sections 5.6, 6.2 and 7. Whatever leaves this module has been recorded in the vault before.
Not here: asking a person (the command line does), training, everything that a judge does, and how
an answer in zero knowledge comes about (``zkwm.arguing``).
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.answering import (
    Disclosure,
    check_challenge,
    confirm_judge,
    disclose_argument,
    pixels_of,
    secrets_of,
)
from zkwm.arguing import ArgumentProgress, argue
from zkwm.spending import choose_blocks, spent_blocks
from zkwm.triggers import TriggerSet, check_images, generate
from zkwm.vault import CommitmentSecrets, LedgerEntry, Vault
from zkwm_protocols.argument_response import Response
from zkwm_protocols.challenge import ARGUMENT, Challenge
from zkwm_protocols.commitment import DERIVED, SALT_BYTES, Commitment, make_commitment
from zkwm_protocols.errors import UsageError
from zkwm_protocols.opening import OpenedBlock, OpenedTrigger, Opening, make_opening

if TYPE_CHECKING:
    from zkwm.datasets import ImageData
    from zkwm_protocols.network.model import IntegerNetwork

DEFAULT_BLOCK_SIZE = 50
DEFAULT_COUNT = 200


def commit(
    vault: Vault,
    images: NDArray[np.uint8] | None = None,
    *,
    class_count: int,
    declared_labels: NDArray[np.int64] | None = None,
    generate_count: int = DEFAULT_COUNT,
    family: str = "secret",
    shape: tuple[int, int, int] = (1, 28, 28),
    data: NDArray[np.uint8] | None = None,
    block_size: int = DEFAULT_BLOCK_SIZE,
    owner_model: bytes | None = None,
) -> Commitment:
    """Commit to ``images`` (uint8, (n, channels, height, width)), or to generated ones.

    Without ``images``, ``generate_count`` triggers of ``family`` and ``shape`` are drawn from the
    vault's seed, new ones with every call (``data`` are the owner's own images for ``mixture``).
    ``declared_labels`` (int64, (n,)) makes the declared mode, which proves less (SPEC.md 5.4).
    The secrets are in the vault, on disk, before the commitment is returned. Raises UsageError for
    images that may not stand in a trigger set, VaultUnusable when the vault cannot be written.
    """
    decoys: NDArray[np.uint8] | None = None
    if images is None:
        if declared_labels is not None:
            raise UsageError(
                "generated triggers have derived labels",
                hint="give the images that your labels belong to",
            )
        key = vault.state.derive_key(b"triggers", secrets.token_bytes(32))
        generated = generate(
            family, generate_count, shape, key=key, block_size=block_size, data=data
        )
        images, decoys = generated.images, generated.decoys
    else:
        family = "given"
    check_images(images)
    if declared_labels is not None:
        _require_labels(declared_labels, len(images))
    if block_size < 1:
        raise UsageError("a block has at least one trigger")
    if len(images) % block_size:
        raise UsageError(
            f"{len(images)} triggers are not a multiple of the block of {block_size}",
            hint=f"give {len(images) // block_size * block_size or block_size} images, or choose "
            "another block size",
        )
    salts = [secrets.token_bytes(SALT_BYTES) for _ in range(len(images))]
    with vault.transaction() as state:
        commitment = make_commitment(
            images,
            salts,
            class_count=class_count,
            signers=(state.signing_key,),
            block_size=block_size,
            declared_labels=declared_labels,
            owner_model=owner_model,
        )
        state.commitments[commitment.digest] = CommitmentSecrets(
            commitment_file=commitment.to_bytes(),
            family=family,
            salts=b"".join(salts),
            images=np.ascontiguousarray(images).tobytes(),
            decoys=b"" if decoys is None else np.ascontiguousarray(decoys).tobytes(),
            labels=None if declared_labels is None else tuple(int(y) for y in declared_labels),
        )
    return commitment


def trigger_set(vault: Vault, commitment: Commitment) -> TriggerSet:
    """The triggers of a commitment with their labels, for embedding.

    Derived labels cost one Argon2id hash, about a second. Raises UsageError when the vault does
    not hold this commitment's secrets, TrustMaterialMissing when its labels need a beacon.
    """
    own = secrets_of(vault.state, commitment)
    header = commitment.header
    declared = own.labels
    return TriggerSet(
        images=pixels_of(own.images, header.shape),
        labels=commitment.labels() if declared is None else np.array(declared, dtype=np.int64),
        family=own.family,
        block_size=header.block_size,
        class_count=header.class_count,
    )


def disclosure(vault: Vault, commitment: Commitment, challenge: Challenge) -> Disclosure:
    """What answering this challenge would release, to whom and for what. Changes nothing.

    Reads the vault anew, so that answers of other processes are shown too. Makes all checks of the
    challenge (SPEC.md 6.1) and raises the first that fails.
    """
    with vault.transaction() as state:
        check_challenge(state, commitment, challenge)
    argued = challenge.mode == ARGUMENT
    repeated = state.response_to(challenge.digest)
    blocks: tuple[int, ...] = ()
    if not argued:
        blocks = repeated.blocks if repeated else choose_blocks(state, commitment, challenge)
    return Disclosure(
        suspect=challenge.suspect,
        purpose=challenge.purpose,
        issued=challenge.issued,
        judge_fingerprint=challenge.judge.fingerprint(),
        judge_known=challenge.judge.fingerprint() in state.trusted_judges,
        repeated=repeated is not None,
        declared_labels=commitment.header.label_mode != DERIVED,
        block_count=commitment.header.block_count,
        blocks_to_open=blocks,
        blocks_spent=tuple(sorted(spent_blocks(state, commitment))),
        released=tuple(
            entry for entry in state.openings() if entry.commitment_digest == commitment.digest
        ),
        argument=disclose_argument(state, commitment, challenge) if argued else None,
    )


def prove(
    vault: Vault,
    commitment: Commitment,
    challenge: Challenge,
    *,
    judge_fingerprint: str | None = None,
    model: str | Path | IntegerNetwork | None = None,
    test_data: ImageData | None = None,
    refuse: bool = False,
    exceed_limit: bool = False,
    progress: ArgumentProgress | None = None,
) -> Response:
    """Answer a challenge, in the way that it asks for (SPEC.md 6.2 and 18.2).

    ``judge_fingerprint`` is what the owner knows of the judge from elsewhere; it may be left out
    for a judge whom this vault confirmed before. The response is on disk in the vault before it is
    returned; the same challenge gives the same bytes again.

    A challenge for an opening opens unspent whole blocks to its judge, who alone can read the
    ``Opening``; they are then spent. A challenge for an argument opens nothing: ``model`` is the
    suspect's file, which is also in the owner's hands, and the ``ArgumentResponse`` shows that at
    least k* triggers match. ``test_data``, ``refuse``, ``exceed_limit`` and ``progress`` are those
    of ``zkwm.arguing.argue``, which says what it raises.

    Raises UsageError for an unconfirmed or another judge; InvalidOpening when too few blocks are
    left; InvalidSignature or InvalidOpening for a challenge that does not fit.
    """
    if challenge.mode == ARGUMENT:
        return argue(
            vault,
            commitment,
            challenge,
            judge_fingerprint=judge_fingerprint,
            model=model,
            test_data=test_data,
            refuse=refuse,
            exceed_limit=exceed_limit,
            progress=progress,
        )
    with vault.transaction() as state:
        own = check_challenge(state, commitment, challenge)
        earlier = state.response_to(challenge.digest)
        if earlier is not None:
            return Opening.from_bytes(earlier.response)
        confirm_judge(state, challenge, judge_fingerprint)
        blocks = choose_blocks(state, commitment, challenge)
        opening = make_opening(
            commitment,
            challenge,
            tuple(_open_block(own, commitment, block) for block in blocks),
            (state.signing_key,),
        )
        state.ledger.append(
            LedgerEntry(
                challenge_digest=challenge.digest,
                commitment_digest=commitment.digest,
                blocks=blocks,
                judge_fingerprint=challenge.judge.fingerprint(),
                purpose=challenge.purpose,
                suspect_description=challenge.suspect.description,
                suspect_digest=challenge.suspect.digest,
                issued=challenge.issued,
                recorded=int(time.time()),
                response=opening.to_bytes(),
            )
        )
    return opening


def _require_labels(labels: NDArray[np.int64], count: int) -> None:
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        raise UsageError("declared labels are an array of whole numbers")
    if labels.shape != (count,):
        raise UsageError(
            f"{count} triggers need {count} labels, not an array of the shape {labels.shape}"
        )


def _open_block(own: CommitmentSecrets, commitment: Commitment, block: int) -> OpenedBlock:
    header = commitment.header
    images = pixels_of(own.images, header.shape)
    decoys = pixels_of(own.decoys, header.shape)
    indices = range(block * header.block_size, (block + 1) * header.block_size)
    return OpenedBlock(
        block=block,
        triggers=tuple(
            OpenedTrigger(
                pixels=images[i],
                salt=own.salts[i * SALT_BYTES : (i + 1) * SALT_BYTES],
                label=None if own.labels is None else own.labels[i],
            )
            for i in indices
        ),
        decoys=tuple(decoys[i] for i in indices) if len(decoys) else (),
    )
