"""Exit codes, and how an error is told: in one line of text, in JSON, never as a traceback.

Not a place where errors are made: those come from ``zkwm`` with their own message and hint.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from zkwm_protocols.errors import ZkwmError

ERROR_SCHEMA = "zkwm/error/v1"


class Exit(IntEnum):
    """What a script can rely on. The same in every command."""

    OK = 0
    NOT_PROVEN = 1
    USAGE = 2
    COULD_NOT_CHECK = 3
    TRUST_MATERIAL_MISSING = 4
    CANCELLED = 5


EXIT_CODES = (
    (Exit.OK, "done; for verify: the claim is proven"),
    (Exit.NOT_PROVEN, "checked, all valid, and not proven"),
    (Exit.USAGE, "the command line makes no sense; nothing was done"),
    (Exit.COULD_NOT_CHECK, "could not be done or checked: malformed, invalid, unreadable"),
    (Exit.TRUST_MATERIAL_MISSING, "trust material is missing or expired"),
    (Exit.CANCELLED, "cancelled"),
)


def exit_code(error: ZkwmError) -> Exit:
    """The exit code of an error of the library, by its class."""
    from zkwm_protocols import errors

    for kind, code in (
        (errors.UsageError, Exit.USAGE),
        (errors.NotProven, Exit.NOT_PROVEN),
        (errors.TrustMaterialMissing, Exit.TRUST_MATERIAL_MISSING),
        (errors.Cancelled, Exit.CANCELLED),
    ):
        if isinstance(error, kind):
            return code
    return Exit.COULD_NOT_CHECK


def one_line(text: str) -> str:
    """``text`` on one line without control characters, whatever a file or server put into it."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(shown.split())


def tell_error(
    message: str,
    *,
    hint: str,
    check: str = "",
    code: Exit,
    as_json: bool,
    word: str = "error",
) -> None:
    """Say what went wrong and what to do next: text on stderr; with --json JSON on stdout too."""
    where = f" [{check}]" if check else ""
    click.echo(f"zkwm: {word}: {one_line(message)}{where}", err=True)
    if hint:
        click.echo(f"zkwm: hint: {one_line(hint)}", err=True)
    if os.environ.get("ZKWM_DEBUG") and sys.exc_info()[0] is not None:
        click.echo(traceback.format_exc(), err=True)
    if as_json:
        print_json(
            {
                "schema": ERROR_SCHEMA,
                "error": message,
                "hint": hint,
                "check": check or None,
                "exit_code": int(code),
            }
        )


def tell_zkwm_error(error: ZkwmError, *, as_json: bool) -> Exit:
    """Tell an error of the library and return its exit code.

    Where a verdict belongs to it, the command has printed that already: then "not proven" needs
    no further word, and there is no second JSON object.
    """
    from zkwm_protocols.errors import Cancelled, NotProven

    code = exit_code(error)
    if error.verdict is None or not isinstance(error, NotProven):
        tell_error(
            error.message,
            hint=error.hint or _usual_hint(error),
            check=error.check,
            code=code,
            as_json=as_json and error.verdict is None,
            word="cancelled" if isinstance(error, Cancelled) else "error",
        )
    return code


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout, in ASCII, with a line break behind it."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def _usual_hint(error: ZkwmError) -> str:
    """What to do next where the library has no better advice."""
    from zkwm_protocols import errors

    for kind, hint in (
        (errors.Malformed, "get the file again from its maker; zkwm inspect FILE looks into it"),
        (errors.InvalidSignature, "do not rely on this file; get it again from its maker"),
        (errors.InvalidOpening, "ask the owner for his response to exactly this challenge"),
        (errors.SuspectUnusable, "check that the model can be asked by itself"),
        (errors.CouldNotCheck, "nothing was decided; mend this and run the command again"),
        (errors.UsageError, "change that and run the command again; --help lists the options"),
    ):
        if isinstance(error, kind):
            return hint
    return ""
