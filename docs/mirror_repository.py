"""MkDocs hook: the site mirrors the repository, so that its links work unchanged.

Every Markdown page keeps its path (README.md is the front page), and every other file that a page
links to is copied. GitHub and the site then read the same files, and no page exists twice.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]
PAGES = ("*.md", "docs/*.md", "spec/*.md", "benchmarks/results/*.md")
STYLES = ("docs/*.css",)
LINK = re.compile(r"\]\(([^)#\s]+)|(?:src|href)=\"([^\"#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace the files of docs/ by those of the repository, at their own paths."""
    from mkdocs.structure.files import File

    for file in list(files):
        if file.src_dir == config.docs_dir:  # the theme's own files stay
            files.remove(file)
    pages = {page for pattern in PAGES for page in ROOT.glob(pattern)}
    linked = {target for page in pages for target in linked_files(page)}
    styles = {style for pattern in STYLES for style in ROOT.glob(pattern)}
    for path in sorted(pages | linked | styles):
        uri = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def linked_files(page: Path) -> set[Path]:
    """The files of the repository that a page links to."""
    text = page.read_text(encoding="utf-8")
    targets = {
        (page.parent / (a or b)).resolve() for a, b in LINK.findall(text) if "://" not in (a or b)
    }
    return {path for path in targets if path.is_file() and path.is_relative_to(ROOT)}
