"""Draw and commit to the secret keys of marks that are read as bits (SPEC.md 19.1, 19.2).

A key takes the place of a trigger image, uint8 (1, 1, 32), so that commitment, opening and evidence
are the same. Readers expand keys with ``zkwm.extraction.keys``.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.extraction.keys import BITS, PURPOSE, SECRET_BYTES, ExtractionKey, read_keys, scheme_tag
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.owner.vault import Vault
    from zkwm.watermarks.watermark import Owner, Watermark
    from zkwm_protocols.commitment import Commitment


def draw_keys(
    vault: Vault, scheme: Watermark, count: int, layers: Sequence[int]
) -> NDArray[np.uint8]:
    """Draw fresh keys, uint8 (count, 1, 1, 32).

    The secret bytes come from the vault's seed under a context of 32 new random bytes, so each call
    gives other keys.

    Args:
        vault: The owner's.
        scheme: Its tag is written into each key.
        count: How many.
        layers: Key i is for ``layers[i % len(layers)]``, so that each block has all of them.

    Raises:
        UsageError: There is no layer, or no key.
    """
    if count < 1 or not layers:
        raise UsageError("a mark that is extracted has at least one key and one layer")
    key = vault.state.derive_key(PURPOSE, secrets.token_bytes(32))
    stream = hashlib.shake_256(key).digest(SECRET_BYTES * count)
    tag = scheme_tag(scheme)
    return np.stack(
        [
            ExtractionKey(
                layers[i % len(layers)], tag, stream[SECRET_BYTES * i : SECRET_BYTES * (i + 1)]
            ).to_leaf()
            for i in range(count)
        ]
    )


def owner_digest(owner: Owner) -> bytes | None:
    """The digest of the owner's unmarked model, 32 bytes (SPEC.md 4.3), or None without one."""
    from zkwm.suspects.safetensors_suspect import architecture_digest

    return None if owner.start is None else architecture_digest(owner.start)


def commit_keys(
    vault: Vault,
    keys: NDArray[np.uint8],
    *,
    block_size: int = 50,
    owner_model: bytes | None = None,
    timestamp_authority: bytes | None = None,
) -> Commitment:
    """Commit to keys with two classes: the label of a key is its bit.

    Args:
        vault: The owner's.
        keys (uint8, (n, 1, 1, 32)): As ``draw_keys`` gives them.
        block_size: Keys that are opened together.
        owner_model: The digest (``owner_digest``) of the unmarked model with which a suspect is
            aligned (SPEC.md 19.4).
        timestamp_authority: How the header names the authority of the beacon, 32 bytes.

    Raises:
        UsageError: As in ``zkwm.owner.commit.commit``.
    """
    from zkwm.owner.commit import commit

    read_keys(keys)
    return commit(
        vault, keys, class_count=BITS, block_size=block_size, owner_model=owner_model,
        timestamp_authority=timestamp_authority,
    )  # fmt: skip


def commit_keys_of(owner: Owner, keys: NDArray[np.uint8], *, block_size: int) -> Commitment:
    """``commit_keys`` in the owner's vault, under the digest of their unmarked model.

    Raises:
        UsageError: As in ``commit_keys``, or the owner names classes: the labels are bits.
    """
    if owner.class_names is not None:
        raise UsageError(
            "this watermark commits to keys whose labels are bits, so no class has a name",
            hint="leave the names of classes out; they go with triggers, whose labels are classes",
        )
    return commit_keys(
        owner.vault, keys, block_size=block_size, owner_model=owner_digest(owner),
        timestamp_authority=owner.timestamp_authority,
    )  # fmt: skip
