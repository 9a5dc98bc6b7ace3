"""The figures of ranks and of points: observed counts and the null expectation, as inline SVG.

Readable in grayscale; only numbers and fixed words enter the SVG. ``figure`` draws matches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zkwm_protocols.score_points import largest_points

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
    names = [f"{place + 1}" for place in range(places)]
    if class_count > places:
        names[-1] += "+"
    return _figure(
        counts,
        luck,
        names,
        f"Places of the labels of {asked} images among {class_count} classes: {counts[0]} at "
        f"the first place, {luck[0]:.1f} by luck.",
        "rank of the label among all classes, by the model's centered scores",
    )


def score_figure(counted: Sequence[tuple[bytes | None, int | None]], class_count: int) -> str:
    """An SVG element, 720 by 300 units, of the labels' points, and of those of all classes.

    ``counted`` has the points of all classes and the label of each image; one without points
    (unanswered) is left out.
    """
    counts, luck = ([0.0] * (largest_points(class_count) + 1) for _ in range(2))
    for row, label in counted:
        if row is None or label is None:
            continue
        counts[row[label]] += 1
        for value in row:
            luck[value] += 1 / class_count
    whole = [round(count) for count in counts]
    asked = sum(whole)
    mean, typical = (
        sum(value * count for value, count in enumerate(one)) / max(asked, 1)
        for one in (whole, luck)
    )
    return _figure(
        whole,
        luck,
        [str(value) for value in range(len(whole))],
        f"Points of the labels of {asked} images: {mean:.1f} on average, {typical:.1f} by luck.",
        "points of the label, by place and distance among the model's scores",
    )


def _figure(
    counts: Sequence[int], luck: Sequence[float], names: Sequence[str], title: str, axis: str
) -> str:
    """The SVG: a bar and a dashed expectation for each name."""
    top = max(*counts, *luck, 1) * 1.08
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            'aria-labelledby="figure-title" class="figure ranks"><title id="figure-title">'
            f"{title}</title>",
            *_bars(counts, luck, top, names),
            f'<text x="{(_LEFT + _RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
            f"{axis}</text>",
            f'<text class="side" transform="translate(20 {(_TOP + _BOTTOM) / 2:.0f}) rotate(-90)" '
            'text-anchor="middle">number of images</text>',
            "</svg>",
        )
    )


def _bars(
    counts: Sequence[int], luck: Sequence[float], top: float, names: Sequence[str]
) -> Iterator[str]:
    """One bar and one dashed expectation for each name, and the axis."""
    wide = (_RIGHT - _LEFT) / len(counts)
    scale = (_BOTTOM - _TOP) / top
    yield f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{_BOTTOM}" y2="{_BOTTOM}"/>'
    for place, (count, expected, name) in enumerate(zip(counts, luck, names, strict=True)):
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
        yield f'<text x="{middle:.1f}" y="{_BOTTOM + 19}" text-anchor="middle">{name}</text>'
