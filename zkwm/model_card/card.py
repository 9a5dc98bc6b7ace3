"""Make a card's claim, put it into the card, and find the claims about a model (SPEC.md 21)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from zkwm.files import read_limited, write_atomic
from zkwm.model_card.claim import CardClaim, make_claim
from zkwm.model_card.find import (
    ClaimFinding,
    card_of,
    commitments_beside,
    compare,
    read_card,
    read_commitments,
)
from zkwm.model_card.front_matter import FILE_LIMIT, with_claim
from zkwm.suspects.model_digests import CONFIG, WEIGHTS, ModelDigest, model_digests
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import Malformed, UsageError


@dataclass(frozen=True)
class FoundClaims:
    """The claims of a card, compared with a model and with commitments at hand.

    Attributes:
        card: the file that was read.
        models: the models at hand, by digest.
        findings: each claim with its comparisons; those that name a model at hand come first.
    """

    card: Path
    models: tuple[ModelDigest, ...]
    findings: tuple[ClaimFinding, ...]

    @property
    def ours(self) -> tuple[ClaimFinding, ...]:
        """The claims that name a model at hand."""
        return tuple(finding for finding in self.findings if finding.names_model)

    @property
    def agrees(self) -> bool:
        """Whether a claim names a model at hand, and nothing about such claims differs."""
        return bool(self.ours) and all(finding.agrees for finding in self.ours)


def card_claim(commitment: Commitment | bytes, model: str | Path, *, url: str = "") -> CardClaim:
    """The claim of a commitment to the models at a path.

    A card is a statement that anybody can write: it proves nothing.

    Args:
        commitment: of the owner, or the bytes of its file; its tree and signatures are verified.
        model: an .onnx file, .safetensors with its config.json, or a folder with them.
        url: where anybody can get the commitment, http(s); empty where nobody says.

    Of a network of the owner's own only the ONNX file has a digest, and weights are left out.

    Raises:
        UsageError: there is no model, its digest cannot be computed, or the address is none.
        InvalidSignature, InvalidOpening, Malformed: the commitment is not a good one.
    """
    if isinstance(commitment, bytes):
        commitment = Commitment.from_bytes(commitment)
    commitment.verify_root()
    commitment.verify_signatures()
    left = weights_left_out(model)
    models = [one for one in model_digests(model) if left is None or one.name != left.name]
    return make_claim(commitment, models, url=url, version=version("zkwm"))


def weights_left_out(model: str | Path) -> Path | None:
    """The weights in a folder that have no digest: those of a network of the owner's own.

    None where there are none, or no ONNX file beside them that a claim could be about.
    """
    folder = Path(model)
    weights = folder / WEIGHTS
    own = weights.is_file() and not (folder / CONFIG).exists()
    return weights if own and any(folder.glob("*.onnx")) else None


def write_claim(card: str | Path, claim: CardClaim) -> None:
    """Put a claim into the metadata of a card, whole or not at all; a missing card is made.

    A claim of the same commitment is replaced, and nothing else is changed.

    Raises Malformed or UsageError, naming the card, where its metadata cannot be read or changed,
    and CouldNotCheck where the disk refuses.
    """
    card = Path(card)
    old = read_limited(card, FILE_LIMIT, regular=True) if card.exists() else b""
    try:
        new = with_claim(old, claim)
    except (Malformed, UsageError) as error:
        raise type(error)(f"{card}: {error.message}", hint=error.hint) from None
    write_atomic(card, new, overwrite=True)


def find_claims(
    model: str | Path,
    *,
    card: str | Path | None = None,
    commitments: Sequence[str | Path] = (),
) -> FoundClaims:
    """The commitments that claim a model, as its card says, compared with what is at hand.

    Nothing is fetched from the network, and no claim is proven by a card.

    Args:
        model: an .onnx file, .safetensors with its config.json, or a folder with them.
        card: the card's file; None is the README.md in the folder or beside the file.
        commitments: files of commitments, besides those that lie beside the model.

    Raises:
        UsageError: there is no model.
        CouldNotCheck: there is no card.
        CouldNotCheck, Malformed, Unsupported: the card or a commitment cannot be read.
    """
    path = Path(model)
    where = card_of(path) if card is None else Path(card)
    claims = read_card(where)
    files = {file.resolve(): file for file in [*map(Path, commitments), *commitments_beside(path)]}
    models = model_digests(path)
    return FoundClaims(where, models, compare(claims, models, read_commitments([*files.values()])))
