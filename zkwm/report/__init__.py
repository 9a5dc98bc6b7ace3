"""Verdicts for people: text for a terminal, one HTML page for a court file.

Checking, counting and deciding is done by ``zkwm.judge.judge``; no file is written here.
Importing this package imports neither jinja2 nor Pillow, and a name's module on first use only.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zkwm.report.page import render_report
    from zkwm.report.text import render_text

_HOMES = {"render_report": "page", "render_text": "text"}

__all__ = ["render_report", "render_text"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load a name from the module where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
