"""Keep secrets of a process out of core dumps, debuggers and child processes.

Commands of owner and judge hold passphrases and keys. None of this stops an administrator.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from enum import Enum

COMMON_VARIABLE = "ZKWM_PASSPHRASE"
PIN_VARIABLE = "ZKWM_PIN"


class Role(Enum):
    """Whose passphrase it is; the value is the variable that gives it and no other's."""

    OWNER = "ZKWM_OWNER_PASSPHRASE"
    JUDGE = "ZKWM_JUDGE_PASSPHRASE"
    REGISTRY = "ZKWM_REGISTRY_PASSPHRASE"


VARIABLES = (COMMON_VARIABLE, PIN_VARIABLE, *(role.value for role in Role))
"""Every variable that may hold a passphrase or a PIN."""
_PR_SET_DUMPABLE = 4
_taken: dict[str, str] = {}


def take_passphrases() -> None:
    """Move all passphrases out of the environment, which every child process would inherit."""
    for variable in VARIABLES:
        secret = os.environ.pop(variable, None)
        if secret is not None:
            _taken[variable] = secret


def environment_passphrase(role: Role) -> str | None:
    """The passphrase of the environment, also once it was taken out; None where there is none.

    That of the role comes before the common one.
    """
    for variable in (role.value, COMMON_VARIABLE):
        secret = os.environ.get(variable, _taken.get(variable))
        if secret is not None:
            return secret
    return None


def environment_pin() -> str | None:
    """The PIN of the environment; a passphrase is none, for a token locks after wrong ones."""
    return os.environ.get(PIN_VARIABLE, _taken.get(PIN_VARIABLE))


def environment_for_others() -> dict[str, str]:
    """The environment without any passphrase, for another program."""
    return {name: value for name, value in os.environ.items() if name not in VARIABLES}


def protect_memory() -> None:
    """No core dump of this process, and no debugger of the same user (Linux)."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
