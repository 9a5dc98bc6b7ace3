"""Mark a model with any scheme and record the result, as ``zkwm embed`` does.

Schemes whose mark is in the answers of an API are refused: there is no model file to write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from zkwm.extraction.reader import JudgeView
from zkwm.nn.digests import data_digest, model_digest, trigger_digest
from zkwm.nn.inference import predictions
from zkwm.training.result import EmbedResult
from zkwm.training.settings import default_settings
from zkwm.training.versions import versions
from zkwm.watermarks.parameter_encoding.key_commitment import owner_digest
from zkwm.watermarks.watermark import Owner, Watermark, matches
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.data import ImageData
    from zkwm.nn.architectures import Classifier
    from zkwm.owner.vault import Vault
    from zkwm_protocols.commitment import Commitment

OWN_PROBES = 500
"""Test images that serve as probes when the owner checks a mark of their own."""


def owner_of(
    vault: Vault,
    data: ImageData,
    architecture: str | None,
    start: Classifier | None,
    **changes: Any,  # noqa: ANN401
) -> Owner:
    """An owner with the default settings of the architecture, some of them changed.

    Args:
        vault: The owner's.
        data: Training and test images.
        architecture: None for that of ``start``.
        start: A trained, unmarked model, or None.
        **changes: Settings that differ from the defaults.

    Raises:
        UsageError: Neither architecture nor start is given, or they do not fit each other or the
            data.
    """
    if start is None and architecture is None:
        raise UsageError("give the architecture, or the trained, unmarked model")
    if start is not None:
        actual = start.config.architecture
        if architecture not in (None, actual):
            raise UsageError(
                f"the unmarked model is a {actual}, not a {architecture}",
                hint=f"use `architecture='{actual}'`",
            )
        if (start.config.shape, start.config.class_count) != (data.shape, data.class_count):
            raise UsageError("the unmarked model is for other images or classes than the data")
        architecture = actual
    settings = default_settings(
        str(architecture), pretrained=start is not None, images=len(data.train_labels), **changes
    )
    return Owner(vault, data, str(architecture), settings, start)


def mark(scheme: Watermark, owner: Owner, commitment: Commitment) -> EmbedResult:
    """Embed the mark, and measure the model: accuracy on all test images, and matches.

    Matches are read as a judge reads them, with probes from the test images.

    Raises:
        UsageError: The start is not the model that the commitment names (a suspect would be aligned
            with another one), or the mark is in an API's answers.
    """
    named = commitment.header.owner_model
    if named is not None and named != owner_digest(owner):
        raise UsageError(
            f"the commitment names the unmarked model {named.hex()[:16]}, and marking would start "
            "from another one",
            hint="start from the very model that was given with commit",
        )
    triggers = scheme.trigger_set(owner, commitment)
    start_digest = model_digest(owner.start or owner.untrained())
    marked = scheme.embed(owner, commitment)
    if marked.api is not None:
        raise UsageError(
            f"the mark {scheme.name} is in the answers of an API, not in a model that could be "
            "written",
            hint="serve the answers from Python: Marked.answers() of zkwm.watermarks.watermark",
        )
    data, model = owner.data, marked.model
    answers = predictions(model, torch.tensor(data.test_images)).cpu().numpy()
    view = JudgeView(
        owner.start if named is not None else None,
        torch.tensor(data.test_images[:OWN_PROBES]).numpy(),
    )
    return EmbedResult(
        model=model,
        shape=data.shape,
        test_accuracy=float((answers == data.test_labels).mean()),
        test_count=len(data.test_labels),
        trigger_matches=matches(scheme.reader().extract(model, triggers.images, view), triggers),
        trigger_count=len(triggers.labels),
        seconds=marked.seconds,
        settings=owner.settings,
        device="cpu",
        processes=1,
        precision="float32",
        versions=versions(),
        model_digest=model_digest(model),
        start_digest=start_digest,
        data_digest=data_digest(data),
        trigger_digest=trigger_digest(triggers),
        history=(),
    )
