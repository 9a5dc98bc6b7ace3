"""Run one kind of file: a document for each number, one reading, what came of it.

A reader returns a value or raises an error of zkwm of the kinds that are named, within limits of
time and memory; what it returns is written back as the same bytes, where the format is ours.
"""

from __future__ import annotations

import hashlib
import resource
import signal
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from zkwm_protocols.errors import Malformed, Unsupported, ZkwmError

MOST_SECONDS = 2.0
"""Processor time of one reading."""
MOST_GROWTH = 384 << 20
"""Bytes by which one reading may raise the peak of resident memory."""
MOST_KEPT = 20

Errors = tuple[type[Exception], ...]
DOCUMENT_ERRORS: Errors = (Malformed, Unsupported)


@dataclass(frozen=True)
class Kind:
    """One kind of foreign bytes.

    Attributes:
        name: how the results call it.
        make: a document, from valid to garbage, drawn with the given generator.
        read: the reader under test.
        errors: what it may raise.
        again: writes what was read; None where the format has more than one encoding.
        note: what the reading leaves out, for the results.
    """

    name: str
    make: Callable[[Random], bytes]
    read: Callable[[bytes], object]
    errors: Errors = DOCUMENT_ERRORS
    again: Callable[[Any], bytes] | None = None
    note: str = ""


@dataclass
class Tally:
    """What came of the executions of one kind."""

    executions: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_number: int = -1
    seconds: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    examples: dict[str, int] = field(default_factory=dict)

    def line(self, kind: Kind) -> dict[str, object]:
        """The figures as plain values."""
        return {
            "kind": kind.name,
            "executions": self.executions,
            "accepted": self.accepted,
            "refused": dict(sorted(self.refused.items())),
            "slowest_ms": round(1000 * self.slowest, 1),
            "slowest_number": self.slowest_number,
            "seconds": round(self.seconds, 1),
            "failures": dict(self.failures),
            **({"first_failures": self.examples} if self.examples else {}),
            **({"note": kind.note} if kind.note else {}),
        }


class HangError(BaseException):
    """The reading took more than ``MOST_SECONDS`` of processor time."""


def document(kind: Kind, number: int) -> bytes:
    """The document with this number; always the same."""
    seed = hashlib.sha256(f"{kind.name} {number}".encode()).digest()[:8]
    return kind.make(Random(int.from_bytes(seed, "big")))


def run(kind: Kind, first: int, count: int) -> Tally:
    """Read ``count`` documents from number ``first`` on."""
    tally = Tally()
    started = time.perf_counter()
    with warnings.catch_warnings(), _alarm():
        warnings.simplefilter("error")
        for number in range(-3, 0):  # what a reader imports is not its time
            _execute(kind, number, Tally())
        for number in range(first, first + count):
            _execute(kind, number, tally)
    tally.seconds = time.perf_counter() - started
    return tally


def _execute(kind: Kind, number: int, tally: Tally) -> None:
    """Make and read one document."""
    data = document(kind, number)
    peak, before = _peak(), time.process_time()
    failure = ""
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
    try:
        value = kind.read(data)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if kind.again is not None and kind.again(value) != data:
            failure = "accepted, and written back as other bytes"
        tally.accepted += 1
    except kind.errors as error:
        tally.refused[type(error).__name__] += 1
        failure = _bad_error(error)
    except HangError:
        failure = f"more than {MOST_SECONDS:g} seconds"
    except Exception as error:  # what is looked for
        failure = f"{type(error).__name__} at {_place(error)}"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    elapsed = time.process_time() - before
    tally.executions += 1
    if elapsed > tally.slowest:
        tally.slowest, tally.slowest_number = elapsed, number
    if not failure and _peak() - peak > MOST_GROWTH + 8 * len(data):
        failure = "more memory than allowed"
    if failure:
        tally.failures[failure] += 1
        if len(tally.examples) < MOST_KEPT:
            tally.examples.setdefault(failure, number)


def _bad_error(error: Exception) -> str:
    """What is wrong with an error of the right kind: it must say something, on one line."""
    message = error.message if isinstance(error, ZkwmError) else str(error)
    if not message or "\n" in message or len(message) > 2_000:
        return f"{type(error).__name__} with a message of {len(message)} characters"
    return ""


def _place(error: Exception) -> str:
    """The innermost place in zkwm's own files that an exception passed."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "/zkwm" in frame.filename and "site-packages" not in frame.filename
    ]
    frame = (frames or traceback.extract_tb(error.__traceback__))[-1]
    return f"{'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno} {frame.name}"


def _peak() -> int:
    """The largest resident memory so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def _alarm() -> Iterator[None]:
    """Turn the timer's signal into ``HangError`` while the block runs."""

    def ring(*_: object) -> None:
        raise HangError

    before = signal.signal(signal.SIGVTALRM, ring)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
