"""Commit and embed under the scheme that ``--watermark`` names. Every import here is heavy."""

from __future__ import annotations

from dataclasses import replace

from zkwm.data import load_data
from zkwm.named_classes import read_parameters
from zkwm.nn.model_file import load_model
from zkwm.training import EmbedResult
from zkwm.watermarks import WATERMARKS, make_watermark
from zkwm.watermarks.mark_model import mark, owner_of
from zkwm.watermarks.watermark import Watermark
from zkwm_cli.secret_options import VaultOptions
from zkwm_cli.training_options import MarkOptions, TrainingOptions
from zkwm_cli.trigger_options import SchemeOptions
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import UsageError


def commit_under(
    options: SchemeOptions,
    owner: VaultOptions,
    data: str,
    class_names: tuple[str, ...] | None,
    authority: bytes | None,
) -> Commitment:
    """The commitment that the scheme makes; its secrets are added to the vault.

    ``authority`` is how its header names the authority of the beacon, 32 bytes, or None. Raises
    UsageError for names of other classes than the data's.
    """
    scheme = _scheme(str(options.watermark), options.parameter)
    start = None if options.owner_model is None else load_model(options.owner_model)
    images = load_data(data)
    if class_names is not None and len(class_names) != images.class_count:
        raise UsageError(
            f"--class-names has {len(class_names)} names, and {data} has {images.class_count} "
            "classes"
        )
    committing = owner_of(owner.open(), images, options.architecture, start)
    return scheme.commit(
        replace(committing, class_names=class_names, timestamp_authority=authority)
    )


def embed_under(options: MarkOptions, training: TrainingOptions) -> tuple[Commitment, EmbedResult]:
    """The commitment and the marked model, trained in one process without a checkpoint."""
    scheme = _scheme(str(options.watermark), options.parameter)
    commitment = options.read_commitment()
    start = None if training.start is None else load_model(training.start)
    vault = options.open_vault()
    data = load_data(training.data)
    owner = owner_of(vault, data, training.architecture, start, **training.settings())
    return commitment, mark(scheme, owner, commitment)


def _scheme(name: str, parameter: tuple[str, ...]) -> Watermark:
    """The scheme of this name with the parameters typed."""
    return make_watermark(name, **read_parameters(WATERMARKS, "watermark", name, parameter))
