"""Notes, warnings, progress and questions for a person at a terminal.

They go to stderr or to the terminal itself, never to stdout. Questions reach the terminal even
where stdin is a pipe; where there is no terminal, nothing is asked.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import select
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import IO

import click

from zkwm_cli.exits import one_line
from zkwm_cli.layout import fit
from zkwm_protocols.errors import UsageError

SPARSE_SECONDS = 30.0
_LOOK_SECONDS = 0.2
"""A signal just before a wait begins is noticed only when the wait ends."""
_LONGEST_LINE = 4095
"""Bytes of a line that Linux keeps at a terminal; it drops the rest and does not say so."""


class Attention:
    """When a person was last told something, the progress shown, and who waits for whom."""

    def __init__(self) -> None:
        self.since = time.monotonic()
        self.progress = ""
        self.asking = False
        self.serving = False
        """Whether the command serves others: then its silence is no work that a person awaits."""

    def spoke(self) -> None:
        """Something was said just now."""
        self.since = time.monotonic()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """A person is asked; nothing else is said until they have answered."""
        self.asking = True
        try:
            yield
        finally:
            self.asking = False
            self.spoke()


attention = Attention()
"""What the person at this process's stderr knows (``zkwm_cli.heartbeat``)."""


def note(text: str) -> None:
    """Print one line of information."""
    attention.spoke()
    click.echo(fit(one_line(text), sys.stderr), err=True)


def say_between(text: str) -> None:
    """Print one line while other work goes on, after the progress that was last made."""
    line = one_line(f"{attention.progress}; {text}" if attention.progress else text)
    clear = "\r\x1b[K" if sys.stderr.isatty() and attention.progress else ""
    click.echo(clear + line, err=True)


def warn(text: str) -> None:
    """Print one line that a person should think about."""
    attention.spoke()
    click.echo(fit(f"zkwm: warning: {one_line(text)}", sys.stderr), err=True)


def table(rows: list[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(fit(f"  {name:<{width}}  {one_line(value)}", sys.stderr), err=True)


def open_terminal() -> IO[str] | None:
    """The terminal of this process for reading and writing, or None where there is none."""
    if os.name != "posix":
        return None if not sys.stdin.isatty() else sys.stdin
    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return None
    return os.fdopen(descriptor, "r", encoding="utf-8", errors="replace")


def notes_are_read() -> bool:
    """Whether stderr, which shows what a person decides on, is a terminal."""
    return sys.stderr.isatty()


def ask_yes(question: str) -> bool | None:
    """Whether a person typed yes; None where nobody can be asked, or nobody reads the question."""
    terminal = open_terminal() if notes_are_read() else None
    if terminal is None:
        return None
    click.echo(f"{one_line(question)} [type yes] ", err=True, nl=False)
    with attention.waiting():
        if terminal is sys.stdin:
            return terminal.readline().strip().lower() == "yes"
        with terminal:
            _wait_for_line(terminal)
            return terminal.readline().strip().lower() == "yes"


def ask_hidden(question: str, most: int) -> bytes | None:
    """A line of at most ``most`` bytes typed without echo; None where nobody can be asked.

    ``getpass`` alone would miss a Control-C that is pressed just before it waits. Raises EOFError
    where the terminal is closed, UsageError for a line of which a part may be lost.
    """
    terminal = open_terminal()
    if terminal is None:
        return None
    with attention.waiting():
        if terminal is sys.stdin:
            return getpass.getpass(question).encode("utf-8", "surrogateescape")
        with terminal:
            line = _hidden_line(terminal.fileno(), question, most)
    if not line:
        raise EOFError
    line = line.rstrip(b"\r\n")
    if len(line) > most or len(line) >= _LONGEST_LINE:
        raise UsageError(
            "that is too long a line to be typed, and its end may be lost",
            hint="use --passphrase-file FILE",
        )
    return line


def _hidden_line(descriptor: int, question: str, most: int) -> bytes:
    """What is typed without echo, its end of line included. Raises EOFError."""
    import termios

    try:
        with signals_raise(), _without_echo(descriptor):
            os.write(descriptor, question.encode("utf-8", "replace"))
            while not select.select([descriptor], [], [], _LOOK_SECONDS)[0]:
                _silence(descriptor)  # a shell that stopped and continued us may have undone it
            line = os.read(descriptor, most + 1)
            os.write(descriptor, b"\n")
    except (OSError, termios.error):
        raise EOFError from None
    return line


@contextlib.contextmanager
def _without_echo(descriptor: int) -> Iterator[None]:
    """A terminal that does not show what is typed; what was typed before is lost."""
    import termios

    before = termios.tcgetattr(descriptor)
    try:
        termios.tcflush(descriptor, termios.TCIFLUSH)
        _silence(descriptor)
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


def _silence(descriptor: int) -> None:
    """Turn off the echo of a terminal, and keep what is typed already. Raises termios.error."""
    import termios

    now = termios.tcgetattr(descriptor)
    if now[3] & termios.ECHO:
        now[3] &= ~termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSADRAIN, now)


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """Signals that would end the process at once raise SystemExit: a terminal is restored first."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
            if signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, _leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> None:
    """End as a shell reports a process that a signal ended. Raises SystemExit."""
    raise SystemExit(128 + number)


def _wait_for_line(terminal: IO[str]) -> None:
    """Wait in short pieces, so that Control-C ends the wait whenever it is pressed."""
    while not select.select([terminal], [], [], _LOOK_SECONDS)[0]:
        pass


class ProgressLine:
    """A line on stderr that is overwritten; in a log, one line every half a minute."""

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._last = time.monotonic()
        self._shown = False

    def update(self, text: str) -> None:
        """Show the progress."""
        if self._silent:
            attention.spoke()
            return
        text = one_line(text)
        attention.progress = text
        if self._live:
            attention.spoke()
            columns = shutil.get_terminal_size().columns - 1
            click.echo(f"\r\x1b[K{text[:columns]}", err=True, nl=False)
            self._shown = True
        elif time.monotonic() - self._last >= SPARSE_SECONDS:
            attention.spoke()
            click.echo(text, err=True)
            self._last = time.monotonic()

    def end(self) -> None:
        """Clear the line."""
        attention.progress = ""
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._shown = False


def duration(seconds: float) -> str:
    """Seconds in words: 42 s, 3 min 5 s, 2 h 10 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
