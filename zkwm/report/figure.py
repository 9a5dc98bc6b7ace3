"""The figure of matches: null distribution, matches needed and observed, as inline SVG.

Readable in grayscale: bars, a dashed line and a solid line with a diamond, each labeled in words.
Only numbers and fixed words enter the SVG. For declared labels no null distribution holds, so there
is no figure.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor, log10

from zkwm.report.visible import by_luck, count
from zkwm_protocols.evidence import Evidence, null_distribution

WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 702, 66, 246
_MOST_BARS = 150
_UPPER, _LOWER = 18, 40
_GLYPH = 6.4


def null_figure(evidence: Evidence, *, final: bool, least: bool = False) -> str:
    """An SVG element, 720 by 300 units: the distribution of matches of an unrelated model.

    ``final`` is false where answers are missing (the count says "so far"); ``least`` is true where
    the count was proven in zero knowledge, so that there may be more (it says "at least").
    """
    chances = null_distribution(evidence.trials, evidence.class_count)
    step, top = _probability_axis(max(chances))
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-labelledby="figure-title" class="figure"><title id="figure-title">'
            f"{_description(evidence)}</title>",
            *_enough(evidence),
            *_axes(evidence.trials, step, top),
            _distribution(chances, top),
            *_marks(evidence, "at least" if least else "observed" if final else "so far"),
            "</svg>",
        )
    )


def _description(evidence: Evidence) -> str:
    """The figure in a sentence, for those who cannot see it."""
    needed = evidence.needed_matches
    return (
        f"Number of matching answers out of {evidence.trials}: by luck "
        f"{by_luck(evidence.trials, evidence.class_count)}, "
        + (f"needed {needed}, " if needed is not None else "")
        + f"observed {evidence.matches}."
    )


def _x(matches: float, trials: int) -> float:
    """The center of the column of ``matches``; columns 0 to trials fill the width."""
    return _LEFT + (_RIGHT - _LEFT) * (matches + 0.5) / (trials + 1)


def _y(chance: float, top: float) -> float:
    """The height of a probability."""
    return _BOTTOM - (_BOTTOM - _TOP) * chance / top


def _probability_axis(highest: float) -> tuple[float, float]:
    """A round step and the end of the axis, a whole number of steps above ``highest``."""
    rough = highest / 4
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    return step, step * ceil(highest / step)


def _match_ticks(trials: int) -> list[int]:
    """About ten round numbers from 0 to ``trials``."""
    rough = trials / 10
    power = 10 ** max(0, floor(log10(rough))) if rough >= 1 else 1
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    ticks = list(range(0, trials + 1, step))
    if trials - ticks[-1] > step / 2:
        ticks.append(trials)
    return ticks


def _axes(trials: int, step: float, top: float) -> Iterator[str]:
    """Grid, ticks and titles of both axes."""
    for number in range(round(top / step) + 1):
        y = _y(number * step, top)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield (
            f'<text x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">'
            f"{100 * number * step:.4g} %</text>"
        )
    yield f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{_BOTTOM}" y2="{_BOTTOM}"/>'
    for tick in _match_ticks(trials):
        x = _x(tick, trials)
        yield f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{_BOTTOM}" y2="{_BOTTOM + 5}"/>'
        yield f'<text x="{x:.1f}" y="{_BOTTOM + 19}" text-anchor="middle">{tick:,}</text>'
    middle = (_LEFT + _RIGHT) / 2
    yield (
        f'<text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"number of matching answers out of {trials:,}</text>"
    )
    yield (
        f'<text class="side" transform="translate(13 {(_TOP + _BOTTOM) / 2:.0f}) rotate(-90)" '
        'text-anchor="middle">probability by luck</text>'
    )


def _distribution(chances: tuple[float, ...], top: float) -> str:
    """Bars, or one outline where they would be too many; heights under a tenth unit left out."""
    trials = len(chances) - 1
    seen = [k for k, chance in enumerate(chances) if _BOTTOM - _y(chance, top) > 0.1]
    if trials <= _MOST_BARS:
        width = 0.8 * (_RIGHT - _LEFT) / (trials + 1)
        return "".join(
            f'<rect class="luck" x="{_x(k, trials) - width / 2:.2f}" y="{_y(chances[k], top):.2f}" '
            f'width="{width:.2f}" height="{_BOTTOM - _y(chances[k], top):.2f}"/>'
            for k in seen
        )
    points = " ".join(f"{_x(k, trials):.2f},{_y(chances[k], top):.2f}" for k in seen)
    first, last = _x(seen[0], trials), _x(seen[-1], trials)
    return f'<polygon class="luck" points="{first:.2f},{_BOTTOM} {points} {last:.2f},{_BOTTOM}"/>'


def _enough(evidence: Evidence) -> Iterator[str]:
    """Light shading behind the columns that reach the threshold."""
    if evidence.needed_matches is not None:
        x = _x(evidence.needed_matches - 0.5, evidence.trials)
        yield (
            f'<rect class="enough" x="{x:.1f}" y="{_TOP}" width="{_RIGHT - x:.1f}" '
            f'height="{_BOTTOM - _TOP}"/>'
        )


def _marks(evidence: Evidence, word: str) -> Iterator[str]:
    """Lines and their labels; the line further right gets the upper row, so that none cross."""
    trials, needed, observed = evidence.trials, evidence.needed_matches, evidence.matches
    rows = (_UPPER, _LOWER)
    if needed is not None and observed < needed:
        rows = (_LOWER, _UPPER)
    x = _x(observed, trials)
    lines, flags = [_line("observed", x, rows[0])], []
    lines.append(f'<path class="diamond" d="M{x:.1f} {_BOTTOM - 9} l7 9 l-7 9 l-7 -9 z"/>')
    text = f"{word}: {count(observed, 'match')}"
    flags.append(_flag(x, rows[0], text, rows[0] == _LOWER, bold=True))
    if needed is not None:
        x = _x(needed - 0.5, trials)
        lines.append(_line("needed", x, rows[1]))
        flags.append(_flag(x, rows[1], f"needed: {count(needed, 'match')}", rows[1] == _LOWER))
    yield from lines
    yield from flags
    text = f"by luck: {by_luck(trials, evidence.class_count)}"
    crossing = [_x(observed, trials), *([] if needed is None else [_x(needed - 0.5, trials)])]
    middle = _beside(_x(trials / evidence.class_count, trials), _GLYPH * len(text) / 2, crossing)
    yield _label(middle, _TOP - 6, text, "middle")


def _beside(x: float, half: float, lines: list[float]) -> float:
    """The middle of a label of width 2 ``half``: near ``x``, inside the frame, off all lines."""
    nearest = min(max(x, _LEFT + half), WIDTH - half)
    places = [nearest, *(line + side * (half + 6) for line in lines for side in (1, -1))]
    for place in places:
        inside = _LEFT + half <= place <= WIDTH - half
        if inside and all(abs(line - place) > half for line in lines):
            return place
    return nearest


def _line(kind: str, x: float, row: float) -> str:
    """A vertical line of a CSS class down to the axis."""
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{row - 10}" y2="{_BOTTOM}"/>'


def _flag(x: float, y: float, text: str, leftwards: bool, *, bold: bool = False) -> str:
    """A label beside a line at ``x``, on the side asked for unless there is no room."""
    room = _GLYPH * len(text) + 12
    if leftwards and x - room < 4:
        leftwards = False
    elif not leftwards and x + room > WIDTH:
        leftwards = True
    return _label(x - 6 if leftwards else x + 6, y, text, "end" if leftwards else "start", bold)


def _label(x: float, y: float, text: str, anchor: str, bold: bool = False) -> str:
    """A text with a white outline."""
    weight = ' font-weight="700"' if bold else ""
    return (
        f'<text class="label" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{text}</text>'
    )
