"""The pages in a browser: accessible in every view, by keyboard, on paper, and without a breach."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.support.browser import faults_of, open_page
from tests.support.filled_registry import ATTACK, FilledRegistry, other_tree

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow
LOOKED_AT = (
    "start", "nothing found", "commitment", "revoked key", "claim asked", "verdict", "log",
    "verify", "error",
)  # fmt: skip
"""A page of each template; others of the same differ in words."""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    yield from open_page()


@pytest.fixture(autouse=True)
def unbroken(page: Page, url: str) -> Iterator[None]:
    """Nothing is loaded from elsewhere, no policy is broken, no foreign text runs."""
    seen: list[str] = []
    listeners: dict[str, Callable[[Any], None]] = {
        "request": lambda request: seen.append(request.url),
        "console": lambda said: seen.append(said.text),
        "pageerror": lambda error: seen.append(str(error)),
        "dialog": lambda dialog: seen.append(dialog.message),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    yield
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    missing = "Failed to load resource: the server responded with a status of 404 (Not Found)"
    assert [one for one in seen if not one.startswith((url, "file:")) and one != missing] == []
    assert page.evaluate("document.body?.dataset.broken ?? null") is None


def go(page: Page, url: str, path: str) -> None:
    page.goto(url + quote(path, safe="/?=&#%"))


@pytest.mark.parametrize("name", LOOKED_AT)
def test_axe_finds_no_fault(page: Page, url: str, registry: FilledRegistry, name: str) -> None:
    go(page, url, registry.paths[name])
    for details in page.query_selector_all("summary"):
        details.click()
    assert faults_of(page) == []
    assert page.locator("h1").count() == 1
    assert page.locator("main").count() == 1


def test_by_keyboard_alone(page: Page, url: str, registry: FilledRegistry) -> None:
    """The skip link comes first and is seen; a search takes tabs, letters and Enter."""
    page.set_viewport_size({"width": 390, "height": 800})
    go(page, url, "/")
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    assert skip.evaluate("e => e === document.activeElement && e.getBoundingClientRect().left >= 0")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.type(registry.digest.hex())
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=*")
    assert page.locator(".found a").count() == 1
    page.locator(".found a").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/commitments/*")


def test_a_digest_is_copied_whole(page: Page, url: str, registry: FilledRegistry) -> None:
    go(page, url, registry.paths["commitment"])
    page.locator(".outcome .meaning .digest").click()
    assert page.evaluate("getSelection().toString()") == registry.digest.hex()


def test_a_file_is_hashed_in_the_browser_alone(
    page: Page, url: str, registry: FilledRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "case.verdict"
    file.write_bytes(registry.verdict_file)
    go(page, url, "/verify")
    page.set_input_files("#file", file)
    with page.expect_navigation(url="**/search?q=*") as navigation:
        page.click("#hash")
    assert navigation.value.request.method == "GET"
    assert hashlib.sha256(registry.verdict_file).hexdigest() in page.url
    assert page.locator(".found a").count() == 1


def test_an_upload_works_without_a_script(
    page: Page, url: str, registry: FilledRegistry, tmp_path: Path
) -> None:
    file = tmp_path / f"{ATTACK.replace('/', '|')}.verdict"
    file.write_bytes(registry.verdict_file)
    browser = page.context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(f"{url}/verify")
    assert not plain.locator("#hash").is_visible()
    plain.set_input_files("#file", file)
    plain.click("text=Upload and read")
    assert plain.locator("#result h2").inner_text() == "A verdict: proven"
    plain.context.close()
    go(page, url, "/verify")
    page.set_input_files("#file", file)
    page.click("text=Upload and read")
    page.wait_for_selector("#result")
    assert faults_of(page) == []


def test_a_pasted_checkpoint_is_compared(page: Page, url: str, registry: FilledRegistry) -> None:
    for checkpoint, title in (
        (registry.kept_checkpoint, "It fits"),
        (other_tree(), "It does not fit: two trees"),
    ):
        go(page, url, "/log")
        page.fill("#checkpoint", checkpoint.to_bytes().decode())
        page.click("text=Compare")
        page.wait_for_selector("#result")
        assert title in page.locator("#result h2").inner_text()
    assert faults_of(page) == []


@pytest.mark.parametrize("name", ["commitment", "claim decided", "verdict", "log"])
def test_on_paper(
    page: Page, url: str, registry: FilledRegistry, name: str, tmp_path: Path
) -> None:
    """Address and digests whole, the log's head on it, no form, and no heading left alone."""
    pypdf = pytest.importorskip("pypdf", reason="needs pypdf")
    go(page, url, registry.paths[name])
    page.emulate_media(media="print")
    page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
    pages = [one.extract_text() for one in pypdf.PdfReader(tmp_path / "page.pdf").pages]
    text = "".join(pages)
    plain = "".join(text.split())
    assert f"https://registry.example{registry.paths[name]}" in plain
    assert registry.log.head().root.hex() in plain
    if name != "log":
        assert registry.digest.hex() in plain
    assert "Compare" not in text
    if name == "commitment":  # the class names, folded on a screen
        assert "".join(ATTACK.split()) in plain
    assert f"1 / {len(pages)}" in text
    headings = {one.inner_text() for one in page.query_selector_all("h2, h3")}
    assert not [one for one in pages if one.rstrip().split("\n")[-2:-1] in [[h] for h in headings]]


def test_a_badge_in_a_page(page: Page, url: str, registry: FilledRegistry, tmp_path: Path) -> None:
    go(page, url, registry.paths["commitment"])
    width = page.evaluate("document.querySelector('.badge img').naturalWidth")
    assert 60 < width < 200
    elsewhere = tmp_path / "elsewhere.html"  # another origin
    elsewhere.write_text(f'<img src="{url}{registry.paths["verdict"]}/badge.svg">')
    page.goto(elsewhere.as_uri())
    assert page.evaluate("document.querySelector('img').naturalWidth") > 60
    go(page, url, f"{registry.paths['verdict']}/badge.svg")
    assert page.evaluate("document.querySelector('title').textContent").startswith("A judge signed")
