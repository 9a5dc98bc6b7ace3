"""Sixteen small plots in one SVG: costs of the argument against what they grow with.

A column for each series, a row for each cost; measured points and the claimed law, fitted by least
squares and written out. Readable in gray, on a light and on a dark page. ``argument_laws`` draws
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, floor, log2, log10
from typing import Any

import numpy as np

Line = dict[str, Any]

_LEFT, _TOP, _WIDTH, _HEIGHT = 46, 56, 212, 104
_ACROSS, _DOWN = 280, 172
_SIZE = (4 * _ACROSS + 6, _TOP + 4 * _DOWN - 24)


@dataclass(frozen=True)
class Growth:
    """A column: its series, its title, and x of a line with its symbol in a law."""

    series: str
    title: str
    symbol: str
    value: Callable[[Line], float]


@dataclass(frozen=True)
class Cost:
    """A row: y of a line, and whether it grows with the logarithm of x."""

    title: str
    value: Callable[[Line], float]
    logarithm: bool = False


COLUMNS = (
    Growth("triggers", "triggers of LeNet-5, n", "n", lambda line: line["triggers"]),
    Growth(
        "activations", "activations of an image, thousands, A", "A",
        lambda line: line["activations"] / 1e3,
    ),
    Growth(
        "weights", "products of an image, millions, P", "P", lambda line: line["products"] / 1e6
    ),
    Growth("resnet18", "triggers of ResNet-18, n", "n", lambda line: line["triggers"]),
)  # fmt: skip
ROWS = (
    Cost("prove, processor s", lambda line: line["prove_processor_seconds"]),
    Cost("memory, GiB", lambda line: line["peak_bytes"] / 2**30),
    Cost("proof, MiB", lambda line: line["proof_bytes"] / 2**20, logarithm=True),
    Cost("verify, processor s", lambda line: line["verify_processor_seconds"]),
)


def fit(x: list[float], y: list[float], logarithm: bool) -> tuple[float, float]:
    """Least squares: y is first + second * x, or * log2(x)."""
    values = np.log2(np.array(x)) if logarithm else np.array(x)
    design = np.stack([np.ones(len(values)), values], axis=1)
    first, second = np.linalg.lstsq(design, np.array(y), rcond=None)[0]
    return float(first), float(second)


def figure(lines: list[Line]) -> str:
    """The SVG; columns whose series has no two lines are left empty."""
    width, height = _SIZE
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-labelledby="laws">'
            '<title id="laws">Prover time and memory, proof size and verifier time of the '
            "zero-knowledge argument against triggers, activations and products.</title>",
            _STYLE,
            f'<rect class="page" width="{width}" height="{height}"/>',
            f'<text class="head" x="{_LEFT}" y="22">'
            "What an argument costs: measured (dots) and the law fitted (line)</text>",
            *_plots(lines),
            "</svg>\n",
        )
    )


def _plots(lines: list[Line]) -> Iterator[str]:
    """All plots, column by column."""
    for column, growth in enumerate(COLUMNS):
        chosen = sorted(
            (line for line in lines if line["series"] == growth.series), key=growth.value
        )
        if len(chosen) < 2:
            continue
        for row, cost in enumerate(ROWS):
            yield f'<g transform="translate({_LEFT + column * _ACROSS} {_TOP + row * _DOWN})">'
            yield from _plot(
                growth,
                cost,
                [growth.value(line) for line in chosen],
                [cost.value(line) for line in chosen],
            )
            yield "</g>"


def _plot(growth: Growth, cost: Cost, x: list[float], y: list[float]) -> Iterator[str]:
    """One plot: axes, titles, the fitted law and the measured points."""
    first, second = fit(x, y, cost.logarithm)
    right, top = _axis(max(x)), _axis(max(y))
    yield from _grid(right, top)
    yield f'<text class="label" x="{_WIDTH / 2}" y="{_HEIGHT + 33}">{growth.title}</text>'
    yield f'<text class="cost" x="{-_LEFT + 8}" y="-9">{cost.title}</text>'
    yield f'<text class="law" x="{_WIDTH}" y="-9">{law(growth, cost, x, y)}</text>'
    curve = [min(x) / 2 + (right[1] - min(x) / 2) * i / 60 for i in range(61)]
    points = " ".join(
        f"{_WIDTH * at / right[1]:.1f},{_HEIGHT * (1 - value / top[1]):.1f}"
        for at in curve
        if 0 <= (value := first + second * (log2(at) if cost.logarithm else at)) <= top[1]
    )
    yield f'<polyline class="fit" points="{points}"/>'
    for at, value in zip(x, y, strict=True):
        yield (
            f'<circle class="dot" cx="{_WIDTH * at / right[1]:.1f}" '
            f'cy="{_HEIGHT * (1 - value / top[1]):.1f}" r="3.2"/>'
        )


def law(growth: Growth, cost: Cost, x: list[float], y: list[float]) -> str:
    """The fitted law as text; without its slope where it changes y by less than a hundredth."""
    first, second = fit(x, y, cost.logarithm)
    low, high = (first + second * (log2(at) if cost.logarithm else at) for at in (min(x), max(x)))
    name = growth.symbol
    if abs(high - low) < 0.01 * max(abs(low), abs(high)):
        return f"{_digits(sum(y) / len(y))}, whatever {name}"
    growing = f"log₂ {name}" if cost.logarithm else name
    sign = "+" if second >= 0 else "−"
    return f"{_digits(first)} {sign} {_digits(abs(second))} {growing}"


def _digits(value: float) -> str:
    """Two digits that count, never as a power of ten."""
    return f"{value:.{max(0, 1 - floor(log10(abs(value))))}f}" if value else "0"


def _grid(right: tuple[float, float], top: tuple[float, float]) -> Iterator[str]:
    """Grid lines, ticks and their numbers."""
    for tick in _ticks(top):
        at = _HEIGHT * (1 - tick / top[1])
        yield f'<line class="grid" x1="0" x2="{_WIDTH}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text class="tick up" x="-6" y="{at + 3.5:.1f}">{tick:,.4g}</text>'
    for tick in _ticks(right):
        at = _WIDTH * tick / right[1]
        yield f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{_HEIGHT}" y2="{_HEIGHT + 4}"/>'
        yield f'<text class="tick" x="{at:.1f}" y="{_HEIGHT + 17}">{tick:,.4g}</text>'
    yield f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>'


def _axis(largest: float) -> tuple[float, float]:
    """A round step, and the axis' end: a little above ``largest``, a whole number of steps."""
    rough = 1.04 * largest / 4
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    return step, step * ceil(1.04 * largest / step)


def _ticks(axis: tuple[float, float]) -> list[float]:
    """The positions of ticks on an axis."""
    step, end = axis
    return [step * i for i in range(round(end / step) + 1)]


_STYLE = """<style>
text { font: 11px system-ui, sans-serif; fill: #333 }
.page { fill: #fff } .head { font-size: 14px; font-weight: 600 }
.label, .tick { text-anchor: middle } .up, .law { text-anchor: end }
.cost { font-weight: 600 } .law, .tick { fill: #666 }
.grid { stroke: #e4e4e4 } .axis { stroke: #888 }
.fit { fill: none; stroke: #b5532a; stroke-width: 1.6 } .dot { fill: #1f4e79 }
</style>"""
