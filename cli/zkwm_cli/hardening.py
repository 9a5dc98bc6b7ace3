"""Keep secrets of a process out of core dumps, debuggers and child processes.

Commands of owner and judge hold passphrases and keys. None of this stops an administrator.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

VARIABLE = "ZKWM_PASSPHRASE"
_PR_SET_DUMPABLE = 4
_taken: dict[str, str] = {}


def take_passphrase() -> None:
    """Move the passphrase out of the environment, which every child process would inherit."""
    secret = os.environ.pop(VARIABLE, None)
    if secret is not None:
        _taken[VARIABLE] = secret


def environment_passphrase() -> str | None:
    """The passphrase of the environment, also once it was taken out; None where there is none."""
    return os.environ.get(VARIABLE, _taken.get(VARIABLE))


def protect_memory() -> None:
    """No core dump of this process, and no debugger of the same user (Linux)."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
