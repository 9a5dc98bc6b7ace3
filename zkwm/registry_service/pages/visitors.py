"""How often a visitor may ask for pages, and the threads in which pages are made.

The threads are the pages' own: however many visitors come, the API has all of its own. Who visits
is told by the address of the connection, or by a web server of the operator's before this one.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from zkwm.transparency_log.admission import Identify, Scope, by_address
from zkwm.transparency_log.rates import Rates
from zkwm_protocols.errors import CouldNotCheck

PER_MINUTE = 120
"""Pages, badges and files that one address may ask for; as many at once."""
THREADS = 8
MOST_WAITING = 64
"""Pages that are made or wait for a thread; more visitors are told to come again."""
MOST_SENDING, MOST_SENDING_OF_ONE = 32, 2
"""Files and checkpoints that are received at a time, in all and of one address."""
_FORWARDED = b"x-forwarded-for"
_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")
_LOGGER = logging.getLogger(__name__)


class BusyError(CouldNotCheck):
    """Too many others do the same now."""


class TooOftenError(CouldNotCheck):
    """A visitor asks too often; ``retry_seconds`` says when they may again."""

    def __init__(self, retry_seconds: int) -> None:
        super().__init__(
            "too many pages were asked for from this address within a minute",
            hint=f"try again in {retry_seconds} s; programs use /v1",
        )
        self.retry_seconds = retry_seconds


class Visitors:
    """Those who read pages. Used by one event loop.

    Args:
        identify: who asks, by a request; the address of the connection by default.
        per_minute: how much each may ask for.
    """

    def __init__(self, identify: Identify | None = None, per_minute: int = PER_MINUTE) -> None:
        self._identify = identify or by_address()
        self._per_minute = per_minute
        self._rates = Rates()
        self._threads = ThreadPoolExecutor(THREADS, "pages")
        self._waiting = 0
        self._sending: Counter[str] = Counter()
        self._warned = False

    async def admit(self, scope: Scope) -> str:
        """Count a request; return whose it is. Raises TooOftenError."""
        asker = await self._identify(scope)
        wait = self._rates.take(asker.name, self._per_minute)
        if not wait:
            return asker.name
        if not self._warned and any(name == _FORWARDED for name, _ in scope["headers"]):
            self._warned = True
            _LOGGER.warning(
                "many visitors may share one address: is its web server named as a proxy?"
            )
        raise TooOftenError(math.ceil(wait))

    @contextmanager
    def sending(self, name: str) -> Iterator[None]:
        """Receive what a visitor sends, which may take long. Raises BusyError for one too many."""
        if self._sending.total() >= MOST_SENDING or self._sending[name] >= MOST_SENDING_OF_ONE:
            raise BusyError("too many files are being sent now", hint="try again in some seconds")
        self._sending[name] += 1
        try:
            yield
        finally:
            self._sending[name] -= 1
            self._sending += Counter()  # forgets who sends nothing

    async def run(
        self, make: Callable[_Given, _Made], *given: _Given.args, **named: _Given.kwargs
    ) -> _Made:
        """Make a page in one of the threads. Raises BusyError, and what ``make`` raises."""
        if self._waiting >= MOST_WAITING:
            raise BusyError("too many pages are asked for now", hint="try again in some seconds")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, lambda: make(*given, **named))
        finally:
            self._waiting -= 1
