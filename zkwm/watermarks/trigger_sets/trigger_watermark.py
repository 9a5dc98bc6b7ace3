"""Shared by trigger-set watermarks: draw from the vault, commit to images, train them in.

Each scheme's file decides which images and labels these are. Marks that are read as bits use
``zkwm.watermarks.parameter_encoding.key_commitment`` instead.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from zkwm.nn.digests import model_digest
from zkwm.owner.commit import DEFAULT_BLOCK_SIZE, commit
from zkwm.training import default_settings, embed
from zkwm.training.settings import exposures_of, with_exposures
from zkwm.triggers.keystream import KeyStream
from zkwm.watermarks.watermark import DECLARED, DERIVED, Marked, Owner
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier
    from zkwm.training import EmbedSettings
    from zkwm.triggers import TriggerSet
    from zkwm_protocols.commitment import Commitment

PLAIN, ROBUST = "plain", "robust"
_PURPOSE = b"trigger-scheme"
_KEPT_AFTERWARDS = ("momentum", "weight_decay", "augment", "seed", "device", "precision")


def draw(owner: Owner, scheme: str) -> KeyStream:
    """A fresh stream of secret random numbers from the vault's seed; each call gives another."""
    key = owner.vault.state.derive_key(_PURPOSE, secrets.token_bytes(32))
    return KeyStream(key, scheme)


def block_size(count: int) -> int:
    """The size of a block for ``count`` triggers: 50, or all of fewer."""
    return min(count, DEFAULT_BLOCK_SIZE)


def commit_generated(owner: Owner, count: int, family: str) -> Commitment:
    """Commit to ``count`` triggers of a family, with derived labels (SPEC.md 5).

    Raises UsageError for a count that is no multiple of the block, or a family that is unknown.
    """
    return commit(
        owner.vault,
        class_count=owner.data.class_count,
        generate_count=count,
        family=family,
        shape=owner.data.shape,
        block_size=block_size(count),
        owner_model=_start_digest(owner),
        class_names=owner.class_names,
        timestamp_authority=owner.timestamp_authority,
    )


def commit_images(
    owner: Owner, images: NDArray[np.uint8], declared: NDArray[np.int64] | None = None
) -> Commitment:
    """Commit to images uint8 (n, c, h, w), with derived labels or ``declared`` ones, int64 (n,).

    Raises:
        UsageError: An image is constant or repeated, n is no multiple of the block, or a declared
            label is no class.
    """
    if declared is not None and (declared.min() < 0 or declared.max() >= owner.data.class_count):
        raise UsageError(
            f"declared labels from {declared.min()} to {declared.max()}, but the data have "
            f"{owner.data.class_count} classes"
        )
    return commit(
        owner.vault,
        images,
        class_count=owner.data.class_count,
        declared_labels=declared,
        block_size=block_size(len(images)),
        owner_model=_start_digest(owner),
        class_names=owner.class_names,
        timestamp_authority=owner.timestamp_authority,
    )


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise UsageError unless a parameter is one of its choices."""
    if value not in choices:
        raise UsageError(f"no such {name}: {value!r}", hint=f"choose one of {', '.join(choices)}")


def require_exposures(exposures: int) -> None:
    """Raise UsageError for less than no exposure."""
    if exposures < 0:
        raise UsageError(f"expected at least 0 exposures of each trigger, got {exposures}")


def require_label_mode(mode: str) -> None:
    """Raise UsageError unless labels are to be derived or declared."""
    require_choice("label mode", mode, (DERIVED, DECLARED))


def usable(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which images uint8 (n, c, h, w) may be triggers: neither constant nor repeated; bool (n,)."""
    seen: set[bytes] = set()
    flags = np.zeros(len(images), np.bool_)
    for number, image in enumerate(images):
        data = image.tobytes()
        flags[number] = data not in seen and not (image == image[:, :1, :1]).all()
        seen.add(data)
    return flags


def marking_settings(
    owner: Owner,
    count: int,
    *,
    method: str = PLAIN,
    pretrained: bool = False,
    exposures: int = 0,
    **changes: Any,  # noqa: ANN401
) -> EmbedSettings:
    """Settings for training ``count`` triggers in.

    Args:
        owner: Their settings are kept, with as many triggers a batch as ``default_settings``
            advises.
        count: The number of triggers.
        method: ``plain``, ``robust`` or a part of it.
        pretrained: Use the default epochs, rate and batches for a trained model instead of the
            owner's.
        exposures: How often each trigger is shown, at least; 0 for what ``default_settings``
            advises.
        **changes: Settings that a paper demands.

    Raises:
        UsageError: So many exposures do not fit into the training.
    """
    kept = asdict(owner.settings)
    del kept["method"], kept["triggers_per_batch"]
    if pretrained:
        kept = {name: kept[name] for name in _KEPT_AFTERWARDS}
    images = len(owner.data.train_labels)
    settings = default_settings(
        owner.architecture,
        pretrained=pretrained,
        images=images,
        triggers=count,
        **{**kept, "method": method, **changes},
    )
    return with_exposures(settings, exposures, images, count) if exposures else settings


def train_in(
    owner: Owner, model: Classifier, triggers: TriggerSet, settings: EmbedSettings
) -> Marked:
    """Train a copy of ``model`` on the owner's data with the triggers in every batch.

    Args:
        owner: The data set.
        model: The start; not changed.
        triggers: Images and labels.
        settings: Of the training.
    """
    result = embed(model, owner.data, triggers, settings=settings)
    exposures = exposures_of(settings, len(owner.data.train_labels), len(triggers.labels))
    return Marked(cast("Classifier", result.model), result.seconds, exposures=exposures)


def _start_digest(owner: Owner) -> bytes | None:
    return None if owner.start is None else model_digest(owner.start)
