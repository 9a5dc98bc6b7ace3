"""Exit codes, and errors as one line of text and as JSON, never as a traceback.

The errors come from the library, with their own message and hint.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NoReturn

import click

from zkwm_cli.layout import fit
from zkwm_cli.option_names import in_options

if TYPE_CHECKING:
    from zkwm_protocols.errors import ZkwmError

ERROR_SCHEMA = "zkwm/error/v1"


class Exit(IntEnum):
    """The exit codes, the same in every command, that a script can rely on.

    1 is none of them: a broken installation, a killed process or a shell gives it.
    """

    OK = 0
    USAGE = 2
    COULD_NOT_CHECK = 3
    TRUST_MATERIAL_MISSING = 4
    CANCELLED = 5
    NOT_PROVEN = 10


EXIT_CODES = (
    (Exit.OK, "done; for verify: the claim is proven"),
    (Exit.USAGE, "the command line is wrong; nothing was done"),
    (Exit.COULD_NOT_CHECK, "could not be done or checked: malformed, invalid, unreadable"),
    (Exit.TRUST_MATERIAL_MISSING, "trust material is missing or expired"),
    (Exit.CANCELLED, "cancelled"),
    (Exit.NOT_PROVEN, "verify: checked, all valid, and not proven"),
)


def exit_code(error: ZkwmError) -> Exit:
    """The exit code of an error of the library, by its class.

    "Not proven" is not among them: only ``decided`` gives that code, once the verdict is written.
    An error that carries a verdict has the code of its outcome, whatever is to be corrected on the
    command line: after a verdict "nothing was done" would be wrong (SPEC.md 9.3). So it would be
    where too few triggers match for an argument: the command line is right, and the vault has the
    bit.
    """
    from zkwm_protocols import errors

    if isinstance(error, errors.TrustMaterialMissing):
        return Exit.TRUST_MATERIAL_MISSING
    if error.verdict is not None or isinstance(error, errors.NotEnoughMatches):
        return Exit.COULD_NOT_CHECK
    for kind, code in ((errors.UsageError, Exit.USAGE), (errors.Cancelled, Exit.CANCELLED)):
        if isinstance(error, kind):
            return code
    return Exit.COULD_NOT_CHECK


def decided(*, proven: bool) -> NoReturn:
    """End ``zkwm verify`` with 0 or 10, once the whole verdict has left this process.

    The only place that gives either code for a verdict. Raises OSError where stdout could not be
    written, so that nobody takes a lost verdict for one.
    """
    sys.stdout.flush()
    raise click.exceptions.Exit(Exit.OK if proven else Exit.NOT_PROVEN)


def one_line(text: str) -> str:
    """``text`` on one line without control characters, whatever a file or server contains."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(shown.split())


def print_error(
    message: str,
    *,
    hint: str,
    check: str = "",
    code: Exit,
    as_json: bool,
    word: str = "error",
) -> None:
    """Print what went wrong and what to do next.

    Args:
        message: the error in one sentence.
        hint: what to do next; may be empty.
        check: id of the check that failed; may be empty.
        code: the exit code that follows.
        as_json: print an object of schema ``zkwm/error/v1`` on stdout as well.
        word: how the line on stderr begins.
    """
    where = f" [{check}]" if check else ""
    click.echo(fit(f"zkwm: {word}: {one_line(message)}{where}", sys.stderr), err=True)
    if hint:
        click.echo(fit(f"zkwm: hint: {one_line(hint)}", sys.stderr), err=True)
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


def print_zkwm_error(error: ZkwmError, *, as_json: bool, command: str = "") -> Exit:
    """Print an error of the library and return its exit code.

    ``command`` is the one that failed: what to do next depends on who runs it. An error that
    carries a verdict comes after the command has printed that verdict: no second JSON object
    follows.
    """
    from zkwm_protocols.errors import Cancelled

    code = exit_code(error)
    print_error(
        in_options(error.message),
        hint=in_options(error.hint or usual_hint(error, command)),
        check=error.check,
        code=code,
        as_json=as_json and error.verdict is None,
        word="cancelled" if isinstance(error, Cancelled) else "error",
    )
    return code


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on stdout, in ASCII, and a line break."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


_OWN_FILES = ("prove", "verify", "challenge", "inspect", "check", "find", "case")
_JUDGES = ("verify", "case")


def usual_hint(error: ZkwmError, command: str) -> str:
    """What to do next where the error itself has no hint, for whoever runs ``command``."""
    from zkwm_protocols import errors

    called = f"zkwm {command}".strip()
    other = f"correct this and run the command again; {called} --help lists the options"
    file = (
        "get the file again from whoever made it; zkwm inspect FILE shows what can be read"
        if command in _OWN_FILES
        else f"give another file; {called} --help says which"
    )
    answer = (
        "ask the owner for their response to exactly this challenge"
        if command in _JUDGES
        else "compare with zkwm inspect: commitment and challenge name each other's digests"
    )
    for kind, hint in (
        (errors.Malformed, file),
        (errors.InvalidSignature, "do not rely on this file; get it again from whoever made it"),
        (errors.InvalidOpening, answer),
        (errors.SuspectUnusable, "check that the model answers outside zkwm"),
        (
            errors.CouldNotCheck,
            "nothing was decided; correct this and run the command again"
            if command in (*_JUDGES, "dispute")
            else "correct this and run the command again",
        ),
        (errors.UsageError, other),
    ):
        if isinstance(error, kind):
            return hint
    return ""
