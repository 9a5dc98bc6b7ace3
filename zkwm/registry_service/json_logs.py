"""Log lines as JSON, one object each, without secrets.

What may be secret is never logged on purpose; should a text bring it along (an error of a library
that names an address), keys, passwords in URLs and credentials are blotted out.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from zkwm.suspects.foreign_text import printable

MOST_TEXT = 2000
_PLACES = 5
_SECRETS = (
    (re.compile(r"(zkwm_[0-9a-f]{16})_[A-Za-z0-9_-]{20,}"), r"\1_***"),
    (re.compile(r"whsec_[A-Za-z0-9+/=_-]+"), "whsec_***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s,;\"']+"), r"\1 ***"),
    (re.compile(r"(?i)([a-z][a-z0-9+.-]*://)[^\s/@\"']*:[^\s/\"']*@"), r"\1***@"),
    (re.compile(r"(?i)\b(password|passphrase|secret|token|api[_-]?key)=[^\s&\"']+"), r"\1=***"),
)


class JsonFormatter(logging.Formatter):
    """One line of JSON for a record: time, level, where, what, and its ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        value: dict[str, object] = {
            "time": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            value |= {
                str(name): without_secrets(one) if isinstance(one, str) else one
                for name, one in fields.items()
                if name not in value and isinstance(one, str | int | float | bool | None)
            }
        if record.exc_info and record.exc_info[0] is not None:
            value["exception"] = record.exc_info[0].__name__
            value["where"] = _where(record)
        return json.dumps(value)


def without_secrets(text: str) -> str:
    """A text on one line, cut short, in which whatever looks like a secret is blotted out."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return printable(text, MOST_TEXT)


@contextmanager
def json_logs(stream: TextIO | None = None) -> Iterator[None]:
    """Until the block ends, everything that is logged goes to ``stream`` (stderr) as JSON."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root, ours = logging.getLogger(), logging.getLogger("zkwm")
    before = ours.level
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.setLevel(before)
        root.removeHandler(handler)


def _where(record: logging.LogRecord) -> list[str]:
    """The last places of a traceback, without values: messages of exceptions may hold secrets."""
    trace = record.exc_info[2] if record.exc_info else None
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return places[-_PLACES:]
