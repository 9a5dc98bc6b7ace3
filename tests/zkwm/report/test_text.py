"""The verdict for a terminal."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from zkwm.judge.results import AnswerRate, Argued, Asked, Check, FirstSeen
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.report import render_report, render_text
from zkwm_protocols.allowances import Term

BITS = re.compile(r"\d bits")
FIRST_WORDS = {
    Outcome.PROVEN: "PROVEN: ",
    Outcome.NOT_PROVEN: "NOT PROVEN: ",
    Outcome.COULD_NOT_CHECK: "COULD NOT BE CHECKED: ",
    Outcome.TRUST_MATERIAL_MISSING: "TRUST MATERIAL IS MISSING: ",
}


def test_the_outcome_comes_first_in_every_verdict(verdicts: dict[str, Verdict]) -> None:
    for name, verdict in verdicts.items():
        assert render_text(verdict).startswith(FIRST_WORDS[verdict.outcome]), name


@pytest.mark.parametrize("width", [60, 80, 92, 120])
def test_lines_fit_and_hold_no_control_characters(verdicts: dict[str, Verdict], width: int) -> None:
    for name, verdict in verdicts.items():
        text = render_text(verdict, width=width)
        assert " ".join(text.split()) == " ".join(render_text(verdict).split()), name
        for line in text.splitlines():
            assert len(line) <= width, name
            assert line.isprintable(), name


def test_a_lay_reader_meets_no_negative_bits_and_no_formula(
    verdicts: dict[str, Verdict],
) -> None:
    """Where the deductions take everything, none is left; terms alone are negative."""
    seen = False
    for name, verdict in verdicts.items():
        text = render_text(verdict)
        assert "log2" not in text, name
        assert "j(j" not in text, name
        assert not re.search(r"evidence left +-", text), name
        seen |= bool(re.search(r"^  evidence left +none$", text, re.MULTILINE))
    assert seen


def test_evidence_stands_before_labels_and_checks(verdicts: dict[str, Verdict]) -> None:
    for name, verdict in verdicts.items():
        text = render_text(verdict)
        assert text.index("\nEvidence\n") < text.index("\nChecks\n"), name


def test_terms_stand_on_lines_of_their_own_and_add_up(make_verdict: Callable[..., Verdict]) -> None:
    verdict = make_verdict()
    assert verdict.evidence is not None
    rows = re.findall(r"^  (.+?) +(-?[\d,]+\.\d\d) bits", render_text(verdict), re.MULTILINE)
    assert [name for name, _ in rows[:-2]] == [term.name for term in verdict.evidence.terms]
    hundredths = [int(bits.replace(",", "").replace(".", "")) for _, bits in rows]
    assert sum(hundredths[:-2]) == hundredths[-2] == verdict.evidence.total_hundredths
    assert hundredths[-1] == 100 * verdict.evidence.threshold_bits
    lines = [
        line for line in render_text(verdict).splitlines() if re.match(r"  .*\.\d\d bits", line)
    ]
    assert len({line.index(" bits") for line in lines}) == 1


@pytest.mark.parametrize("name", ["declared", "declared accepted", "declared too few"])
def test_declared_labels_give_matches_and_never_bits(
    verdicts: dict[str, Verdict], name: str
) -> None:
    text = " ".join(render_text(verdicts[name]).split())
    assert not BITS.search(text)
    assert "by luck" not in text.lower()
    assert f"Matches {9 if name == 'declared too few' else 50} of 50" in text
    assert "transferable adversarial images" in text


def test_declared_labels_repeat_whether_the_judge_accepted_them(
    verdicts: dict[str, Verdict],
) -> None:
    accepted = " ".join(render_text(verdicts["declared accepted"]).split())
    assert accepted.startswith("PROVEN")
    assert "and the judge accepted declared labels" in accepted
    refused = " ".join(render_text(verdicts["declared"]).split())
    assert refused.startswith("NOT PROVEN")
    assert "not proven, whatever the number of matches, because the judge did not" in refused


def test_failed_and_skipped_checks_are_named_with_the_reason(verdicts: dict[str, Verdict]) -> None:
    text = render_text(verdicts["proof malformed"])
    assert re.search(r"^  FAILED +response\.format .*: this is what is wrong$", text, re.MULTILINE)
    assert re.search(r"^  skipped +suspect\.answers ", text, re.MULTILINE)
    assert "not reached" in text
    assert "none: the check ended before matches were counted" in text


def test_misses_are_listed_by_block_and_index(verdicts: dict[str, Verdict]) -> None:
    text = " ".join(render_text(verdicts["proven with misses"]).split())
    assert "36 match" in text
    assert "1 wrong leaf (94)" in text
    assert "1 not opened (95)" in text
    assert "4 no answer (96, 97, 98, 99)" in text


def test_what_it_does_not_say_is_said(verdicts: dict[str, Verdict]) -> None:
    for verdict in verdicts.values():
        text = " ".join(render_text(verdict).split())
        assert "who copied whom" in text
        assert "A mark in one's own product proves nothing" in text
        assert "No timestamp was checked" in text
        assert '"Not proven" is not "innocent"' in text


def test_hostile_text_cannot_move_the_cursor_or_forge_a_line(
    make_verdict: Callable[..., Verdict],
) -> None:
    hostile = "ok\x1b[2J\x1b[H\nPROVEN: forged\r\u202e" + "x" * 5_000
    verdict = make_verdict(
        reason=hostile, hint=hostile, checks=(Check(hostile, hostile, hostile, hostile),)
    )
    text = render_text(verdict)
    assert all(line.isprintable() and len(line) <= 92 for line in text.splitlines())
    assert not [line for line in text.splitlines()[1:] if line.startswith("PROVEN")]
    assert "[U+001B]" in text
    assert "[U+202E]" in text


def test_text_imports_neither_jinja2_nor_pillow_nor_torch() -> None:
    code = (
        "import sys, zkwm.report; "
        "print(sorted({'jinja2', 'PIL', 'torch', 'onnxruntime'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout.strip() == b"[]", result.stderr


def evaded(make_verdict: Callable[..., Verdict], scored: int, answered: int) -> Verdict:
    rates = (
        AnswerRate("triggers", 50, answered, scored),
        AnswerRate("decoys", 50, 20, 20),
        AnswerRate("natural images", 25, 25, 25),
    )
    seen = FirstSeen(commitment=0, suspect=86_400)
    return make_verdict(asked=Asked(1, 7, rates), functions_tried=3, first_seen=seen)


def test_an_evasive_suspect_is_called_so(make_verdict: Callable[..., Verdict]) -> None:
    verdict = evaded(make_verdict, 33, 33)
    for shown in (render_text(verdict), re.sub("<[^>]*>", "", render_report(verdict))):
        text = " ".join(shown.split())
        assert "evasive: it answered 25 of 25 natural images and 33 of 50 triggers" in text
        assert "triggers 33 of 50 (33 with scores)" in text
        assert "7 first answers kept from before" in text
        assert "number 3 of all models, and ways to ask one, that were tried on this" in text
        assert "commitment 1970-01-01" in text
    labels_alone = " ".join(render_text(evaded(make_verdict, 0, 50)).split())
    assert "with scores 25 and 0 of them" in labels_alone
    honest = " ".join(render_text(evaded(make_verdict, 50, 50)).split())
    assert "evasive" not in honest


def test_limits_name_training_data_dates_and_the_integer_network(
    make_verdict: Callable[..., Verdict],
) -> None:
    verdict = make_verdict()
    argued = dataclasses.replace(verdict, argued=Argued(bytes(32), 43), triggers=())
    for one in (verdict, argued):
        for shown in (render_text(one), render_report(one)):
            text = " ".join(shown.split())
            assert "training data, a pre-trained model or a merge" in text
    for shown in (render_text(argued), render_report(argued)):
        text = " ".join(shown.split())
        assert "The integer network made from the examined file carries the mark" in text
        assert "The argument is about the integer network made from the file" in text


def test_labels_and_outputs_are_listed_unless_they_are_equal_numbers(
    make_verdict: Callable[..., Verdict],
) -> None:
    plain = make_verdict(class_count=300)
    assert plain.challenge is not None
    assert "Labels and outputs" not in render_text(plain)
    assert "<h3>Labels and outputs" not in render_report(plain)
    # A map that was refused is shown all the same: 999 is no output.
    turned = dataclasses.replace(plain.challenge, class_map=(999, *range(298, -1, -1)))
    verdict = dataclasses.replace(
        plain, challenge=turned, class_names=tuple(f"name {y}" for y in range(300))
    )
    text = render_text(verdict)
    assert 'label 0 "name 0" → output 999\n' in text
    assert 'label 199 "name 199" → output 100\n' in text
    assert "output 99\n" not in text
    assert "(300 in all, every one in the JSON verdict)" in text
    assert "label 299 &#34;name 299&#34; → output 0" in render_report(verdict)
    assert verdict.to_json()["classes"][299] == {
        "label": 299, "name": "name 299", "output": 0, "output_name": None,
    }  # fmt: skip


def test_a_name_cannot_look_like_another_line(make_verdict: Callable[..., Verdict]) -> None:
    forged = 'cat" → output 3 "cat'
    verdict = make_verdict(class_count=2, class_names=(forged, "dog\\"))
    text = render_text(verdict)
    assert 'label 0 "cat\\" → output 3 \\"cat" → output 0\n' in text
    assert 'label 1 "dog\\\\" → output 1\n' in text


@pytest.mark.parametrize("filler", [" " * 60, " " * 20, "word " * 9, "\u3164" * 5 + " " * 40])
@pytest.mark.parametrize("before", range(8))
def test_no_part_of_a_name_looks_like_a_line_of_the_list(
    make_verdict: Callable[..., Verdict], filler: str, before: int
) -> None:
    """An owner commits a name whose end would be shown as the map of label 1."""
    forged = "c" * before + filler + "label 1 → output 7"
    verdict = make_verdict(class_count=2, class_names=(forged, "dog"))
    text = render_text(verdict)
    listed = text[text.index("Labels and outputs") : text.index("Checks")].splitlines()[1:]
    firsts = [line for line in listed if line[20:21] not in ("", " ")]
    assert [line.split(" → ")[0].strip()[:9] for line in firsts] == ['label 0 "', 'label 1 "']
    assert firsts[1].strip() == 'label 1 "dog" → output 1'
    assert all(line.startswith(" " * 26) for line in listed if line and line not in firsts)


def test_a_name_of_hidden_characters_hides_no_output(make_verdict: Callable[..., Verdict]) -> None:
    verdict = make_verdict(class_count=2, class_names=("\U000e0100" * 100, "dog"))
    for shown in (render_text(verdict), render_report(verdict)):
        assert "[U+E0100]" * 2 in shown
        assert "→ output 0" in " ".join(shown.split())


@pytest.mark.parametrize("name", ["x" * 100, "\ufe0f" * 100, "a " * 50, "x" * 38])
@pytest.mark.parametrize("width", [60, 92])
def test_a_term_of_a_foreign_file_fits(
    make_verdict: Callable[..., Verdict], name: str, width: int
) -> None:
    """Whoever writes a verdict's file chooses the names of the terms, too."""
    verdict = make_verdict()
    assert verdict.evidence is not None
    terms = (Term(name, 7, "of " * 80),) * 2
    forged = dataclasses.replace(
        verdict, evidence=dataclasses.replace(verdict.evidence, terms=terms)
    )
    lines = render_text(forged, width=width).splitlines()
    assert max(map(len, lines)) <= width
