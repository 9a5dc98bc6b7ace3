"""Commit and embed under a scheme that is named on the command line.

Not options and not output: the commands have these. Every import here is heavy.
"""

from __future__ import annotations

from typing import Any

from zkwm.data import load_data
from zkwm.nn.model_file import load_model
from zkwm.owner.vault import Vault
from zkwm.registry import read_parameters
from zkwm.training import EmbedResult
from zkwm.watermarks import WATERMARKS, make_watermark
from zkwm.watermarks.mark_model import mark, owner_of
from zkwm.watermarks.watermark import Watermark
from zkwm_cli.artifacts import read_parsed
from zkwm_cli.passphrases import passphrase
from zkwm_protocols.commitment import FILE_LIMIT, Commitment


def commit_under(
    watermark: str,
    parameter: tuple[str, ...],
    *,
    vault: str,
    passphrase_file: str | None,
    data: str,
    architecture: str | None,
    owner_model: str | None,
) -> Commitment:
    """What the scheme commits to, its secrets in the vault."""
    scheme = _scheme(watermark, parameter)
    start = None if owner_model is None else load_model(owner_model)
    own = Vault.open(vault, passphrase(passphrase_file, of=vault))
    return scheme.commit(owner_of(own, load_data(data), architecture, start))


def embed_under(
    watermark: str,
    parameter: tuple[str, ...],
    *,
    vault: str,
    passphrase_file: str | None,
    commitment: str,
    data: str,
    architecture: str,
    start: str | None,
    settings: dict[str, Any],
) -> tuple[Commitment, EmbedResult]:
    """The commitment and the marked model. One process, no checkpoint."""
    scheme = _scheme(watermark, parameter)
    committed = read_parsed(commitment, FILE_LIMIT, Commitment.from_bytes)
    unmarked = None if start is None else load_model(start)
    own = Vault.open(vault, passphrase(passphrase_file, of=vault))
    owner = owner_of(own, load_data(data), architecture, unmarked, **settings)
    return committed, mark(scheme, owner, committed)


def _scheme(watermark: str, parameter: tuple[str, ...]) -> Watermark:
    values = read_parameters(WATERMARKS, "watermark", watermark, parameter)
    return make_watermark(watermark, **values)
