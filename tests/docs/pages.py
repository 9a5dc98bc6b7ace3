"""The Markdown pages of the repository: their fences, links, anchors and runnable blocks.

A fence is run by ``test_commands`` when the line before it is ``<!-- run -->``, or
``<!-- run slow -->`` for what takes more than seconds. ``<!-- hidden python`` and
``<!-- hidden sh`` begin a comment whose lines are run and not shown; ``<!-- not run: REASON -->``
excuses a fence. A Python fence with ``title="NAME.py"`` is written to that file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATTERNS = ("*.md", "docs/*.md", "spec/*.md", "benchmarks/results/*.md")
PAGES = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))
GUIDES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")])
_BLOCK = re.compile(
    r"^<!-- hidden (?P<hidden>sh|python)(?P<hidden_slow> slow)?\n(?P<secret>.*?)^-->$"
    r"|(?:^<!-- (?P<run>run(?: slow)?|not run: [^\n]+) -->\n)?"
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$",
    flags=re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)[^)]*\)|<(?:img|a)\b[^>]*?(?:src|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", flags=re.MULTILINE)
_EXPLICIT = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")


@dataclass(frozen=True)
class Block:
    """One fence, or hidden lines. ``run`` is empty where nothing says what to do with it."""

    language: str
    text: str
    run: str
    title: str = ""
    slow: bool = False


def blocks(path: Path) -> list[Block]:
    """The fences and hidden lines of a page, in order."""
    found = []
    for match in _BLOCK.finditer(path.read_text(encoding="utf-8")):
        if match["hidden"]:
            slow = bool(match["hidden_slow"])
            found.append(Block(match["hidden"], match["secret"], "run", slow=slow))
            continue
        language, _, rest = match["info"].strip().partition(" ")
        title = re.search(r'title="([^"]+)"', rest)
        run = match["run"] or ""
        found.append(
            Block(language, match["text"], run, title[1] if title else "", run == "run slow")
        )
    return found


def prose(path: Path) -> str:
    """The page without fences, comments and code spans."""
    text = _BLOCK.sub("", path.read_text(encoding="utf-8"))
    return re.sub(r"<!--.*?-->|``.*?``|`[^`\n]*`", "", text, flags=re.DOTALL)


def links(path: Path) -> list[str]:
    """The targets of all links and pictures of a page."""
    return [first or second for first, second in _LINK.findall(prose(path))]


def anchors(path: Path) -> set[str]:
    """The anchors of a page, as GitHub and the site make them from headings."""
    text = re.sub(r"<!--.*?-->", "", _BLOCK.sub("", path.read_text(encoding="utf-8")), flags=re.S)
    found: set[str] = set(_EXPLICIT.findall(text))
    seen: dict[str, int] = {}
    for heading in _HEADING.findall(text):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        found.add(f"{slug}-{count}" if count else slug)
        seen[slug] = count + 1
    return found
