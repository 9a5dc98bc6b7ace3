"""The figure of ranks: observed counts and the null expectation, as inline SVG.

Readable in grayscale; only numbers and fixed words enter the SVG. ``figure`` draws matches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 702, 40, 246
_MOST_PLACES = 20


def rank_figure(ranks: Sequence[int | None], class_count: int) -> str:
    """An SVG element, 720 by 300 units, of ranks 0 .. C - 1; None (unanswered) is left out.

    With more than 20 classes the last bar holds every rank from the 20th on.
    """
    places = min(class_count, _MOST_PLACES)
    counts = [0] * places
    for rank in ranks:
        if rank is not None:
            counts[min(rank, places - 1)] += 1
    asked = sum(counts)
    luck = [asked / class_count] * places
    luck[-1] = asked * (class_count - places + 1) / class_count
    top = max(*counts, *luck, 1) * 1.08
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            'aria-labelledby="figure-title" class="figure ranks"><title id="figure-title">'
            f"Places of the labels of {asked} images among {class_count} classes: {counts[0]} at "
            f"the first place, {luck[0]:.1f} by luck.</title>",
            *_bars(counts, luck, top, rest=class_count > places),
            "</svg>",
        )
    )


def _bars(counts: list[int], luck: list[float], top: float, *, rest: bool) -> Iterator[str]:
    """One bar and one dashed expectation for each rank, and the axis."""
    wide = (_RIGHT - _LEFT) / len(counts)
    scale = (_BOTTOM - _TOP) / top
    yield f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{_BOTTOM}" y2="{_BOTTOM}"/>'
    for place, (count, expected) in enumerate(zip(counts, luck, strict=True)):
        left, height = _LEFT + place * wide, count * scale
        middle = left + wide / 2
        yield (
            f'<rect class="luck" x="{left + 0.12 * wide:.1f}" y="{_BOTTOM - height:.1f}" '
            f'width="{0.76 * wide:.1f}" height="{height:.1f}"/>'
        )
        y = _BOTTOM - expected * scale
        yield (
            f'<line class="needed" x1="{left:.1f}" x2="{left + wide:.1f}" y1="{y:.1f}" '
            f'y2="{y:.1f}"/>'
        )
        yield (
            f'<text class="label" x="{middle:.1f}" y="{min(y, _BOTTOM - height) - 6:.1f}" '
            f'text-anchor="middle">{count:,}</text>'
        )
        name = f"{place + 1}{'+' if rest and place == len(counts) - 1 else ''}"
        yield f'<text x="{middle:.1f}" y="{_BOTTOM + 19}" text-anchor="middle">{name}</text>'
    yield (
        f'<text x="{(_LEFT + _RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
        "rank of the label among all classes, by the model's centered scores</text>"
    )
    yield (
        f'<text class="side" transform="translate(20 {(_TOP + _BOTTOM) / 2:.0f}) rotate(-90)" '
        'text-anchor="middle">number of images</text>'
    )
