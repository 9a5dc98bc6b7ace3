"""Aggregate cells into squares: a scheme under an attack over all seeds, and the worst seed.

Every number that is shown is chosen here, so that tables, figures and report agree.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkwm.evaluation.results.cell import Cell, CountedBy, Status
from zkwm_protocols.policy import DEFAULT_THRESHOLD_BITS

NO_ATTACK, SOME_FAILED, DECLARED_LABELS = "†", "‡", "§"
NOTHING_LEFT = "none"
NOTES = (
    (NO_ATTACK, "in no seed the attack ends a point above training from scratch: it is no attack"),
    (SOME_FAILED, "in some seeds nothing was measured"),
    (DECLARED_LABELS, "declared labels: the number is matches, and no evidence"),
    (NOTHING_LEFT, "the judge's allowances take all bits"),
)


@dataclass(frozen=True)
class Square:
    """All seeds of a scheme under an attack.

    Args:
        watermark: The grid's label.
        attack: The grid's label.
        cells: One for each seed.
        counted: What the judge counts.
    """

    watermark: str
    attack: str
    cells: tuple[Cell, ...]
    counted: CountedBy = CountedBy.MATCHES

    def evidence(self, cell: Cell) -> float | None:
        """The bits that the judge's allowances leave of the exact tail; None for no evidence."""
        return cell.evidence_by(self.counted)

    @property
    def measured(self) -> tuple[Cell, ...]:
        """The cells with a number."""
        return tuple(
            cell
            for cell in self.cells
            if cell.status == Status.MEASURED
            and (self.counted == CountedBy.MATCHES or cell.bits_by(self.counted) is not None)
        )

    @property
    def attacked(self) -> bool:
        """Whether the attack counts in some seed, or that is unknown."""
        return any(cell.counts is not False for cell in self.measured)

    @property
    def shown(self) -> Cell | None:
        """The cell that tables quote: of the worst seed.

        Of the seeds in which the attack counts (all, where it counts in none), the one with the
        least evidence, or the fewest matches where labels are declared. None where nothing was
        measured.
        """
        cells = [cell for cell in self.measured if cell.counts is not False] or self.measured
        return min(cells, key=self._left) if cells else None

    @property
    def has_evidence(self) -> bool:
        """Whether evidence is stated: something was measured, and labels are not declared."""
        shown = self.shown
        return shown is not None and self.evidence(shown) is not None

    @property
    def enough(self) -> bool:
        """Whether even the worst seed reaches a judge's default threshold."""
        shown = self.shown
        return shown is not None and (self.evidence(shown) or 0) >= DEFAULT_THRESHOLD_BITS

    @property
    def marks(self) -> str:
        """The signs of ``NOTES`` that apply."""
        shown = self.shown
        if shown is None:
            return ""
        return (
            ("" if self.attacked else NO_ATTACK)
            + (SOME_FAILED if len(self.measured) < len(self.cells) else "")
            + (DECLARED_LABELS if self.evidence(shown) is None else "")
        )

    @property
    def left(self) -> str:
        """Bits left after allowances, or matches of declared labels, or why there is no number."""
        shown = self.shown
        if shown is None:
            states = {cell.status for cell in self.cells}
            if states == {Status.MEASURED}:
                return "–"
            order = (Status.ERROR, Status.VOID, Status.NOT_APPLICABLE)
            return next((status.value for status in order if status in states), "")
        evidence = self.evidence(shown)
        if evidence is None:
            return f"{shown.matches}/{shown.trials}"
        return f"{int(evidence)}" if evidence > 0 else NOTHING_LEFT

    @property
    def lost(self) -> str:
        """Points of accuracy that the attack cost in that seed, with a sign where it gained."""
        shown = self.shown
        return "" if shown is None or shown.accuracy_lost is None else points(shown.accuracy_lost)

    @property
    def text(self) -> str:
        """The text in a table: bits / points, with signs."""
        return f"{self.left} / {self.lost} {self.marks}".rstrip() if self.lost else self.left

    def _left(self, cell: Cell) -> tuple[float, float]:
        """The order of cells: by evidence (else matches), then by matches."""
        matches = -1.0 if cell.matches is None else float(cell.matches)
        evidence = self.evidence(cell)
        return (matches if evidence is None else evidence, matches)


@dataclass(frozen=True)
class Squares:
    """All squares by (watermark, attack); one without cells where the grid does not ask for it."""

    known: dict[tuple[str, str], Square]

    def __getitem__(self, key: tuple[str, str]) -> Square:
        return self.known.get(key) or Square(*key, ())

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self.known


def squares(cells: tuple[Cell, ...], counted: CountedBy = CountedBy.MATCHES) -> Squares:
    """All squares, in the order of the cells."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.watermark, cell.attack), []).append(cell)
    return Squares({key: Square(*key, tuple(group), counted) for key, group in groups.items()})


def points(value: float) -> str:
    """Points of accuracy with one decimal, without a negative zero, with a true minus sign."""
    return f"{value:.1f}".replace("-0.0", "0.0").replace("-", "−")


def percent(share: float | None) -> str:
    """A share (0 to 1) in percent with one decimal; empty for None."""
    return "" if share is None else f"{100 * share:.1f}"
