"""What survived, in sentences: each mark, and all of them, under every attack that counts."""

from __future__ import annotations

from dataclasses import dataclass

from zkwm.evaluation.results.aggregate import Squares, squares
from zkwm.evaluation.results.cell import CountedBy
from zkwm.evaluation.results.outcome import GridResult
from zkwm_protocols.policy import DEFAULT_THRESHOLD_BITS

BASELINE = "none"
_NAMED = 4


@dataclass(frozen=True)
class Survival:
    """Of one mark: the attacks that leave enough evidence, and those that do not.

    ``declared`` where its owner chose the labels, so that no evidence is stated; ``weak`` where
    there is not enough before any attack.
    """

    watermark: str
    kept: tuple[str, ...]
    lost: tuple[str, ...]
    declared: bool
    weak: bool = False

    @property
    def sentence(self) -> str:
        """The same in words."""
        if self.declared:
            return f"{self.watermark} states no evidence: its owner chose the labels."
        count = len(self.kept) + len(self.lost)
        if self.weak and not self.kept:
            return (
                f"{self.watermark}: less than {DEFAULT_THRESHOLD_BITS} bits before any attack: "
                "train it for more epochs, or with more triggers."
            )
        if not count:
            return f"{self.watermark}: no attack on it counts."
        enough = f"at least {DEFAULT_THRESHOLD_BITS} bits are left"
        if not self.kept:
            return f"{self.watermark}: less than {DEFAULT_THRESHOLD_BITS} bits under {_all(count)}."
        if not self.lost:
            return f"{self.watermark}: {enough} under {_all(count)}."
        lost = ", ".join(self.lost[:_NAMED])
        if len(self.lost) > _NAMED:
            lost += f" and {len(self.lost) - _NAMED} more"
        return f"{self.watermark}: {enough} under {len(self.kept)} of {count} attacks; not {lost}."


def survivals(outcome: GridResult) -> tuple[Survival, ...]:
    """What survived, mark by mark; an attack that ends below training from scratch is none."""
    by_matches, by_ranks = squares(outcome.cells), squares(outcome.cells, CountedBy.RANKS)
    attacks = [entry.label for entry in outcome.grid.attacks if entry.name != BASELINE]
    marks = []
    for entry in outcome.grid.watermarks:
        pairs = [
            (attack, by_matches[entry.label, attack], by_ranks[entry.label, attack])
            for attack in attacks
            if (entry.label, attack) in by_matches
        ]
        counted = [pair for pair in pairs if pair[1].shown is not None and pair[1].attacked]
        stated = [pair for pair in counted if pair[1].has_evidence or pair[2].has_evidence]
        kept = tuple(name for name, *both in stated if any(square.enough for square in both))
        lost = tuple(name for name, *_ in stated if name not in kept)
        weak = _weak(outcome, entry.label, by_matches, by_ranks)
        marks.append(Survival(entry.label, kept, lost, bool(counted) and not stated, weak))
    return tuple(marks)


def _weak(outcome: GridResult, mark: str, *by: Squares) -> bool:
    """Whether a mark states evidence before any attack, and by no way enough of it.

    A mark in the answers of the owner's service has none before it is extracted.
    """
    cells = [cell for cell in outcome.cells if cell.watermark == mark]
    if any(cell.served_accuracy is not None for cell in cells):
        return False
    labels = [entry.label for entry in outcome.grid.attacks if entry.name == BASELINE]
    before = [one[mark, label] for one in by for label in labels if (mark, label) in one]
    stated = [square for square in before if square.has_evidence]
    return bool(stated) and not any(square.enough for square in stated)


def headline(marks: tuple[Survival, ...]) -> str:
    """How many of all marks keep enough evidence under every attack that counts."""
    stated = [mark for mark in marks if mark.kept or mark.lost]
    if not stated:
        return "No mark states evidence under an attack that counts."
    whole = sum(not mark.lost for mark in stated)
    return (
        f"Of {len(stated)} {'mark' if len(stated) == 1 else 'marks'} with evidence "
        f"{whole or 'none'} {'keeps' if whole < 2 else 'keep'} "
        f"the {DEFAULT_THRESHOLD_BITS} bits that a judge usually demands under every attack "
        "that counts: after the judge's allowances, in the worst seed that counts, by matches or, "
        "where the judge gets scores, by ranks."
    )


def _all(count: int) -> str:
    """All attacks, however few."""
    return "the only attack" if count == 1 else f"all {count} attacks"
