"""The protocol's text holds together: cited sections exist, links lead somewhere, tests are there.

SPEC.md and the chapters under spec/ are normative; 102 modules cite their sections by number.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.spec_pages import (
    CHAPTERS,
    ENTRY,
    PAGES,
    ROOT,
    SECTION,
    anchor,
    attacks,
    headings,
    lines,
    links,
    name,
    normative_lines,
    prose,
    sections,
    table,
)

LONGEST_LINE = 300
FOLDERS = ("zkwm", "protocols", "cli", "tests", "examples", "benchmarks", "docs", "spec")
_CITED = re.compile(
    rf"SPEC(?:\.md)?,?(?: sections?)? ({SECTION}(?:(?:, and |, | and | to | or ){SECTION})*)(?!\w)"
)
_TWO_SENTENCES = re.compile(r"(?<!\bcf)(?<!e\.g)(?<!i\.e)[.!?][\"')\]*]* +[\"'(\[*]*[A-Z]")
_BRITISH = re.compile(
    r"colour|grey|centred|labell|normalis|quantis|personalis|look-up|arg-max|judgement|artefact",
    re.IGNORECASE,
)
_KEYWORD = re.compile(r"\b(MUST|SHOULD|MAY|REQUIRED|SHALL|RECOMMENDED|OPTIONAL)\b")


@cache
def texts() -> dict[Path, str]:
    """Every source and document of the repository that can cite a section."""
    found = [path for path in ROOT.iterdir() if path.suffix in (".md", ".toml")]
    for folder in FOLDERS:
        for ending in ("py", "md", "html", "cddl"):
            found += (ROOT / folder).rglob(f"*.{ending}")
    small = [path for path in found if path.stat().st_size < 500_000]
    return {path: path.read_text(encoding="utf-8") for path in small}


def cited(text: str) -> set[str]:
    """The sections that a text cites as ``SPEC.md 17.3``, alone or in a list."""
    flat = re.sub(r"\s*\n\s*(?:#+ )?", " ", text)
    return {number for found in _CITED.findall(flat) for number in re.findall(SECTION, found)}


def test_how_citations_are_read() -> None:
    assert cited("(SPEC.md 9.2, 18.3), in order") == {"9.2", "18.3"}
    assert cited("SPEC.md sections 16.4, 18.1 and\n    18.5. More") == {"16.4", "18.1", "18.5"}
    assert cited("SPEC 17.3; SPEC.md 8.2 charges 48 bits, SPEC.md 17.3, item 2") == {"17.3", "8.2"}


def test_every_cited_section_exists() -> None:
    known = sections()
    missing = {
        f"{path.relative_to(ROOT)}: {number}"
        for path, text in texts().items()
        for number in cited(text)
        if number not in known
    }
    assert missing == set()


def test_citations_are_found_at_all() -> None:
    citing = [path for path, text in texts().items() if path.suffix == ".py" and cited(text)]
    assert len(citing) > 80


def test_sections_that_the_reference_names_exist() -> None:
    known = sections()
    for path in (ROOT / "tests/reference").glob("*.py"):
        flat = re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))
        for before, number in re.findall(rf"(.{{0,24}})[Ss]ections? ({SECTION})", flat):
            assert number in known or "RFC" in before, f"{path.name}: section {number}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_sections_that_pages_name_exist(page: Path) -> None:
    known = sections()
    for number, line in lines(page):
        if "RFC" in line or "FIPS" in line:
            continue
        named = re.findall(rf"\bsections? ({SECTION})\b", line)
        named += re.findall(r"\(((?:[4-9]|1\d)\.\d{1,2})[),;]", line)
        assert set(named) <= set(known), f"line {number}"


def test_the_list_of_sections_is_complete() -> None:
    """Every section, in order, with a link to its very heading."""
    rows = table(ENTRY, "Where each section is")
    known = sections()
    order = sorted(known, key=lambda number: [int(part) for part in number.split(".")])
    assert [row[0] for row in rows] == [known[number][1] for number in order]
    for (heading, link), number in zip(rows, order, strict=True):
        page = known[number][0]
        target = f"{'' if page == ENTRY else name(page)}#{anchor(heading)}"
        assert link.endswith(f"]({target})"), heading


def test_links_resolve() -> None:
    """Links of these pages, and links of other documents to them."""
    documents = [path for path in texts() if path.suffix == ".md"]
    pages = set(PAGES)
    for document in documents:
        for link in links(document):
            path, _, fragment = link.partition("#")
            target = (document.parent / path).resolve() if path else document
            if document in pages:
                assert target.exists(), f"{name(document)}: {link}"
            if fragment and target in pages:
                known = {anchor(heading) for heading in headings(target)}
                assert fragment in known, f"{name(document)}: {link}"


def test_how_sentences_are_told_apart() -> None:
    for two in ("A b. C d.", "A b? C d.", "(A b.) C d.", "**A b.** C d.", 'It says "a." B c.'):
        assert _TWO_SENTENCES.search(two), two
    for one in ("A b; c d.", "By RFC 8032, e.g. Ed25519.", "Lund et al., degree 3.", "code: A b."):
        assert not _TWO_SENTENCES.search(one), one


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_american_spelling(page: Path) -> None:
    for number, line in lines(page):
        words = re.sub(r"`[^`]*`", "code", line)
        assert not _BRITISH.search(words), f"line {number}: {words[:80]}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_one_sentence_a_line(page: Path) -> None:
    for number, line in prose(page):
        assert not _TWO_SENTENCES.search(line), f"line {number} has two sentences: {line[:80]}"
        assert len(line) <= LONGEST_LINE, f"line {number} has {len(line)} characters"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_key_words_stand_in_normative_parts_only(page: Path) -> None:
    normative = {number for number, _ in normative_lines(page)}
    for number, line in lines(page):
        assert number in normative or not _KEYWORD.search(line), f"line {number}: {line[:80]}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_gendered_owner_or_judge(page: Path) -> None:
    text = "\n".join(line for _, line in lines(page))
    assert re.findall(r"\b(he|him|his|himself|she|her)\b", text, re.IGNORECASE) == []


@pytest.mark.parametrize("page", CHAPTERS, ids=name)
def test_tests_that_chapters_name_exist(page: Path) -> None:
    """Each attack names a test: one of tests/adversarial by its short name, others by path."""
    for row in attacks(page):
        tests = re.findall(r"`([a-z_]+)`", row[2])
        paths = [f"tests/adversarial/test_{test}.py" for test in tests]
        paths += re.findall(r"tests/[\w/]+\.py", row[2])
        assert paths, f"no test against: {row[0]}"
        for path in paths:
            assert (ROOT / path).exists(), path


def test_every_adversarial_test_is_named() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for path in (ROOT / "tests/adversarial").glob("test_*.py"):
        assert f"`{path.stem.removeprefix('test_')}`" in text, path.name
