"""Showing a verdict to people: text for a terminal, one HTML page for a court file.

Nothing is checked, counted or decided here (``zkwm.judge.judge`` does), and no file is written.
Importing this package imports neither jinja2 nor Pillow.
"""

from zkwm.report.page import render_report
from zkwm.report.text import render_text

__all__ = ["render_report", "render_text"]
