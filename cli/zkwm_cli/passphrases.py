"""Passphrases: from a file, the environment or a person, never from an argument."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from zkwm_cli.hardening import VARIABLE, environment_passphrase, protect_memory
from zkwm_cli.terminal import ask_hidden, warn
from zkwm_protocols.errors import CouldNotCheck, UsageError

LONGEST = 4096


def passphrase(file: str | None, *, of: str, new: bool = False) -> str:
    """The passphrase of a vault or key.

    Args:
        file: a file whose first line is the passphrase, ``-`` for stdin, or None: then the
            environment is read, or a person is asked.
        of: what it opens, for messages.
        new: ask a person twice.

    Raises:
        UsageError: there is none, it is empty, or it was typed in two ways.
    """
    protect_memory()
    if file is not None:
        secret = _from_file(file)
    elif (given := environment_passphrase()) is not None:
        secret = given
    else:
        secret = _from_person(of, new=new)
    if not secret:
        raise UsageError(
            f"the passphrase of {of} is empty", hint="choose a long one, such as five random words"
        )
    return secret


def _from_file(file: str) -> str:
    """The first line of a file or of stdin, at most 4096 bytes of UTF-8."""
    try:
        if file == "-":
            line = sys.stdin.buffer.readline(LONGEST + 2)
        else:
            with Path(file).open("rb") as stream:
                mode = os.fstat(stream.fileno()).st_mode
                if stat.S_ISREG(mode) and mode & stat.S_IROTH:
                    warn(f"every user of this machine can read {file}")
                line = stream.readline(LONGEST + 2)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable file name"
        raise CouldNotCheck(
            f"cannot read the passphrase file {file}: {reason}",
            hint="name a file whose first line is the passphrase",
        ) from None
    if len(line.rstrip(b"\r\n")) > LONGEST:
        raise UsageError(f"a passphrase has at most {LONGEST} bytes")
    return _text(line.rstrip(b"\r\n"), f"in {file}")


def _from_person(of: str, *, new: bool) -> str:
    """A passphrase typed at the terminal without echo, twice for a new one."""
    if not new:
        return _typed(f"Passphrase of {of}: ", of)
    first = _typed(f"New passphrase of {of}: ", of)
    if _typed("The same again: ", of) != first:
        raise UsageError("the two passphrases differ", hint="try again; nothing was made")
    return first


def _typed(question: str, of: str) -> str:
    """What a person types. Raises UsageError where there is none to ask."""
    line = ask_hidden(question, LONGEST)
    if line is None:
        raise UsageError(
            f"the passphrase of {of} is needed, and there is no terminal to ask at",
            hint=f"use --passphrase-file FILE, or set {VARIABLE}",
        )
    return _text(line, "that was typed")


def _text(line: bytes, where: str) -> str:
    """A passphrase as text. Raises UsageError."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"the passphrase {where} is not text in UTF-8") from None
