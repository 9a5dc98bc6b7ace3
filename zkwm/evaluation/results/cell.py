"""One measured cell of the grid: a scheme, an attack, a seed, and what was left. Plain data.

Not a verdict: the judge's allowances are in ``evidence``, and no judge was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from zkwm_protocols.errors import Malformed

POINT = 0.01


class Status(StrEnum):
    """What came of a cell; the values are those in JSON and CSV."""

    MEASURED = "measured"
    VOID = "void"
    NOT_APPLICABLE = "not applicable"
    ERROR = "error"


@dataclass(frozen=True)
class Cell:
    """What one attack left of one mark.

    ``watermark`` and ``attack`` are the labels of the grid, ``scheme`` and ``attack_name`` the
    names. Accuracies are shares (0 to 1) of the test images: ``unmarked_accuracy`` of the same
    network without a mark, ``accuracy_before`` and ``accuracy_after`` of the marked one before and
    after the attack, ``served_accuracy`` of the answers of an owner's API, ``scratch_accuracy`` of
    a network trained on the adversary's images alone.
    ``matches`` of ``trials`` leaves give their label of ``class_count``; where the attack has
    used the opened block (``opened_used``), that block is left out. ``bits`` is -log2 of the exact
    binomial tail, ``evidence`` what the judge's allowances leave of it; ``rank_bits`` and
    ``rank_evidence`` the same where the judge counts the ranks of labels (SPEC.md 8.4). Declared
    labels have no evidence: their tail is in ``nominal_bits``. ``images``, ``queries`` and
    ``gradient_images`` are what the adversary spent. ``void``, ``refused`` and ``error`` say why
    there is no evidence: the scheme cannot be read from this suspect or its answers mean nothing;
    the attack cannot be used on this target; something failed.
    """

    digest: str
    watermark: str
    scheme: str
    parameters: dict[str, Any]
    attack: str
    attack_name: str
    attack_parameters: dict[str, Any]
    seed: int
    architecture: str
    attacker_images: int
    access: str = ""
    labels: str = ""
    note: str = ""
    unmarked_accuracy: float | None = None
    accuracy_before: float | None = None
    served_accuracy: float | None = None
    accuracy_after: float | None = None
    scratch_accuracy: float | None = None
    matches_before: int | None = None
    matches: int | None = None
    trials: int | None = None
    class_count: int | None = None
    bits: float | None = None
    nominal_bits: float | None = None
    evidence: float | None = None
    rank_bits: float | None = None
    rank_evidence: float | None = None
    opened_used: bool = False
    images: int = 0
    queries: int = 0
    gradient_images: int = 0
    seconds: float = 0.0
    embed_seconds: float = 0.0
    void: str = ""
    refused: str = ""
    error: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """The first that applies of error, not applicable, void and measured."""
        if self.error:
            return Status.ERROR
        if self.refused:
            return Status.NOT_APPLICABLE
        return Status.VOID if self.void else Status.MEASURED

    @property
    def counts(self) -> bool | None:
        """Whether the attack ends at least one point above training from scratch; None unknown."""
        if self.accuracy_after is None or self.scratch_accuracy is None:
            return None
        return self.accuracy_after >= self.scratch_accuracy + POINT

    @property
    def deployed_accuracy(self) -> float | None:
        """The accuracy of what an owner offers: his API where he has one, else the marked model."""
        return self.accuracy_before if self.served_accuracy is None else self.served_accuracy

    @property
    def accuracy_lost(self) -> float | None:
        """What the attack cost, in points (hundredths); negative where accuracy rose."""
        if self.accuracy_after is None or self.accuracy_before is None:
            return None
        return 100 * (self.accuracy_before - self.accuracy_after)

    def to_map(self) -> dict[str, Any]:
        """All fields, with ``status`` and ``counts``, as JSON can hold them."""
        return {**asdict(self), "status": self.status, "counts": self.counts}

    @classmethod
    def from_map(cls, values: Mapping[str, Any]) -> Cell:
        """What ``to_map`` made. Raises Malformed."""
        names = {field.name for field in fields(cls)}
        given = {name: value for name, value in values.items() if name in names}
        try:
            return cls(**given)
        except TypeError:
            raise Malformed("this is no cell of a grid") from None
