"""Verdicts for people: text for a terminal, one HTML page for a court file.

Checking, counting and deciding is done by ``zkwm.judge.judge``; no file is written here.
Importing this package imports neither jinja2 nor Pillow.
"""

from zkwm.report.page import render_report
from zkwm.report.text import render_text

__all__ = ["render_report", "render_text"]
