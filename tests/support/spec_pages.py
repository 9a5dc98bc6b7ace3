"""The pages of the protocol as text, for the tests that hold SPEC.md and spec/ together.

One place knows how Markdown is cut up here: headings and their anchors, prose without code and
tables, links. A full Markdown parser would be one more dependency for five regular expressions.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENTRY = ROOT / "SPEC.md"
REGISTRY = ROOT / "spec/registry.md"
FORMATS = ROOT / "spec/formats.cddl"
CHAPTERS = tuple(sorted((ROOT / "spec").glob("[0-9]*.md")))
PAGES = (ENTRY, *CHAPTERS, REGISTRY)

SECTION = r"\d{1,2}(?:\.\d{1,2})?"
_HEADING = re.compile(r"(#+) (.*)")
_NUMBERED = re.compile(rf"({SECTION}) ")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_LIST_MARK = re.compile(r"^\s*(?:[-*]|\d+\.)\s+")


def name(page: Path) -> str:
    """A page as the repository names it."""
    return page.relative_to(ROOT).as_posix()


@cache
def lines(page: Path) -> tuple[tuple[int, str], ...]:
    """The lines outside of fenced code, with their numbers."""
    found, fenced = [], False
    for number, line in enumerate(page.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            found.append((number, line))
    assert not fenced, f"{name(page)} ends inside a block of code"
    return tuple(found)


def headings(page: Path) -> list[str]:
    """The text of each heading, in order."""
    return [match[2] for _, line in lines(page) if (match := _HEADING.fullmatch(line))]


def anchor(heading: str) -> str:
    """The anchor that GitHub and MkDocs give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sections() -> dict[str, tuple[Path, str]]:
    """Page and heading of each numbered section. A number stands at one heading only."""
    found: dict[str, tuple[Path, str]] = {}
    for page in PAGES:
        for heading in headings(page):
            if match := _NUMBERED.match(heading):
                assert match[1] not in found, f"section {match[1]} stands twice"
                found[match[1]] = (page, heading)
    return found


def prose(page: Path) -> list[tuple[int, str]]:
    """Lines that are neither code, table nor heading, without list marks and inline code."""
    return [
        (number, re.sub(r"`[^`]*`", "code", _LIST_MARK.sub("", line)))
        for number, line in lines(page)
        if line.strip() and not line.lstrip().startswith("|") and not _HEADING.fullmatch(line)
    ]


def links(page: Path) -> list[str]:
    """The targets of all links but those to other sites."""
    targets = [target for _, line in lines(page) for target in _LINK.findall(line)]
    return [target for target in targets if "://" not in target and not target.startswith("mailto")]


def table(page: Path, heading: str) -> list[list[str]]:
    """The rows of the tables below a heading, up to the next one."""
    rows: list[list[str]] = []
    inside = False
    for _, line in lines(page):
        if match := _HEADING.fullmatch(line):
            inside = match[2] == heading
        elif inside and line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").replace(r"\|", "").split("|")])
    assert len(rows) > 2, f"{name(page)} has no table below {heading!r}"
    return rows[2:]


def listed(page: Path, heading: str) -> list[str]:
    """The first column of a table: the names that it lists."""
    return [row[0].strip("`") for row in table(page, heading)]


def attacks(page: Path) -> list[list[str]]:
    """The rows of a chapter's table of attacks: attack, answer, test."""
    rows = table(page, "Security considerations")
    assert all(len(row) == 3 for row in rows)
    return rows


def normative_lines(page: Path) -> list[tuple[int, str]]:
    """The lines of a page that are normative (SPEC.md, "What is normative")."""
    part, found = "", []
    for number, line in lines(page):
        if (match := _HEADING.fullmatch(line)) and len(match[1]) <= 2:
            part = match[2]
        if page == REGISTRY:
            normative = True
        elif page == ENTRY:
            normative = part.split(" ")[0] not in ("1", "12", "14", "15")
        else:
            normative = part == "Specification"
        if normative:
            found.append((number, line))
    return found
