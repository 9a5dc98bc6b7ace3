"""Pages from templates: whatever stands in them is escaped, and foreign text is made visible.

The style sheet is the report's with the pages' own rules behind it. Files that never change under
their address are named by their digest.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zkwm.registry_service.pages.case_pages import claim_in_words
from zkwm.report.pages import page_resource, page_templates
from zkwm.report.visible import count, utc, visible, visible_name

if TYPE_CHECKING:
    from jinja2 import Environment

_PACKAGE = "zkwm.registry_service.pages"
STATIC = {
    "pages.css": "text/css; charset=utf-8",
    "sha256.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""Files that pages load, with their media types."""


def render(template: str, **values: Any) -> str:  # noqa: ANN401
    """A page as HTML. Raises what jinja2 raises for a value that is missing."""
    return _environment().get_template(template).render(**values)


@lru_cache(maxsize=len(STATIC))
def static_file(name: str) -> bytes:
    """A file of ``STATIC``."""
    text = page_resource(_PACKAGE, name)
    if name == "pages.css":
        text = page_resource("zkwm.report", "report.css") + text
    return text.encode()


def static_path(name: str) -> str:
    """Its path, which another content would not have."""
    return f"/static/{hashlib.sha256(static_file(name)).hexdigest()[:16]}/{name}"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """The templates with their filters."""
    environment = page_templates(_PACKAGE)
    environment.filters |= {
        "name": visible_name,
        "iso": _machine_time,
        "visible_lines": _visible_lines,
        "standing": claim_in_words,
        "count": count,
    }
    environment.globals["static_path"] = static_path
    return environment


def _machine_time(seconds: int) -> str:
    """Seconds since 1970 for ``<time>``; the epoch where no calendar has the time."""
    text = utc(seconds)
    return text.replace(" UTC", "Z").replace(" ", "T") if text.endswith("UTC") else "1970-01-01"


def _visible_lines(text: str) -> str:
    """``visible`` line by line."""
    return "\n".join(visible(line, 6_000) for line in text.splitlines())
