"""The opened triggers in the printable report: pictures, marks, and the copy without them."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tests.support.html_page import Page
from zkwm.judge.verdict import Verdict
from zkwm.report import render_report
from zkwm.report.pictures import data_uri, side_limit


def test_every_trigger_has_its_picture_and_answer_and_a_mark_in_words(
    verdicts: dict[str, Verdict],
) -> None:
    page = Page(render_report(verdicts["proven with misses"]))
    assert len(page.sources()) == 48
    assert len(re.findall(r"\d label \d output \d answer \d match", page.text)) == 36
    assert len(re.findall(r"\d label \d output \d answer \d no match", page.text)) == 8
    assert len(re.findall(r"\d label \d output \d no answer timed out", page.text)) == 4
    assert "except 2 that were not opened as committed" in page.text
    assert "94 no picture wrong leaf" in page.text
    assert "95 no picture not opened" in page.text
    assert "Block 1: 36 of 50 match" in page.text


def test_the_public_report_shows_no_trigger(make_verdict: Callable[..., Verdict]) -> None:
    statuses = ("match",) * 40 + ("no answer",) * 10
    verdict = make_verdict(statuses)
    black = np.zeros((1, 28, 28), dtype=np.uint8)
    others = [
        dataclasses.replace(result, image=black, problem="pixel 0, 0")
        for result in verdict.triggers
    ]
    pages = [
        render_report(dataclasses.replace(verdict, triggers=tuple(triggers)), public=True)
        for triggers in (verdict.triggers, others)
    ]
    assert pages[0] == pages[1]  # nothing in it depends on a pixel, or on words about one
    assert "<img" not in pages[0]
    assert "data:" not in pages[0]
    assert "Block 1: 40 of 50 match" in Page(pages[0]).text


def test_a_verdict_without_pictures_gives_the_public_report(
    verdicts: dict[str, Verdict],
) -> None:
    verdict = verdicts["proven with misses"]
    without = [dataclasses.replace(result, image=None) for result in verdict.triggers]
    read_back = dataclasses.replace(verdict, triggers=tuple(without))
    assert render_report(read_back) == render_report(verdict, public=True)


def test_every_page_says_whether_it_shows_triggers(verdicts: dict[str, Verdict]) -> None:
    full = render_report(verdicts["proven"])
    public = render_report(verdicts["proven"], public=True)
    nothing = render_report(verdicts["nothing readable"])
    shows, hides = "Shows opened triggers: not for third parties", "Copy without the pictures"
    for page, said, unsaid in ((full, shows, hides), (public, hides, shows)):
        assert f'@top-center {{ content: "{said}' in page  # printed, on each page
        assert f">{said}" in page  # on screen, at the top of what is scrolled
        assert unsaid not in page
    assert shows not in nothing
    assert hides not in nothing


def test_fifty_small_triggers_stay_well_under_a_megabyte(verdicts: dict[str, Verdict]) -> None:
    assert len(render_report(verdicts["proven"]).encode()) < 300_000


def test_a_thousand_large_triggers_are_reduced_and_the_page_says_so(
    make_verdict: Callable[..., Verdict],
) -> None:
    image = np.random.default_rng(1).integers(0, 256, (3, 224, 224), dtype=np.uint8)
    images = np.broadcast_to(image, (1000, 3, 224, 224))
    verdict = make_verdict(("match",) * 1000, shape=(3, 224, 224), block_count=20, images=images)
    source = render_report(verdict)
    assert len(source) < 8_000_000
    assert "The pictures are reduced to at most 32 pixels on the longer side" in source
    assert "full images of 224 × 224 pixels" in source


def test_more_than_a_thousand_triggers_are_listed_without_pictures(
    make_verdict: Callable[..., Verdict],
) -> None:
    images = np.zeros((1050, 1, 2, 2), dtype=np.uint8)
    verdict = make_verdict(("match",) * 1050, shape=(1, 2, 2), block_count=21, images=images)
    page = Page(render_report(verdict))
    assert len(page.sources()) == 1000
    assert "Only the first 1,000 are shown as pictures" in page.text
    assert page.text.count("no picture") == 50


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 1, 1), (3, 64, 5)])
def test_small_pictures_keep_their_pixels(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)
    encoded = data_uri(image, 64).removeprefix("data:image/png;base64,")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
    expected = image[0] if shape[0] == 1 else image.transpose(1, 2, 0)
    np.testing.assert_array_equal(shown, expected)


@pytest.mark.parametrize("shape", [(3, 224, 224), (1, 65, 20_000), (3, 100, 1)])
def test_large_pictures_are_reduced_to_the_limit(shape: tuple[int, int, int]) -> None:
    encoded = data_uri(np.zeros(shape, dtype=np.uint8), 64).removeprefix("data:image/png;base64,")
    assert max(Image.open(io.BytesIO(base64.b64decode(encoded))).size) == 64


def test_the_limit_of_pictures_follows_the_budget() -> None:
    assert side_limit(50, (3, 224, 224)) == 64
    assert side_limit(1000, (1, 28, 28)) == 64
    assert side_limit(1000, (3, 224, 224)) == 32
