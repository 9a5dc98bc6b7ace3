"""One SVG figure for each attack: evidence against accuracy lost.

Each scheme has a color and a shape. The page has small figures on common axes and one legend;
those in files are large and stand alone. The numbers are those of ``squares``; schemes whose labels
are declared have no evidence and are not drawn. matplotlib, from the extra ``evaluate``, is
imported when it is needed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from zkwm.evaluation.results.aggregate import Square, Squares
from zkwm.evaluation.results.cell import Cell
from zkwm.extras import require
from zkwm_protocols.policy import DEFAULT_THRESHOLD_BITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = (
    "#1f5a94", "#c2501f", "#2f7d4f", "#7b4ea3", "#a8871b", "#b5295d", "#2a8fa3", "#6b4f3a",
    "#5d6672", "#8a1f1f",
)  # fmt: skip
SHAPES = "osD^vPX<>*"
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Arial", "Liberation Sans", "Helvetica", "DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#4a5159",
    "axes.labelcolor": "#16191d",
    "text.color": "#16191d",
    "xtick.color": "#4a5159",
    "ytick.color": "#4a5159",
    "svg.fonttype": "none",
    "svg.hashsalt": "zkwm",
}
SIZE, SMALL = (8.2, 4.2), (3.3, 2.5)
LEAST_SPAN = 1.0


@dataclass(frozen=True)
class Frame:
    """The axes that all small figures share: accuracy lost (points) and evidence (bits)."""

    lost: tuple[float, float]
    evidence: tuple[float, float]

    @classmethod
    def around(cls, by_key: Squares) -> Frame:
        """Axes that hold every number, and the lines of no evidence and of the threshold."""
        cells = [cell for square in by_key.known.values() for cell in square.measured]
        lost = [c.accuracy_lost for c in cells if c.accuracy_lost is not None]
        bits = [b for c in cells for b in (c.evidence, c.rank_evidence) if b is not None]
        return cls(
            _around((*lost, 0.0), LEAST_SPAN), _around((*bits, 0.0, DEFAULT_THRESHOLD_BITS), 1.0)
        )


def _around(values: tuple[float, ...], least: float) -> tuple[float, float]:
    """An interval around all values, a little wider, and at least ``least`` wide."""
    low, high = min(values), max(values)
    room = max(0.08 * (high - low), (least - (high - low)) / 2)
    return low - room, high + room


def attack_figure(
    attack: str,
    watermarks: tuple[str, ...],
    by_key: Squares,
    frame: Frame | None = None,
) -> str:
    """The SVG of an attack, the same for the same numbers.

    Args:
        attack: Its label.
        watermarks: Labels, in the order of colors.
        by_key: What ``squares`` gives, by (watermark, attack).
        frame: For a small figure without a legend, the axes of all of them.

    Raises:
        UsageError: matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE if frame is None else STYLE | {"font.size": 8}):
        figure = Figure(figsize=SIZE if frame is None else SMALL, layout="constrained")
        axes = figure.add_subplot()
        drawn = [
            _draw(axes, i, by_key[name, attack])
            for i, name in enumerate(watermarks)
            if (name, attack) in by_key
        ]
        _decorate(axes, attack, frame)
        if not any(drawn):
            axes.text(
                0.5, 0.5, "no scheme has evidence to show here", ha="center", va="center",
                transform=axes.transAxes,
            )  # fmt: skip
        elif frame is None:
            figure.legend(loc="outside right upper", frameon=False, fontsize=9)
        return _svg(figure)


def legend_marker(number: int) -> str:
    """The SVG of the shape and color of the ``number``-th scheme. Raises UsageError."""
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(0.2, 0.2))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        style = _style(number)
        axes.plot([0], [0], markersize=9, markeredgecolor=style["color"], **style)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    """A figure as SVG text without date or creator."""
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()


def _style(number: int) -> dict[str, Any]:
    """The color and the shape of the ``number``-th scheme."""
    return {
        "color": COLORS[number % len(COLORS)],
        "marker": SHAPES[(number + number // len(COLORS)) % len(SHAPES)],
        "linestyle": "none",
    }


def _decorate(axes: Axes, attack: str, frame: Frame | None) -> None:
    """Title, labels, grid, and the lines of no evidence and of the default threshold."""
    axes.axhline(DEFAULT_THRESHOLD_BITS, color="#16191d", linewidth=1, linestyle=(0, (6, 4)))
    axes.axhline(0, color="#b9bfc6", linewidth=0.8)
    axes.grid(color="#eceef0", linewidth=0.8)
    axes.set_axisbelow(True)
    if frame is not None:
        axes.set_title(_folded(attack), loc="left", fontsize=9, fontweight="bold")
        axes.set_xlabel("points of accuracy lost")
        axes.set_ylabel("bits left")
        axes.set_xlim(*frame.lost)
        axes.set_ylim(*frame.evidence)
        return
    axes.annotate(
        f"usual threshold, {DEFAULT_THRESHOLD_BITS} bits",
        (1, DEFAULT_THRESHOLD_BITS),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8.5,
    )
    axes.set_title(attack, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel("accuracy lost to the attack, points")
    axes.set_ylabel("evidence, bits (after the judge's allowances)")
    axes.margins(0.08)
    low, high = axes.get_xlim()
    if high - low < LEAST_SPAN:
        middle = (low + high) / 2
        axes.set_xlim(middle - LEAST_SPAN / 2, middle + LEAST_SPAN / 2)


def _folded(title: str) -> str:
    """A title in at most two lines of 38 characters."""
    lines = wrap(title, 38) or [""]
    return "\n".join(lines[:2]) + (" …" if len(lines) > 2 else "")


def require_matplotlib() -> None:
    """Raise UsageError where matplotlib is not installed."""
    require("matplotlib")


def _draw(axes: Axes, number: int, square: Square) -> bool:
    """Draw a scheme: the worst seed large, the others small, a bar up to the evidence by ranks.

    Points are hollow where the attack does not count. Returns whether anything was drawn.
    """
    shown = square.shown
    if shown is None or shown.evidence is None:
        return False
    style = _style(number)
    for cell in square.measured:
        if cell is not shown:
            _point(axes, cell, style, size=4, label=None, hollow=cell.counts is False)
    if shown.rank_evidence is not None and shown.accuracy_lost is not None:
        axes.plot(
            [shown.accuracy_lost] * 2,
            [shown.evidence, shown.rank_evidence],
            color=style["color"],
            linewidth=1,
            marker="_",
            markevery=[1],
            markersize=8,
        )
    _point(axes, shown, style, size=9, label=square.watermark, hollow=not square.attacked)
    return True


def _point(
    axes: Axes, cell: Cell, style: dict[str, Any], *, size: float, label: str | None, hollow: bool
) -> None:
    """Draw a cell, if it has a number; only labeled points are in the legend."""
    if cell.accuracy_lost is None or cell.evidence is None:
        return
    axes.plot(
        [cell.accuracy_lost],
        [cell.evidence],
        markersize=size,
        markerfacecolor="white" if hollow else style["color"],
        markeredgecolor=style["color"],
        markeredgewidth=1.3,
        label=label,
        alpha=1 if label else 0.75,
        **style,
    )
