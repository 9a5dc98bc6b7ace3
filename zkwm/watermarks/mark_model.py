"""An owner's two steps under any scheme, with what a file of the result needs: commit and mark.

For the command line and for whoever wants a record of the training. Not the schemes themselves, and
not the serving of answers: schemes whose mark is in an API's answers are refused here.
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


def owner_of(
    vault: Vault,
    data: ImageData,
    architecture: str | None,
    start: Classifier | None,
    **changes: Any,  # noqa: ANN401
) -> Owner:
    """An owner with the default settings of his architecture, and ``changes`` of these.

    Raises UsageError where neither architecture nor start is given, or the start is another one,
    or takes other images.
    """
    if start is None and architecture is None:
        raise UsageError("say which architecture is marked, or give the trained, unmarked model")
    if start is not None:
        found = start.config.architecture
        if architecture not in (None, found):
            raise UsageError(
                f"the unmarked model is a {found}, not a {architecture}",
                hint=f"say --architecture {found}",
            )
        if (start.config.shape, start.config.class_count) != (data.shape, data.class_count):
            raise UsageError("the unmarked model is for other images or classes than the data")
        architecture = found
    settings = default_settings(
        str(architecture), pretrained=start is not None, images=len(data.train_labels), **changes
    )
    return Owner(vault, data, str(architecture), settings, start)


def mark(scheme: Watermark, owner: Owner, commitment: Commitment) -> EmbedResult:
    """Train the mark in, and measure the model: accuracy on all test images, and matches.

    ``trigger_matches`` are extracted as a judge does it, with probes from the test images. Raises
    UsageError for a start that is not the model that the commitment names (a suspect would be
    aligned with another one), for a mark in an API's answers, and what the scheme raises.
    """
    named = commitment.header.owner_model
    if named is not None and named != owner_digest(owner):
        raise UsageError(
            f"the commitment names the unmarked model {named.hex()[:16]}, and marking would start "
            "from another one",
            hint="start from the very model that was given with commit",
        )
    triggers = scheme.trigger_set(owner, commitment)
    start = owner.untrained() if owner.start is None else owner.start
    start_digest = model_digest(start)
    marked = scheme.embed(owner, commitment)
    if marked.api is not None:
        raise UsageError(
            f"the mark {scheme.name} is in the answers of an API, not in a model that could be "
            "written",
            hint="serve the answers from Python: Marked.answers() of zkwm.watermarks.watermark",
        )
    data, model = owner.data, marked.model
    found = predictions(model, torch.tensor(data.test_images)).cpu().numpy()
    view = JudgeView(
        owner.start if named is not None else None,
        torch.tensor(data.test_images[:OWN_PROBES]).numpy(),
    )
    return EmbedResult(
        model=model,
        shape=data.shape,
        test_accuracy=float((found == data.test_labels).mean()),
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
