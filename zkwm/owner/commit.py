"""Commit to a trigger set, and get it back for embedding (SPEC.md 5.6).

The secrets are in the vault, durably, before a commitment leaves this module. Answering a challenge
is in ``zkwm.owner.prove``, training in ``zkwm.training``.
"""

from __future__ import annotations

import secrets
import time

import numpy as np
from numpy.typing import NDArray

from zkwm.owner.disclosure import own_file, pixels_of, require_own_beacon, secrets_of
from zkwm.owner.spent_blocks import opened_images
from zkwm.owner.vault import CommitmentSecrets, Vault, VaultState
from zkwm.triggers import TriggerSet, check_images, generate
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import UsageError
from zkwm_protocols.leaves import SALT_BYTES
from zkwm_protocols.make_commitment import make_commitment

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
    class_names: tuple[str, ...] | None = None,
    probe_data: bytes | None = None,
    timestamp_authority: bytes | None = None,
) -> Commitment:
    """Commit to images, given or generated; their secrets are then in the vault, on disk.

    Args:
        images (uint8, (n, channels, height, width)): the triggers; without, new ones are generated.
        class_count: C, the number of classes.
        declared_labels (int64, (n,)): makes the declared mode, which proves less (SPEC.md 5.4).
        generate_count, family, shape: the number and kind of generated triggers.
        data (uint8, (m, channels, height, width)): the owner's images, for the family ``mixture``.
        block_size: triggers in a block; divides n.
        owner_model: digest of the owner's unmarked model (32 bytes), where marks are extracted.
        class_names: the names of the C classes: with them a judge maps labels to a suspect's
            outputs by equal names, and nobody has a choice (SPEC.md 6.1).
        probe_data: digest of the data set for probes (32 bytes), where marks are extracted.
        timestamp_authority: SHA-256 of the key of an authority's root certificate (32 bytes,
            SPEC.md 22.2): then no label is defined before ``register`` got its token.

    Raises UsageError for images or labels that cannot be a trigger set, or images that were opened
    from another commitment of the vault; VaultUnusable.
    """
    if images is None:
        _require_derived(declared_labels)
        # A context of its own for every call, so that no two commitments share a trigger.
        key = vault.state.derive_key(b"triggers", secrets.token_bytes(32))
        images = generate(
            family, generate_count, shape, key=key, block_size=block_size, data=data
        ).images
    else:
        family = "given"
    _require_fitting(images, declared_labels, block_size)
    salts = [secrets.token_bytes(SALT_BYTES) for _ in range(len(images))]
    with vault.transaction() as state:
        _require_unopened(state, images)
        commitment = make_commitment(
            images, salts, class_count=class_count, signers=(state.signing_key,),
            block_size=block_size, declared_labels=declared_labels, owner_model=owner_model,
            class_names=class_names, probe_data=probe_data,
            timestamp_authority=timestamp_authority,
        )  # fmt: skip
        state.commitments[commitment.digest] = CommitmentSecrets(
            commitment_file=commitment.to_bytes(), family=family, salts=b"".join(salts),
            images=np.ascontiguousarray(images).tobytes(),
            labels=None if declared_labels is None else tuple(int(y) for y in declared_labels),
            created=int(time.time()),
        )  # fmt: skip
    return commitment


def trigger_set(vault: Vault, commitment: Commitment) -> TriggerSet:
    """The triggers of a commitment with their labels, for embedding.

    Derived labels cost one Argon2id hash, about a second. Raises UsageError when the vault does
    not hold this commitment's secrets, TrustMaterialMissing when its labels need a beacon,
    InvalidOpening for a file that begins with another token than the vault's.
    """
    owner_secrets = secrets_of(vault.state, commitment)
    commitment = own_file(owner_secrets, commitment)
    require_own_beacon(owner_secrets, commitment)
    header = commitment.header
    declared = owner_secrets.labels
    return TriggerSet(
        images=pixels_of(owner_secrets.images, header.shape),
        labels=commitment.labels() if declared is None else np.array(declared, dtype=np.int64),
        family=owner_secrets.family,
        block_size=header.block_size,
        class_count=header.class_count,
    )


def _require_unopened(state: VaultState, images: NDArray[np.uint8]) -> None:
    """Raise UsageError for images that were opened from another commitment of the vault."""
    opened = opened_images(state)
    known = sum(image.tobytes() in opened for image in images) if opened else 0
    if known:
        raise UsageError(
            f"{known} of these images were opened before, from another commitment of this vault",
            hint="whoever saw them can train on them, so that their blocks would be spent from the "
            "start: give other images",
        )


def _require_derived(labels: NDArray[np.int64] | None) -> None:
    """Raise UsageError for labels (n,) of triggers that are yet to be generated."""
    if labels is not None:
        raise UsageError(
            "generated triggers have derived labels",
            hint="give the images that your labels belong to",
        )


def _require_fitting(
    images: NDArray[np.uint8], labels: NDArray[np.int64] | None, block_size: int
) -> None:
    """Raise UsageError unless these are usable images in whole blocks, each with its label."""
    check_images(images)
    if labels is not None:
        _require_labels(labels, len(images))
    if block_size < 1:
        raise UsageError("a block has at least one trigger")
    if len(images) % block_size:
        fewer = len(images) // block_size * block_size
        raise UsageError(
            f"{len(images)} triggers are not a multiple of the block of {block_size}",
            hint=f"give {f'{fewer} or ' if fewer else ''}{fewer + block_size} images",
        )


def _require_labels(labels: NDArray[np.int64], count: int) -> None:
    """Raise UsageError unless there is one whole number for each trigger."""
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        raise UsageError("declared labels are an array of whole numbers")
    if labels.shape != (count,):
        raise UsageError(
            f"{count} triggers need {count} labels, not an array of the shape {labels.shape}"
        )
