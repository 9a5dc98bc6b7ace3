"""Text as wide as the terminal: between 60 and 100 columns, wrapped between words.

A pipe gets verdicts in a fixed width, and lists with one field a line, however long it is, so that
programs find whole fields. A word that is longer than a line (a digest) is never broken.
"""

from __future__ import annotations

import re
import shutil
from textwrap import wrap
from typing import TextIO

NARROWEST, WIDEST = 60, 100
PIPE = 92
"""The width of verdicts that no terminal shows."""
_FIELD = re.compile(r"\s*\S.*?\s{2,}(?=\S)")


def columns(stream: TextIO) -> int:
    """The width in which a stream shows text: the terminal's (or COLUMNS), or the one of pipes."""
    if not stream.isatty():
        return PIPE
    return min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)


def fit(text: str, stream: TextIO) -> str:
    """``text`` with its long lines wrapped where ``stream`` is a terminal.

    Lines that follow stand below the value of a field, that is behind its name and two spaces.
    """
    if not stream.isatty():
        return text
    return "\n".join(_wrapped(line, columns(stream)) for line in text.split("\n"))


def _wrapped(line: str, width: int) -> str:
    """One line, or several with the same indentation."""
    if len(line) <= width:
        return line
    field = _FIELD.match(line)
    indent = len(field[0]) if field else len(line) - len(line.lstrip()) + 2
    if indent > width // 2:
        indent = 4
    head = field[0] if field else ""
    words = line[len(head) :] if head else line.lstrip()
    first = head or " " * (len(line) - len(line.lstrip()))
    return "\n".join(
        wrap(
            words,
            width,
            initial_indent=first,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
    )
