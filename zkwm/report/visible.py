"""Untrusted text, digests, times and odds in characters that cannot mislead a reader.

HTML escaping comes on top of this, from the template engine.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from math import floor, log10

_LAST_SECOND = 253_402_300_799
_MARKS_IN_A_ROW = 2
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U00016fe4\U0001d159\U000e0100-\U000e01ef]"
)
"""Printable and seen by nobody: the rest of Unicode's Default_Ignorable_Code_Point (15.1), and
the blanks of Braille, Khitan and musical notation."""
_NAMES = ((12, "trillion"), (9, "billion"), (6, "million"))


def visible(text: str, limit: int = 600) -> str:
    """``text`` with nothing hidden in it, cut to ``limit`` characters and saying so.

    Characters that are not printable (controls, line breaks, direction overrides, zero-width,
    unassigned), those that leave no trace (fillers, variation selectors) and piled-up combining
    marks are shown as code points, such as ``[U+202E]``.
    """
    shown, marks = [], 0
    for character in text[:limit]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        hidden = not character.isprintable() or _BLANK.match(character)
        if hidden or marks > _MARKS_IN_A_ROW:
            character = f"[U+{ord(character):04X}]"
        shown.append(character)
    if len(text) > limit:
        shown.append(f" … [cut: {len(text):,} characters in all]")
    return "".join(shown)


def visible_name(name: str, limit: int = 100) -> str:
    """``visible`` for a name in a list: runs of spaces are counted, such as ``[7 spaces]``.

    No run can move what follows to another line, and names that differ in spaces alone differ.
    """
    return re.sub("  +", lambda run: f" [{len(run[0])} spaces] ", visible(name, limit))


def quoted(text: str, limit: int = 100) -> str:
    """``visible_name`` between quotation marks.

    Marks inside are escaped, so that no text looks like the end of its line and another one.
    """
    shown = visible_name(text, limit).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{shown}"'


def groups(text: str, size: int = 8) -> tuple[str, ...]:
    """A digest in pieces of ``size`` characters, for people who compare by eye.

    A fingerprint, which has its own groups joined by ``-``, stays in one piece.
    """
    if "-" in text:
        return (text,)
    return tuple(text[i : i + size] for i in range(0, len(text), size))


def utc(seconds: int) -> str:
    """Seconds since 1970 as a date and time in UTC."""
    if not 0 <= seconds <= _LAST_SECOND:
        return f"{seconds:,} seconds after 1970"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def odds(hundredths: int) -> str:
    """A bound of 2^-bits in words, such as ``1 in 10²⁸``; ``hundredths`` of a bit, positive.

    Rounded so that the words never claim less chance than the bits do.
    """
    bits = hundredths / 100
    if bits < 20:
        return f"1 in {floor(2**bits):,}"
    exponent = floor(bits * log10(2))
    for zeros, name in _NAMES:
        if zeros <= exponent < zeros + 3:
            return f"1 in {floor(2**bits / 10**zeros):,} {name}"
    return f"1 in 10{str(exponent).translate(_SUPERSCRIPTS)}"


def count(number: int, noun: str) -> str:
    """``1 block``, ``4 blocks``, ``1,000 blocks``, ``4 matches``."""
    if number != 1:
        noun += "es" if noun.endswith(("ch", "ss")) else "s"
    return f"{number:,} {noun}"


def by_luck(trials: int, class_count: int) -> str:
    """How many of ``trials`` labels an unrelated model matches on average, in words."""
    if 10 * trials < class_count:
        return "less than 0.1"
    return f"about {trials / class_count:,.1f}"
