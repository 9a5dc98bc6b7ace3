"""Make a commitment from images and salts, signed (SPEC.md 5).

``zkwm.owner.commit`` chooses images and keeps the secrets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols import merkle
from zkwm_protocols.class_names import names_digest, require_names
from zkwm_protocols.commitment import Commitment, Header, LabelMode
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.leaves import make_leaves


def make_commitment(
    images: NDArray[np.uint8],
    salts: list[bytes],
    *,
    class_count: int,
    signers: tuple[SigningKey, ...],
    block_size: int,
    declared_labels: NDArray[np.int64] | None = None,
    owner_model: bytes | None = None,
    class_names: tuple[str, ...] | None = None,
    probe_data: bytes | None = None,
    timestamp_authority: bytes | None = None,
) -> Commitment:
    """Commit to images, with one salt each.

    Args:
        images (uint8, (n, channels, height, width)): the triggers.
        salts: n times 32 secret random bytes.
        class_count: C, the number of classes.
        signers: the owner's keys, in the order of the header.
        block_size: triggers in a block; divides n.
        declared_labels (int64, (n,)): makes the declared mode; without, labels are derived from D.
        owner_model: digest of the owner's unmarked model, or None.
        class_names: the names of the C classes, which give labels a meaning, or None.
        probe_data: digest of the data set that probes of extracted marks come from, or None.
        timestamp_authority: digest of the root key of the authority whose token enters the labels
            (SPEC.md 22.2), 32 bytes, or None.

    Raises:
        Malformed: these do not fit together.
    """
    leaves = make_leaves(images, salts, declared_labels, class_count)
    channels, height, width = images.shape[1:]
    header = Header(
        leaf_count=len(leaves),
        block_size=block_size,
        class_count=class_count,
        shape=(channels, height, width),
        label_mode=LabelMode.DERIVED if declared_labels is None else LabelMode.DECLARED,
        owner_keys=tuple(signer.public for signer in signers),
        root=merkle.root(leaves),
        owner_model=owner_model,
        class_names=None if class_names is None else names_digest(require_names(class_names)),
        probe_data=probe_data,
        timestamp_authority=timestamp_authority,
    )
    commitment = Commitment(
        header=header,
        leaves=leaves,
        signatures=tuple(signer.sign("commitment", header.digest) for signer in signers),
        class_names=class_names,
    )
    commitment.verify_class_names()
    return commitment
