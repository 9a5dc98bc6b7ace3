"""The page of a dispute in a browser: accessible in every view and on paper, and nothing runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import faults, open_page
from tests.support.dispute_folder import DisputeFolder, key_of
from tests.support.filled_registry import ATTACK
from tests.zkwm.disputes.test_split_views import second_tree
from zkwm.disputes.page import render_dispute_page
from zkwm_protocols.cose.key_contents import KeyBinding
from zkwm_protocols.transparency.equivocation import Equivocation

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    yield from open_page()


@pytest.fixture
def source(folder: DisputeFolder) -> str:
    """A decided dispute with evidence against its log; an attack wherever the case has words."""
    acme, doe = folder.party("acme", days=10), folder.party("doe", days=2)
    folder.model("suspect", "doe", acme, doe, contested=True)
    folder.model("own", "acme", acme, published=8)
    for mark, model in (("acme", "suspect"), ("doe", "suspect"), ("doe", "own")):
        folder.claim(mark, model)
    folder.register("acme", 9)
    key = key_of("acme")
    named = folder.log.add(KeyBinding(key.public.fingerprint(), ATTACK, (), bytes(32)), key, 8)
    acme.commitment = replace(acme.commitment, key_proofs=(named,))
    evidence = Equivocation(
        folder.log.checkpoint(folder.log.tree.head(), 5), second_tree(folder, 3)
    )
    (folder.folder / "log.equivocation").write_bytes(evidence.to_bytes())
    folder.case["equivocations"] = ["log.equivocation"]
    folder.case["title"] = f"Acme v. Doe {ATTACK}"
    for party in folder.case["parties"]:
        party["called"] += f" {ATTACK}"
    for model in folder.case["models"]:
        model["source"] = ATTACK
    return render_dispute_page(folder.settle())


def test_axe_finds_no_fault_and_no_words_run(page: Page, source: str, tmp_path: Path) -> None:
    assert ATTACK not in source
    assert faults(page, source, tmp_path) == []
    assert page.evaluate("document.body.dataset.broken ?? null") is None
    assert page.locator("h1").count() == 1
    shown = page.locator("main").inner_text()
    assert shown.count(ATTACK) > 5
    assert "Evidence against logs" in shown
    assert "It does not say\nWho copied" in shown


def test_on_paper(page: Page, source: str, tmp_path: Path) -> None:
    """Every sheet has its number, and no heading stands alone at the end of one."""
    pypdf = pytest.importorskip("pypdf", reason="needs pypdf")
    file = tmp_path / "page.html"
    file.write_text(source, encoding="utf-8")
    page.goto(file.as_uri())
    page.emulate_media(media="print")
    page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
    pages = [one.extract_text() for one in pypdf.PdfReader(tmp_path / "page.pdf").pages]
    assert f"1 / {len(pages)}" in "".join(pages)
    headings = {one.inner_text() for one in page.query_selector_all("h2, h3")}
    assert not [one for one in pages if one.rstrip().split("\n")[-2:-1] in [[h] for h in headings]]
