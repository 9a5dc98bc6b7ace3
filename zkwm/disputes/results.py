"""What a dispute found: parties, models and claims as plain values, as its verdict states them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zkwm.judge.owner_keys import OwnerKey
from zkwm.judge.verdict import Outcome
from zkwm_protocols.dates import Interval, Published


class DisputeOutcome(StrEnum):
    """How a dispute ended (SPEC.md 28.6)."""

    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    UNDECIDED = "undecided"
    COULD_NOT_CHECK = "could not be checked"
    TRUST_MATERIAL_MISSING = "trust material missing"


class Basis(StrEnum):
    """By whose work it is known whether a mark stands in a model."""

    REPEATED = "repeated"
    JUDGES_WORD = "judge's word"
    NOTHING = "nothing"


class Standing(StrEnum):
    """What a claim is worth in the dispute (SPEC.md 28.4)."""

    COUNTS = "counts"
    OWN_PRODUCT = "own product"
    NOT_FOUND = "mark not found"
    OBJECTED = "does not count"
    NOT_OLDER = "not older"
    UNDECIDED_IN_TIME = "undecided in time"
    NO_DATE = "no date"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class LogPlace:
    """Where a log has a party's statement that the commitment exists.

    ``time`` is in seconds since 1970, by a quorum of witnesses; None where none says it.
    """

    origin: str
    index: int
    time: int | None


@dataclass(frozen=True)
class FoundParty:
    """A party and its commitment.

    Args:
        name, called: as the case says.
        commitment: D, 32 bytes; None where the file could not be read.
        keys: the owner's, in order of the commitment's header, with whose they are; for people
            alone (28.9).
        existed: when commitment and labels existed, by the judge's trust; None where unknown.
        dated: the time that each authority signed.
        logged: where logs have it, by the judge's log policy.
        problem: why its claims cannot be checked, or empty.
    """

    name: str
    called: str
    commitment: bytes | None
    keys: tuple[OwnerKey, ...]
    existed: Interval | None
    dated: tuple[tuple[str, Interval], ...]
    logged: tuple[LogPlace, ...]
    problem: str

    @property
    def owner_keys(self) -> tuple[str, ...]:
        """The fingerprints of the keys."""
        return tuple(one.key for one in self.keys)


@dataclass(frozen=True)
class FoundModel:
    """A model; ``digest`` is that of SPEC.md 4.3, None where it could not be computed."""

    name: str
    published_by: str
    kind: str
    digest: bytes | None
    published: Published | None
    contested: bool
    problem: str


@dataclass(frozen=True)
class Objection:
    """Why a mark that was found does not count: the rule's section, and what happened."""

    section: str
    words: str


@dataclass(frozen=True)
class FoundClaim:
    """Whether a party's mark stands in a model.

    Args:
        mark, model: the names of both.
        outcome: of the verification, as of a verdict (SPEC.md 10.1).
        basis: by whose work that is known.
        detail: one sentence.
        bits: the evidence in hundredths of a bit; None where there is none.
        matches, trials: counts; None likewise.
        judge: fingerprint of the judge who asked, or empty.
        challenge, proof: SHA-256 of body and file (32 bytes), or None.
        issued: when the question was asked, seconds since 1970 by that judge's clock, or None.
        blocks: of the commitment, that the answer is about.
        objections: what keeps it from counting.
    """

    mark: str
    model: str
    outcome: Outcome
    basis: Basis
    detail: str
    bits: int | None = None
    matches: int | None = None
    trials: int | None = None
    judge: str = ""
    challenge: bytes | None = None
    proof: bytes | None = None
    issued: int | None = None
    blocks: tuple[int, ...] = ()
    objections: tuple[Objection, ...] = ()


@dataclass(frozen=True)
class Found:
    """All that the rules look at."""

    parties: tuple[FoundParty, ...]
    models: tuple[FoundModel, ...]
    claims: tuple[FoundClaim, ...]

    def party(self, name: str) -> FoundParty:
        """The party of this name."""
        return next(one for one in self.parties if one.name == name)

    def model(self, name: str) -> FoundModel:
        """The model of this name."""
        return next(one for one in self.models if one.name == name)
