"""The printable report: complete, self-contained, and immune to hostile text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest

from tests.support.html_page import Page
from zkwm.judge.results import Check, TriggerResult
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.report import render_report

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\u202e{{ 7*7 }}"


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


def test_the_page_says_what_the_result_does_not_say(verdicts: dict[str, Verdict]) -> None:
    for verdict in verdicts.values():
        text = Page(render_report(verdict)).text
        for expected in (
            "who copied whom",
            "A mark in one's own product",
            "Nobody was trusted to date the commitment",
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
