"""Find which commitment claims a model, by a card, and check what is at hand (SPEC.md 21)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from zkwm.files import read_limited
from zkwm.model_card.claim import CardClaim, ClaimedEntry
from zkwm.model_card.front_matter import FILE_LIMIT, read_claims
from zkwm.suspects.foreign_text import printable
from zkwm.suspects.model_digests import ModelDigest
from zkwm_protocols.commitment import FILE_LIMIT as COMMITMENT_LIMIT
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError, ZkwmError

CARD = "README.md"
MOST_COMMITMENTS = 100


class ClaimAgreement(StrEnum):
    """The outcome of one comparison."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class ClaimComparison:
    """One comparison: what was compared, how it ended, and why it ended so."""

    subject: str
    outcome: ClaimAgreement
    words: str


@dataclass(frozen=True)
class ClaimFinding:
    """One claim of a card, compared with what is at hand.

    Attributes:
        claim: what the card says.
        names_model: whether it names the digest of a model at hand.
        comparisons: of model, commitment and owner's fingerprints.
    """

    claim: CardClaim
    names_model: bool
    comparisons: tuple[ClaimComparison, ...]

    @property
    def agrees(self) -> bool:
        """Whether it names the model, and nothing that was compared differs."""
        return self.names_model and all(
            one.outcome != ClaimAgreement.DIFFERS for one in self.comparisons
        )


def card_of(model: Path) -> Path:
    """The README.md in a model's folder, or beside its file. Raises CouldNotCheck without one."""
    card = (model if model.is_dir() else model.parent) / CARD
    if not card.is_file():
        raise CouldNotCheck(
            f"there is no {card}, so nothing says which commitment claims this model",
            hint="give the card (`card`)",
        )
    return card


def read_card(card: str | Path) -> tuple[CardClaim, ...]:
    """The claims in the file of a card. Raises CouldNotCheck or Malformed, naming the file."""
    data = read_limited(card, FILE_LIMIT, regular=True)
    try:
        return read_claims(data)
    except Malformed as error:
        raise Malformed(f"{card}: {error.message}", hint=error.hint) from None


def commitments_beside(model: Path) -> list[Path]:
    """The files ``*.commitment`` in a model's folder. Raises UsageError for more than 100."""
    folder = model if model.is_dir() else model.parent
    found = sorted(path for path in folder.glob("*.commitment") if path.is_file())
    if len(found) > MOST_COMMITMENTS:
        raise UsageError(
            f"more than {MOST_COMMITMENTS} commitments lie beside the model",
            hint="put the model and its card into a folder of their own",
        )
    return found


def read_commitments(paths: Sequence[Path]) -> dict[str, Commitment]:
    """Commitments by the name of their file. Raises Malformed or Unsupported, naming the file."""
    found = {}
    for path in paths:
        data = read_limited(path, COMMITMENT_LIMIT, regular=True)
        try:
            found[str(path)] = Commitment.from_bytes(data)
        except ZkwmError as error:
            raise type(error)(f"{path}: {error.message}", hint=error.hint) from None
    return found


def compare(
    claims: Sequence[CardClaim],
    models: Sequence[ModelDigest],
    commitments: Mapping[str, Commitment],
) -> tuple[ClaimFinding, ...]:
    """Every claim with what is at hand; those that name the model come first."""
    found = [_finding(claim, models, commitments) for claim in claims]
    return tuple(sorted(found, key=lambda finding: not finding.names_model))


def _finding(
    claim: CardClaim, models: Sequence[ModelDigest], commitments: Mapping[str, Commitment]
) -> ClaimFinding:
    """One claim: the model by its digest, the commitment by D, its owner by the fingerprints."""
    named = {model.digest for model in claim.models}
    ours = [model for model in models if model.digest in named]
    comparisons = [_model(claim, models, ours), *_changed(claim, models)]
    matching = {name: one for name, one in commitments.items() if one.digest == claim.commitment}
    if not matching:
        where = f"get it from {claim.url} (as the card states)" if claim.url else "ask the owner"
        words = f"no file with this digest is here; {where}"
        comparisons.append(ClaimComparison("commitment", ClaimAgreement.NOT_CHECKED, words))
    else:
        name, commitment = next(iter(matching.items()))
        comparisons += [_commitment(name, commitment), _owner(claim, commitment)]
        comparisons += [_logged(entry, name, commitment) for entry in claim.logs]
    return ClaimFinding(claim, bool(ours), tuple(comparisons))


def _model(
    claim: CardClaim, models: Sequence[ModelDigest], ours: Sequence[ModelDigest]
) -> ClaimComparison:
    """Whether the claim names a model at hand, or another model under the same file's name."""
    if ours:
        names = ", ".join(model.name for model in ours)
        return ClaimComparison(
            "model", ClaimAgreement.AGREES, f"{names} has the digest that the card names"
        )
    unread = [model for model in models if model.digest is None]
    if unread:
        words = f"the digest of {unread[0].name} was not computed: {unread[0].problem}"
        return ClaimComparison("model", ClaimAgreement.NOT_CHECKED, words)
    names = ", ".join(model.file for model in claim.models)
    return ClaimComparison(
        "model", ClaimAgreement.DIFFERS, f"the card names another model ({names})"
    )


def _changed(claim: CardClaim, models: Sequence[ModelDigest]) -> list[ClaimComparison]:
    """The files that the card names and that have another digest here."""
    named = {model.digest for model in claim.models}
    files = {model.file for model in claim.models}
    return [
        ClaimComparison(
            "model", ClaimAgreement.DIFFERS, f"{model.name} has not the digest of the card"
        )
        for model in models
        if model.name in files and model.digest is not None and model.digest not in named
    ]


def _commitment(name: str, commitment: Commitment) -> ClaimComparison:
    """Whether tree, names and signatures of the commitment verify."""
    try:
        commitment.verify_root()
        commitment.verify_class_names()
        commitment.verify_signatures()
    except ZkwmError as error:
        return ClaimComparison("commitment", ClaimAgreement.DIFFERS, f"{name}: {error.message}")
    words = f"{name} has this digest, and its tree and signatures verify"
    return ClaimComparison("commitment", ClaimAgreement.AGREES, words)


def _logged(entry: ClaimedEntry, name: str, commitment: Commitment) -> ClaimComparison:
    """Whether the commitment's file has the log proof that the card names; trust is open."""
    owners = commitment.header.owner_keys
    known = [
        ClaimedEntry.of(one)
        for one in commitment.log_proofs
        if one.is_about(commitment.digest, owners)
    ]
    place = f"entry {entry.index:,} of {printable(entry.log, 255)}"
    if entry in known:
        words = f"{name} has a proof of {place}; zkwm inspect verifies it by whom you trust"
        return ClaimComparison("log", ClaimAgreement.AGREES, words)
    if (entry.log, entry.index) in [(one.log, one.index) for one in known]:
        words = f"{name} has another statement as {place}"
        return ClaimComparison("log", ClaimAgreement.DIFFERS, words)
    words = f"{name} has no proof of {place}; ask the log"
    return ClaimComparison("log", ClaimAgreement.NOT_CHECKED, words)


def _owner(claim: CardClaim, commitment: Commitment) -> ClaimComparison:
    """Whether the commitment's keys are those of the card."""
    keys = tuple(key.fingerprint() for key in commitment.header.owner_keys)
    if keys == claim.owner:
        return ClaimComparison(
            "owner",
            ClaimAgreement.AGREES,
            "the commitment is signed by the keys that the card names",
        )
    return ClaimComparison(
        "owner",
        ClaimAgreement.DIFFERS,
        f"the commitment is signed by {', '.join(keys)}, not by these",
    )
