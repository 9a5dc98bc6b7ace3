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
"""Bytes by which a block of readings may raise the peak of resident memory."""
MOST_KEPT = 20
_BLOCK = 64
"""Executions between two looks at the memory: each is a call of the system."""
_TICK = 0.25

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
    with warnings.catch_warnings(), _watched() as watch:
        warnings.simplefilter("error")
        for number in range(-3, 0):  # what a reader imports is not its time
            _execute(kind, number, Tally(), watch)
        peak = _peak()
        for number in range(first, first + count):
            _execute(kind, number, tally, watch)
            if number % _BLOCK == 0 or number == first + count - 1:
                grown, peak = _peak() - peak, _peak()
                if grown > MOST_GROWTH:
                    _fail(tally, "more memory than allowed", number)
    tally.seconds = time.perf_counter() - started
    return tally


def _execute(kind: Kind, number: int, tally: Tally, watch: _Watch) -> None:
    """Make and read one document."""
    data = document(kind, number)
    started, failure = time.process_time(), ""
    watch.begin()
    try:
        value = kind.read(data)
        watch.end()
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
        watch.end()
    elapsed = time.process_time() - started
    tally.executions += 1
    if failure:
        _fail(tally, failure, number)
    elif elapsed > tally.slowest:
        tally.slowest, tally.slowest_number = elapsed, number


def _fail(tally: Tally, failure: str, number: int) -> None:
    """Count a failure; keep the number of the first of its kind."""
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


class _Watch:
    """Ends a reading that takes too much processor time, looked at each ``_TICK`` of it."""

    def __init__(self) -> None:
        self._ticks = 0
        self._reading = False

    def begin(self) -> None:
        """A reading begins."""
        self._ticks, self._reading = 0, True

    def end(self) -> None:
        """It is over."""
        self._reading = False

    def tick(self, *_: object) -> None:
        """The signal's handler."""
        self._ticks += 1
        if self._reading and self._ticks * _TICK > MOST_SECONDS:
            self._reading = False
            raise HangError


@contextmanager
def _watched() -> Iterator[_Watch]:
    """A timer of processor time while the block runs: one call for all readings."""
    watch = _Watch()
    before = signal.signal(signal.SIGVTALRM, watch.tick)
    signal.setitimer(signal.ITIMER_VIRTUAL, _TICK, _TICK)
    try:
        yield watch
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
