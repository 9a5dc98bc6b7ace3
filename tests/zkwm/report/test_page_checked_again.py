"""What the printable report says about checking its result again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from tests.support.html_page import Page
from tests.zkwm.report.conftest import argued
from zkwm.judge.verdict import CheckedBy, Verdict
from zkwm.report import render_report
from zkwm_protocols.suspect_identity import Account


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("onnx", "Exactly, on the same software and kind of processor"),
        ("safetensors", "asks the same weights again"),
        ("http", "Not by asking again"),
        ("extraction", "reads the same bits from the same weights"),
    ],
)
def test_it_says_how_exactly_the_same_comes_out(
    make_verdict: Callable[..., Verdict], kind: str, words: str
) -> None:
    form = {"class_count": 2, "shape": (1, 1, 32)} if kind == "extraction" else {}
    assert words in Page(render_report(make_verdict(kind=kind, **form))).text


def test_what_a_service_does_itself_is_not_said_to_be_fixed(
    make_verdict: Callable[..., Verdict],
) -> None:
    assert (
        "the service's own: it is sent pixels"
        in Page(render_report(make_verdict(kind="http"))).text
    )
    assert "pixels divided by 255" in Page(render_report(make_verdict())).text


@pytest.mark.parametrize(
    ("kind", "model"),
    [("onnx", "MODEL.onnx"), ("safetensors", "MODEL_FOLDER"), ("http", "https://ADDRESS")],
)
def test_the_command_to_check_again(
    make_verdict: Callable[..., Verdict], kind: str, model: str
) -> None:
    text = Page(render_report(make_verdict(kind=kind))).text
    assert (
        f"zkwm verify --commitment FILE.commitment --model {model} --challenge FILE.challenge "
        "--proof FILE.proof --judge JUDGE.key --report report.html"
    ) in text


def test_it_says_who_can_check_again(make_verdict: Callable[..., Verdict]) -> None:
    opened = Page(render_report(make_verdict())).text
    assert "only the judge can do this" in opened
    assert "zkwm inspect FILE.verdict --judge JUDGE.key.pub" in opened
    told = Page(render_report(argued())).text
    assert "anybody runs" in told
    assert "--judge JUDGE.key.pub" in told
    assert "Exactly, on every machine" in told
    public = dataclasses.replace(argued(), checked_by=CheckedBy.PUBLIC)
    assert "by the clock of whoever checked" in Page(render_report(public)).text


def test_the_command_to_check_again_names_every_file_that_the_challenge_pins(
    make_verdict: Callable[..., Verdict],
) -> None:
    verdict = make_verdict(kind="http")
    assert verdict.challenge is not None
    assert verdict.header is not None
    suspect = dataclasses.replace(
        verdict.challenge.suspect,
        adapter="template",
        template=bytes(32),
        account=Account(("authorization",), bytes(32), bytes(32)),
    )
    pinned = dataclasses.replace(
        verdict,
        challenge=dataclasses.replace(verdict.challenge, suspect=suspect),
        header=dataclasses.replace(verdict.header, probe_data=bytes(32)),
    )
    options = ("--probes DATA", "--template FILE.json", "--header-file HEADERS")
    for one, given in ((verdict, False), (pinned, True)):
        text = Page(render_report(one)).text
        assert [option in text for option in options] == [given] * 3
