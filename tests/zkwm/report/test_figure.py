"""The figure shows what the evidence says, inside its frame, at any size."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkwm.report.figure import HEIGHT, WIDTH, null_figure
from zkwm_protocols.evidence import Evidence, assess, null_distribution
from zkwm_protocols.policy import Policy

SVG = "{http://www.w3.org/2000/svg}"


def evidence(matches: int, blocks: int = 1, size: int = 50, classes: int = 10) -> Evidence:
    return assess(
        matches,
        blocks_used=blocks,
        block_count=20,
        block_size=size,
        class_count=classes,
        policy=Policy(),
    )


def draw(outcome: Evidence, *, final: bool = True) -> ElementTree.Element:
    return ElementTree.fromstring(null_figure(outcome, final=final))


def one(figure: ElementTree.Element, kind: str) -> ElementTree.Element:
    [element] = [e for e in figure.iter() if e.get("class") == kind]
    return element


def texts(figure: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in figure.iter(f"{SVG}text")]


def test_bars_are_the_null_distribution() -> None:
    bars = [e for e in draw(evidence(49)).iter() if e.get("class") == "luck"]
    heights = [float(bar.get("height", "")) for bar in bars]
    chances = null_distribution(50, 10)
    assert heights.index(max(heights)) == chances.index(max(chances)) == 5
    assert heights[2] / heights[5] == pytest.approx(chances[2] / chances[5], abs=1e-3)


def test_labels_say_observed_needed_and_luck() -> None:
    shown = texts(draw(evidence(49)))
    assert "observed: 49 matches" in shown
    assert "needed: 44 matches" in shown
    assert "by luck: about 5.0" in shown
    assert "number of matching answers out of 50" in shown
    assert "probability by luck" in shown


def test_a_count_that_is_not_final_says_so_far() -> None:
    assert "so far: 30 matches" in texts(draw(evidence(30), final=False))


@pytest.mark.parametrize(("matches", "inside"), [(43, False), (44, True)])
def test_the_observation_is_in_the_shade_exactly_when_it_is_enough(
    matches: int, inside: bool
) -> None:
    outcome = evidence(matches)
    figure = draw(outcome)
    assert outcome.reached is inside
    observed = float(one(figure, "observed").get("x1", ""))
    assert (observed > float(one(figure, "enough").get("x", ""))) is inside


def test_without_a_reachable_threshold_nothing_is_marked_as_needed() -> None:
    shown = texts(draw(evidence(5, size=5)))
    assert not [text for text in shown if "needed" in text]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_everything_stays_in_the_frame(data: st.DataObject) -> None:
    size = data.draw(st.sampled_from([1, 2, 7, 50, 151, 500]))
    blocks = data.draw(st.integers(1, 20))
    classes = data.draw(st.sampled_from([2, 3, 10, 1000, 65_535]))
    matches = data.draw(st.integers(0, size * blocks))
    figure = draw(evidence(matches, blocks, size, classes))
    for element in figure.iter():
        for name in ("x", "x1", "x2"):
            assert 0 <= float(element.get(name, 0)) <= WIDTH
        for name in ("y", "y1", "y2"):
            assert 0 <= float(element.get(name, 0)) <= HEIGHT
        if element.get("class") == "label":
            x, room = float(element.get("x", "")), 6.4 * len(element.text or "")
            start = {"start": x, "middle": x - room / 2, "end": x - room}
            left = start[element.get("text-anchor", "")]
            assert left >= -1
            assert left + room <= WIDTH + 1
    assert len(ElementTree.tostring(figure)) < 40_000
