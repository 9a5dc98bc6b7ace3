"""One SVG for a grid of equal budgets: bits by ranks that each attack leaves, seed by seed.

A row for each attack, a lane for each mark: a dot for each seed, hollow where the attack does not
count, and a stroke at the mean. Readable in gray by the lanes' order. ``docs_results`` writes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from statistics import mean
from typing import Any

Line = dict[str, Any]

_LEFT, _WIDTH, _TOP, _LANE, _GAP = 270, 500, 64, 9, 8
_STEP = 100
"""Bits between two grid lines."""


def figure(lines: list[Line], marks: list[str], title: str) -> str:
    """The SVG of the attacks that were measured on one of the marks; deterministic."""
    known = [
        line
        for line in lines
        if line["watermark"] in marks and line["rank_bits"] is not None
        if line["status"] == "measured"
    ]
    attacks = list(dict.fromkeys(line["attack"] for line in known))
    most = max((line["rank_bits"] for line in known), default=0.0)
    right = _STEP * (int(most / _STEP) + 1)
    row = _LANE * len(marks) + _GAP
    width, height = _LEFT + _WIDTH + 20, _TOP + row * len(attacks) + 30
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-labelledby="title">',
            f'<title id="title">{escape(title)}: bits left by each attack.</title>',
            _STYLE,
            f'<rect class="page" width="{width}" height="{height}"/>',
            f'<text class="head" x="12" y="22">{escape(title)}: bits left, by ranks, before '
            "allowances</text>",
            *_legend(marks),
            *_axis(right, row * len(attacks)),
            *(
                part
                for place, attack in enumerate(attacks)
                for part in _row(
                    [line for line in known if line["attack"] == attack],
                    marks,
                    _TOP + place * row,
                    right,
                )
            ),
            "</svg>\n",
        )
    )


def _legend(marks: list[str]) -> Iterator[str]:
    """The name of each lane, from above."""
    for place, mark in enumerate(marks):
        x = 18 + 190 * place
        yield f'<circle class="dot m{place}" cx="{x}" cy="40" r="3.5"/>'
        yield f'<text x="{x + 9}" y="44">{escape(mark)}</text>'
    yield f'<text class="note" x="{26 + 190 * len(marks)}" y="44">hollow: does not count</text>'


def _axis(right: int, height: int) -> Iterator[str]:
    """Grid lines with their bits."""
    for bits in range(0, right + 1, _STEP):
        x = f"{_LEFT + _WIDTH * bits / right:.1f}"
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP - 6}" y2="{_TOP + height}"/>'
        yield f'<text class="tick" x="{x}" y="{_TOP + height + 16}">{bits}</text>'


def _row(lines: list[Line], marks: list[str], top: int, right: int) -> Iterator[str]:
    """One attack: its name, and a lane for each mark."""
    name, middle = escape(lines[0]["attack"]), top + _LANE * len(marks) / 2 + 2
    yield f'<text class="name" x="{_LEFT - 12}" y="{middle:.1f}">{name}</text>'
    for place, mark in enumerate(marks):
        y = f"{top + _LANE * (place + 0.5):.1f}"
        chosen = [line for line in lines if line["watermark"] == mark]
        for line in chosen:
            hollow = " hollow" if line["counts"] is False else ""
            x = _LEFT + _WIDTH * line["rank_bits"] / right
            yield f'<circle class="dot m{place}{hollow}" cx="{x:.1f}" cy="{y}" r="3"/>'
        if len(chosen) > 1:
            x = _LEFT + _WIDTH * mean(line["rank_bits"] for line in chosen) / right
            low, high = top + _LANE * place, top + _LANE * (place + 1)
            yield f'<line class="mean m{place}" x1="{x:.1f}" x2="{x:.1f}" y1="{low}" y2="{high}"/>'


_STYLE = """<style>
text { font: 11px system-ui, sans-serif; fill: #333 }
.page { fill: #fff } .head { font-size: 14px; font-weight: 600 }
.name { text-anchor: end } .tick { text-anchor: middle; fill: #666 } .note { fill: #666 }
.grid { stroke: #e4e4e4 } .dot { stroke-width: 1.2 } .mean { stroke-width: 2 }
.m0 { fill: #8a8f98; stroke: #8a8f98 } .m1 { fill: #1f4e79; stroke: #1f4e79 }
.m2 { fill: #c9a227; stroke: #c9a227 } .m3 { fill: #b5532a; stroke: #b5532a }
.hollow { fill: #fff }
</style>"""
