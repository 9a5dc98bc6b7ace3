"""The report in a browser: no fault of accessibility, and a tagged PDF by one command."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import chromium, faults, open_page
from tests.zkwm.report.conftest import argued, build, stopped
from zkwm.judge.verdict import CheckedBy, Outcome, Verdict
from zkwm.report import render_report
from zkwm_protocols.policy import Policy

if TYPE_CHECKING:
    from playwright.sync_api import Page

MIXED = ("match",) * 6 + ("no match", "wrong leaf", "missing leaf", "no answer")
SMALL = {"block_size": 10}
TEN = build(("match",) * 10, class_count=1000, policy=Policy(threshold_bits=20), **SMALL)
FIFTY = build()
VERDICTS: dict[str, Verdict] = {
    "proven": TEN,
    "not proven": build(MIXED, **SMALL),
    "declared": build(("match",) * 10, declared=True, **SMALL),
    "could not be checked": stopped("commitment.format", Outcome.COULD_NOT_CHECK),
    "argued, checked by the public": replace(argued(), checked_by=CheckedBy.PUBLIC),
}
COMMAND = ("--headless", "--no-pdf-header-footer", "--generate-pdf-document-outline")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    yield from open_page()


@pytest.mark.slow
@pytest.mark.parametrize("name", VERDICTS)
def test_axe_finds_no_fault(page: Page, tmp_path: Path, name: str) -> None:
    full, public = render_report(VERDICTS[name]), render_report(VERDICTS[name], public=True)
    assert (full == public) is not bool(VERDICTS[name].triggers)
    assert faults(page, full, tmp_path) == []
    if public != full:
        assert faults(page, public, tmp_path) == []


@pytest.mark.slow
def test_rows_stack_on_a_narrow_screen(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(render_report(FIFTY), encoding="utf-8")
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(file.as_uri())
    widths = page.evaluate(
        "[...document.querySelectorAll('.facts dd, .sum td:last-child, .checks td:nth-child(2)')]"
        ".map(e => e.getBoundingClientRect().width)"
    )
    assert min(widths) > 230


@pytest.mark.slow
def test_the_notice_stays_in_sight(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(render_report(FIFTY), encoding="utf-8")
    page.emulate_media(media="screen")
    page.goto(file.as_uri())
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    assert page.evaluate("document.querySelector('.notice').getBoundingClientRect().top") == 0


@pytest.mark.slow
@pytest.mark.parametrize("public", [False, True])
def test_one_command_makes_a_tagged_pdf(tmp_path: Path, public: bool) -> None:
    pypdf = pytest.importorskip("pypdf", reason="needs pypdf")
    (tmp_path / "case.html").write_text(render_report(FIFTY, public=public), encoding="utf-8")
    command = (chromium(), *COMMAND, "--print-to-pdf=case.pdf", "case.html")
    profile = ("--no-sandbox", f"--user-data-dir={tmp_path / 'profile'}")
    subprocess.run((*command, *profile), cwd=tmp_path, check=True, capture_output=True, timeout=120)
    document = pypdf.PdfReader(tmp_path / "case.pdf")
    root = document.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert root["/Lang"] == "en"
    assert document.metadata.title.startswith("zkwm verdict: proven")
    assert document.outline
    notice = "not for third parties" if not public else "Copy without the pictures"
    pages = [one.extract_text() for one in document.pages]
    assert [notice in text for text in pages] == [True] * len(pages)
    pictures = sum(len(one.images) for one in document.pages)
    assert pictures == (0 if public else 50)
    for heading in ("The opened triggers", "The evidence, added up"):
        [text] = [text for text in pages if heading in text]
        assert not text.rstrip().endswith(heading)
