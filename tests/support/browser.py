"""The system's Chromium for tests of pages: accessibility by axe-core, and PDF by its command line.

Tests that need it skip where there is none, or where playwright is not installed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
VIEWS: tuple[dict[str, Any], ...] = (
    {"width": 1280, "color_scheme": "light"},
    {"width": 1280, "color_scheme": "dark"},
    {"width": 390, "color_scheme": "light"},
    {"width": 1280, "color_scheme": "light", "media": "print"},
)


def chromium() -> str:
    """The path of Chromium; skips the test where there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")


def open_page() -> Iterator[Page]:
    """One page of one browser, for a fixture of a module."""
    path = chromium()
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def faults(page: Page, source: str, folder: Path) -> list[str]:
    """``faults_of`` a page of this source, opened as a file."""
    file = folder / "page.html"
    file.write_text(source, encoding="utf-8")
    page.goto(file.as_uri())
    return faults_of(page)


def faults_of(page: Page) -> list[str]:
    """Every fault that axe-core finds in any of ``VIEWS``, and a page wider than its window."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core")
    found = []
    for view in VIEWS:
        page.set_viewport_size({"width": view["width"], "height": 900})
        page.emulate_media(color_scheme=view["color_scheme"], media=view.get("media", "screen"))
        for fault in axe.Axe().run(page).response["violations"]:
            targets = [node["target"] for node in fault["nodes"]][:3]
            found.append(f"{view}: {fault['id']} {targets}")
        if page.evaluate("document.documentElement.scrollWidth") > view["width"]:
            found.append(f"{view}: wider than the window")
    page.emulate_media(color_scheme="light", media="screen")
    return found
