"""The printable report: complete, self-contained, and immune to hostile text."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tests.zkwm.report.conftest import argued
from zkwm.judge.results import Check, TriggerResult
from zkwm.judge.verdict import CheckedBy, Outcome, Verdict
from zkwm.report import render_report
from zkwm.report.pictures import data_uri, side_limit
from zkwm_protocols.suspect_identity import Account

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\u202e{{ 7*7 }}"
VOID = {"meta", "br", "img", "wbr"}


class Page(HTMLParser):
    """Elements, their attributes and all text; fails where tags do not nest."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.parts: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []
        self.text = " ".join("".join(self.parts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("td", "th", "dt", "dd"):
            self.parts.append(" ")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.parts.append(data)

    def sources(self) -> list[str]:
        return [attributes["src"] or "" for _, attributes in self.elements if "src" in attributes]


def test_every_outcome_gives_a_whole_page_with_its_title(verdicts: dict[str, Verdict]) -> None:
    titles = {
        Outcome.PROVEN: "Proven",
        Outcome.NOT_PROVEN: "Not proven",
        Outcome.COULD_NOT_CHECK: "Could not be checked",
        Outcome.TRUST_MATERIAL_MISSING: "Trust material is missing",
    }
    assert {verdict.outcome for verdict in verdicts.values()} == set(titles)
    for verdict in verdicts.values():
        source = render_report(verdict)
        page = Page(source)
        assert f"</svg> {titles[verdict.outcome]}</h1>" in source
        assert "What this result does not say" in page.text
        assert "2025-11-22 03:00:01 UTC" in page.text


def test_the_page_needs_nothing_from_elsewhere(verdicts: dict[str, Verdict]) -> None:
    for name, verdict in verdicts.items():
        source = render_report(verdict)
        page = Page(source)
        assert "default-src 'none'" in source
        assert all(uri.startswith("data:image/png;base64,") for uri in page.sources()), name
        tags = {tag for tag, _ in page.elements}
        assert not tags & {"script", "link", "iframe", "object", "form", "a", "base"}
        for _, attributes in page.elements:
            assert not [key for key in attributes if key.startswith("on")]
            assert (attributes.get("href") or "#").startswith("#")
        assert "url(" not in source
        assert "@import" not in source


def test_it_says_what_was_claimed_by_whom_and_checked_how(
    make_verdict: Callable[..., Verdict],
) -> None:
    verdict = make_verdict()
    assert verdict.header is not None
    assert verdict.challenge is not None
    assert verdict.commitment_digest is not None
    text = Page(render_report(verdict)).text
    for expected in (
        "by the judge's own clock",
        verdict.commitment_digest.hex(),
        verdict.challenge.digest.hex(),
        verdict.challenge.suspect.digest.hex(),
        verdict.header.owner_keys[0].fingerprint(),
        verdict.challenge.judge.fingerprint(),
        verdict.challenge.purpose,
        verdict.challenge.suspect.description,
        "49 of 50",
        "at most 1 in 10²⁵; the judge demands at most 1 in 1 trillion",
        "Keep these pictures from third parties",
        "onnxruntime 1.23.2",
    ):
        assert expected in text
    for check in verdict.checks:
        assert f"{check.status} {check.title} {check.id}" in text.replace(": 50 of 50", "")


def test_the_sum_stands_term_by_term(make_verdict: Callable[..., Verdict]) -> None:
    verdict = make_verdict()
    assert verdict.evidence is not None
    text = Page(render_report(verdict)).text
    for term in verdict.evidence.terms:
        bits = f"{abs(term.hundredths) / 100:.2f}"
        sign = "−" if term.hundredths < 0 else ""
        assert f"{term.name} {sign}{bits} {term.meaning}" in text
    assert "evidence left 84.27 at least as much as demanded: enough" in text
    assert "demanded by the judge 40.00" in text


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


def test_parties_and_files_stand_in_full(make_verdict: Callable[..., Verdict]) -> None:
    verdict = make_verdict()
    text = Page(render_report(verdict, public=True)).text
    for expected in (
        "nobody checked this",
        "Case 12 O 345/25 (as stated) Owner Acme Inc. (as stated) Judge not stated",
        "Model obtained bought at a shop (as stated)",
        "To sign by hand",
        *(
            f'"{file.name}", {file.size:,} bytesSHA-256 {file.digest.hex()}'
            for file in verdict.files
        ),
    ):
        assert expected in text


def test_no_reader_meets_negative_evidence_or_logarithms(verdicts: dict[str, Verdict]) -> None:
    for name in ("not proven", "unreachable"):
        text = Page(render_report(verdicts[name])).text
        assert "evidence left none" in text
        assert "no bits of evidence are left" in text
        assert "log2" not in text


def test_evidence_and_pictures_come_before_the_checks(verdicts: dict[str, Verdict]) -> None:
    page = render_report(verdicts["proven"])
    places = [
        page.index(f"<h2>{heading}</h2>")
        for heading in ("In plain words", "The evidence, added up", "The opened triggers",
                        "What was claimed, and by whom", "What was checked")
    ]  # fmt: skip
    assert places == sorted(places)


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


def test_the_page_says_what_the_result_does_not_say(verdicts: dict[str, Verdict]) -> None:
    for verdict in verdicts.values():
        text = Page(render_report(verdict)).text
        for expected in (
            "who copied whom",
            "A mark in one's own product",
            "Nobody signed a date here",
            "not a probability of guilt",
            "does not mean innocent",
            "They are spent",
        ):
            assert expected in text


@pytest.mark.parametrize("name", ["declared", "declared accepted", "declared too few"])
def test_declared_labels_show_matches_without_bits_or_figure(
    verdicts: dict[str, Verdict], name: str
) -> None:
    source = render_report(verdicts[name])
    text = Page(source).text
    assert not re.search(r"\bbits?\b", text, re.IGNORECASE)
    assert "<figure>" not in source
    assert "by luck" not in text
    assert "transferable adversarial images" in text
    assert ("--accept-declared-labels" in text) is verdicts[name].declared_labels_accepted
    if verdicts[name].declared_labels_accepted:
        assert "the judge accepted declared labels" in text
    else:
        assert "because the judge did not accept declared labels" in text


def test_a_count_with_missing_answers_is_not_final_and_states_no_odds(
    verdicts: dict[str, Verdict],
) -> None:
    text = Page(render_report(verdicts["answers missing"])).text
    assert "This count is not final" in text
    assert "so far: 30 matches" in text
    assert "reaches a result this good" not in text
    assert "The model behind an address" in text


def test_a_failed_leaf_in_a_proven_case_is_explained(make_verdict: Callable[..., Verdict]) -> None:
    failed = Check("opening.leaves", "Every opened trigger hashes", "failed", "1 of 50 wrong")
    verdict = make_verdict(("match",) * 49 + ("wrong leaf",), checks=(failed,))
    text = Page(render_report(verdict)).text
    assert "each counts as an answer that does not match" in text


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


def test_printed_pages_carry_both_digests(make_verdict: Callable[..., Verdict]) -> None:
    verdict = make_verdict()
    assert verdict.challenge is not None
    assert verdict.commitment_digest is not None
    source = render_report(verdict)
    assert (
        f'@bottom-left {{ content: "commitment {verdict.commitment_digest.hex()}\\A '
        f'challenge {verdict.challenge.digest.hex()}"; }}'
    ) in source
    assert "size: A4" in source


def test_hostile_text_is_escaped_everywhere(make_verdict: Callable[..., Verdict]) -> None:
    plain = HOSTILE.replace("\u202e", "")
    clean = make_verdict(description=plain, purpose=plain)
    verdict = dataclasses.replace(
        clean,
        reason=HOSTILE,
        hint=HOSTILE,
        checks=(Check(HOSTILE, HOSTILE, HOSTILE, HOSTILE), *clean.checks),
        triggers=(
            TriggerResult(1, 50, HOSTILE, None, None, None, None, HOSTILE),
            *clean.triggers[1:],
        ),
        versions={HOSTILE: HOSTILE},
    )
    source = render_report(verdict)
    page = Page(source)
    assert len(page.sources()) == 49
    assert "script" not in {tag for tag, _ in page.elements}
    assert "<script>alert(1)</script>" in page.text
    assert "onerror=alert(1)>&amp;[U+202E]{{ 7*7 }}" in page.text
    assert "\u202e" not in source


def test_very_long_text_is_cut(make_verdict: Callable[..., Verdict]) -> None:
    verdict = make_verdict(reason="r" * 10**6, hint="h" * 10**6)
    assert len(render_report(verdict)) < 200_000


def test_a_time_beyond_the_calendar_is_shown_as_seconds(
    make_verdict: Callable[..., Verdict],
) -> None:
    verdict = make_verdict()
    assert verdict.challenge is not None
    late = dataclasses.replace(
        verdict, challenge=dataclasses.replace(verdict.challenge, issued=2**40)
    )
    assert "1,099,511,627,776 seconds after 1970" in Page(render_report(late)).text


def test_labels_that_need_a_timestamp_are_not_called_derived_from_the_commitment_alone(
    make_verdict: Callable[..., Verdict],
) -> None:
    verdict = make_verdict()
    assert verdict.header is not None
    header = dataclasses.replace(verdict.header, timestamp_authority=bytes(range(32)))
    missing = dataclasses.replace(
        verdict, outcome=Outcome.TRUST_MATERIAL_MISSING, header=header, evidence=None, triggers=()
    )
    assert "not defined without its token" in Page(render_report(missing)).text


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


def test_an_outcome_without_any_knowledge_still_explains_itself(
    verdicts: dict[str, Verdict],
) -> None:
    verdict = verdicts["nothing readable"]
    assert verdict.outcome == Outcome.COULD_NOT_CHECK
    text = Page(render_report(verdict)).text
    assert "neither confirmed nor refuted" in text
    assert text.count("not known: the check ended before it could be read") == 5
    assert "ask the owner for the whole file" in text
    assert "The evidence, added up" not in text
