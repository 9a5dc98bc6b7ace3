"""A program that asks for a passphrase where there is no terminal, as ``SSH_ASKPASS`` does.

It is started without a shell, with the question as its one argument, and prints the passphrase. Its
output is read to the end of the first line, and neither its time nor its length is its own choice:
what it leaves running may keep its output open, which keeps nobody waiting.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

from zkwm_cli.exits import one_line
from zkwm_cli.hardening import environment_for_others
from zkwm_cli.terminal import attention
from zkwm_protocols.errors import Cancelled, CouldNotCheck, UsageError

VARIABLE = "ZKWM_ASKPASS"
WAIT_SECONDS = 300.0
_END_SECONDS = 5.0
_LOOK_SECONDS = 0.2
_LAST_SECONDS = 1.0
"""After the end of the program, for what it printed before."""


def ask_program(question: str, most: int) -> bytes | None:
    """What the program prints, a line of at most ``most`` bytes; None where none is named.

    Raises:
        UsageError: the program's name is no absolute path, or the line is too long.
        CouldNotCheck: it cannot be started, or does not answer in time.
        Cancelled: it ended with an error, as such programs do when a person says no.
    """
    program = os.environ.get(VARIABLE)
    if not program:
        return None
    if not Path(program).is_absolute():
        raise UsageError(
            f"{VARIABLE} is no absolute path: {program[:200]!r}",
            hint="name the program by its whole path: no folder is searched and no shell is asked",
        )
    try:
        process = subprocess.Popen(  # noqa: S603  (the owner of this process named it)
            [program, one_line(question)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            bufsize=0,  # a stream with a buffer is not closed while it is read
            env=environment_for_others(),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable file name"
        raise CouldNotCheck(
            f"cannot start {program[:200]} ({VARIABLE}): {reason}",
            hint="name a program that asks and prints the passphrase, such as ssh-askpass",
        ) from None
    try:
        with attention.waiting():
            return _answer(process, program, most)
    finally:
        _end(process)


def _answer(process: subprocess.Popen[bytes], program: str, most: int) -> bytes:
    """The first line that the program prints. Raises what ``ask_program`` does."""
    lines: list[bytes] = []

    def read() -> None:
        assert process.stdout is not None
        with suppress(OSError, ValueError):  # closed at the end of the time
            lines.append(process.stdout.readline(most + 2))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    until = time.monotonic() + WAIT_SECONDS
    while reader.is_alive() and process.poll() is None and time.monotonic() < until:
        reader.join(_LOOK_SECONDS)
    reader.join(_LAST_SECONDS)
    if not lines and process.returncode:
        raise _cancelled(program, process.returncode)
    if not lines:
        raise CouldNotCheck(
            f"{program[:200]} ({VARIABLE}) gave no passphrase"
            + (f" in {WAIT_SECONDS:.0f} seconds" if process.returncode is None else ""),
            hint="answer its question, or use --passphrase-file FILE",
        )
    line = lines[0].rstrip(b"\r\n")
    if len(line) > most:
        raise UsageError(f"a passphrase has at most {most} bytes")
    try:
        code = process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        code = 0  # it has answered, and is ended now
    if code:
        raise _cancelled(program, code)
    return line


def _cancelled(program: str, code: int) -> Cancelled:
    """The error for a program that ended with an error."""
    return Cancelled(f"{program[:200]} ({VARIABLE}) ended with {code} and gave no passphrase")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it started."""
    with suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
    if process.stdout is not None:
        process.stdout.close()
