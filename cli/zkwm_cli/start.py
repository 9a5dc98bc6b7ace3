"""The entry point of the installed program: whatever fails, the exit code is never 0, 1 or 10.

Imports nothing but the standard library, so that a broken installation is an error like others.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import NoReturn

COULD_NOT_CHECK = 3
SELDOM = 50_000
"""Objects made until cyclic garbage is sought: imports make many, and none of them is garbage."""


def run() -> NoReturn:
    """Run the program and exit. An import that fails, at the start or later, ends in code 3."""
    gc.set_threshold(SELDOM)
    atexit.register(gc.freeze)  # nor is what a process leaves at its end
    try:
        try:
            from zkwm_cli.main import run as program
        except SystemExit as error:
            raise ImportError(f"a library left with {error.code}") from None
        program()
    except Exception as error:
        if os.environ.get("ZKWM_DEBUG"):
            raise SystemExit(_report(error, repr(error.__traceback__))) from error
        raise SystemExit(_report(error, "install zkwm again")) from None


def _report(error: Exception, hint: str) -> int:
    """Say what could not be imported, where anybody can read it; return the exit code."""
    try:
        sys.stderr.write(f"zkwm: error: this installation is broken: {error}\nzkwm: hint: {hint}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        sys.stderr = None  # nobody reads it; the interpreter must not try again
    return COULD_NOT_CHECK
