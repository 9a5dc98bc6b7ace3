"""One measured cell of a grid: a watermark, an attack, a seed, and what was left.

Plain data, one JSON line of ``cells.jsonl``. No judge was asked: the judge's allowances are in
``evidence``, but a cell is no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from zkwm_protocols.errors import Malformed

POINT = 0.01


class CountedBy(StrEnum):
    """What a judge counts: each has two fields of a cell, bits and what the allowances leave."""

    MATCHES = "matches"
    RANKS = "ranks"
    SCORES = "scores"
    RELEARNING = "relearning"

    @property
    def way(self) -> str:
        """The words for it in a table's title."""
        return _WAYS[self]

    @property
    def note(self) -> str:
        """Where such a number is missing though others are there; empty where it never is."""
        return _WITHOUT_COPIES if self is CountedBy.RELEARNING else ""


_WAYS = {
    CountedBy.MATCHES: "by matches",
    CountedBy.RANKS: "by the ranks of labels among all scores",
    CountedBy.SCORES: "by the points of labels among all scores",
    CountedBy.RELEARNING: "by ranks of labels once others are relearned",
}
_WITHOUT_COPIES = (
    "–: no copies were trained, since the suspect is no built-in network by itself, such as one "
    "behind a filter of its inputs"
)
_FIELDS = {
    CountedBy.MATCHES: ("bits", "evidence"),
    CountedBy.RANKS: ("rank_bits", "rank_evidence"),
    CountedBy.SCORES: ("score_bits", "score_evidence"),
    CountedBy.RELEARNING: ("relearning_bits", "relearning_evidence"),
}


class Status(StrEnum):
    """The state of a cell; the values are those in JSON and CSV."""

    MEASURED = "measured"
    VOID = "void"
    NOT_APPLICABLE = "not applicable"
    ERROR = "error"


@dataclass(frozen=True)
class Cell:
    """The measurement of one attack on one mark. Accuracies are shares (0 to 1) of the test images.

    Args:
        digest: Names the cell in the cache.
        watermark: The grid's label.
        scheme: The watermark's name.
        parameters: Of the scheme.
        attack: The grid's label.
        attack_name: The attack's name.
        attack_parameters: Of the attack.
        seed: The grid's.
        architecture: Of the network.
        attacker_images: Labeled images that the adversary has.
        access: Of the judge: black-box or white-box.
        labels: Derived or declared.
        note: What a reader should know of the scheme.
        unmarked_accuracy: Of the same network without a mark.
        accuracy_before: Of the marked network.
        served_accuracy: Of the answers of the owner's service, where there is one.
        accuracy_after: Of the attacked network.
        scratch_accuracy: Of a network trained on the adversary's images alone.
        matches_before: Of the marked network.
        matches: Leaves that give their label; without the opened block where the attack used it.
        trials: Leaves that were asked about.
        class_count: Of a leaf's label.
        bits: -log2 of the exact binomial tail.
        nominal_bits: The same for declared labels, which are no evidence.
        evidence: What the judge's allowances leave of ``bits``.
        rank_bits: As ``bits``, where the judge counts the ranks of labels (SPEC.md 8.4).
        rank_evidence: What the judge's allowances leave of ``rank_bits``.
        score_bits: As ``bits``, where the judge counts points (SPEC.md 8.6).
        score_evidence: What the judge's allowances leave of ``score_bits``.
        relearning_bits: As ``bits``, where the judge counts relearned ranks (SPEC.md 8.7); None
            unless the grid asks for it and the suspect is a built-in network by itself.
        relearning_evidence: What the judge's allowances leave of ``relearning_bits``.
        relearning_seconds: Of the processor, for relearning; None as ``relearning_bits``.
        opened_used: Whether the attack used the opened block.
        images: That the adversary used.
        queries: To the owner's service.
        gradient_images: Over which gradients were computed.
        seconds: Of the attack.
        processor_seconds: Of the attack, of measuring without relearning and, where a service is
            attacked, of the service.
        embed_seconds: Of the training with the mark.
        embed_processor_seconds: The same of the processor.
        unmarked_seconds: Of the training of the unmarked network.
        unmarked_processor_seconds: The same of the processor.
        exposures: How often training showed each trigger, on average; None where there is none.
        void: Why the scheme cannot be read from this suspect, or its answers mean nothing.
        refused: Why the attack cannot be used on this target.
        error: What failed.
        versions: Of Python, zkwm and torch.
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
    score_bits: float | None = None
    score_evidence: float | None = None
    relearning_bits: float | None = None
    relearning_evidence: float | None = None
    relearning_seconds: float | None = None
    opened_used: bool = False
    images: int = 0
    queries: int = 0
    gradient_images: int = 0
    seconds: float = 0.0
    processor_seconds: float | None = None
    embed_seconds: float = 0.0
    embed_processor_seconds: float | None = None
    unmarked_seconds: float | None = None
    unmarked_processor_seconds: float | None = None
    exposures: float | None = None
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

    def bits_by(self, counted: CountedBy) -> float | None:
        """-log2 of the exact tail; None where it was not counted, or labels are declared."""
        value: float | None = getattr(self, _FIELDS[counted][0])
        return value

    def evidence_by(self, counted: CountedBy) -> float | None:
        """What the judge's allowances leave of ``bits_by``; None as there."""
        value: float | None = getattr(self, _FIELDS[counted][1])
        return value

    @property
    def training_times(self) -> float | None:
        """Training with the mark over training without, by processor seconds where known."""
        if self.embed_processor_seconds and self.unmarked_processor_seconds:
            return self.embed_processor_seconds / self.unmarked_processor_seconds
        return self.embed_seconds / self.unmarked_seconds if self.unmarked_seconds else None

    @property
    def counts(self) -> bool | None:
        """Whether the attack ends at least one point above training from scratch; None unknown."""
        if self.accuracy_after is None or self.scratch_accuracy is None:
            return None
        return self.accuracy_after >= self.scratch_accuracy + POINT

    @property
    def deployed_accuracy(self) -> float | None:
        """The accuracy of what an owner offers: the service where there is one, else the model."""
        return self.accuracy_before if self.served_accuracy is None else self.served_accuracy

    @property
    def accuracy_lost(self) -> float | None:
        """The points (hundredths) of accuracy that the attack cost; negative where it rose."""
        if self.accuracy_after is None or self.accuracy_before is None:
            return None
        return 100 * (self.accuracy_before - self.accuracy_after)

    def to_map(self) -> dict[str, Any]:
        """All fields, with ``status`` and ``counts``, as JSON can hold them."""
        return {**asdict(self), "status": self.status, "counts": self.counts}

    @classmethod
    def from_map(cls, values: Mapping[str, Any]) -> Cell:
        """The cell of a map that ``to_map`` made. Raises Malformed where a field is missing."""
        names = {field.name for field in fields(cls)}
        try:
            return cls(**{name: value for name, value in values.items() if name in names})
        except TypeError:
            raise Malformed("this is not a cell of a grid") from None
