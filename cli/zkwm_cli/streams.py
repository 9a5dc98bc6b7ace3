"""Standard streams of a process whose surroundings are broken: closed, full, or read by nobody.

What a command says on stderr is for people, so it never fails. What it prints on stdout is its
result, so it always fails loudly where it cannot be written.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


class StreamError(OSError):
    """Standard output cannot be written; every other OSError is about something else."""


class _Stdout(io.FileIO):
    """Standard output, whose errors are known to be its own."""

    def write(self, data: Buffer, /) -> int:
        """Write bytes. Raises StreamError."""
        try:
            return super().write(data)
        except OSError as error:
            raise StreamError(error.errno, error.strerror) from None


class _Unfailing(io.TextIOWrapper):
    """A text stream that loses what cannot be written."""

    def write(self, text: str, /) -> int:
        """Write ``text`` if possible; its length."""
        try:
            return super().write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Flush if possible."""
        try:
            super().flush()
        except OSError:
            return


class _Closed(io.TextIOBase):
    """A standard output that was closed before the program started."""

    encoding = "utf-8"
    errors = "strict"

    def write(self, text: str, /) -> int:
        """Raise StreamError, as writing to a closed descriptor does."""
        raise StreamError(errno.EBADF, os.strerror(errno.EBADF))


def prepare() -> None:
    """Make the streams of this process safe to write to; called once, at the start.

    Descriptors 0 to 2 that are closed are opened on the null device, so that no file that is opened
    later gets such a number and is written to by mistake.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    sys.stderr = _stderr()
    if sys.stdout is None:
        sys.stdout = _Closed()
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
        if os.name != "nt":  # a console there takes text, not bytes
            sys.stdout = _stdout(sys.stdout)


def silence_stdout() -> None:
    """Point stdout at the null device, so that the interpreter can flush when it exits."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return


def _stdout(given: io.TextIOWrapper) -> TextIO:
    """Stdout as it was given, with errors of its own."""
    raw = _Stdout(given.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=given.encoding,
        errors=given.errors,
        line_buffering=given.line_buffering,
    )


def _stderr() -> TextIO:
    """Stderr, unbuffered, losing what cannot be written."""
    if sys.stderr is None:
        return _Unfailing(io.FileIO(os.devnull, "w"), encoding="utf-8")
    raw = io.FileIO(sys.stderr.fileno(), "w", closefd=False)
    return _Unfailing(
        raw, encoding=sys.stderr.encoding, errors="backslashreplace", write_through=True
    )
