"""How often somebody may read what a log or service computes: all of ``/v1``, none of the files.

Checkpoint and tiles are files that caches keep for good, so nobody is counted there. What is below
``/v1`` asks an index or makes a proof, and no cache spares it: one address would have the threads
of all others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

from zkwm.transparency_log.admission import Asker, Identify, Scope, by_address
from zkwm.transparency_log.http_server import Reply, problem
from zkwm.transparency_log.rates import Rates
from zkwm_protocols.errors import CouldNotCheck

READS_PER_MINUTE = 600
"""Of an address without an API key; as many at once."""
_PREFIX = "/v1/"

KnownReader: TypeAlias = Callable[[Scope], Awaitable[Asker | None]]
"""From a request to the holder of the key that it brings; None where it brings none that counts."""


class Readers:
    """Those who read what is below ``/v1``. Used by one event loop.

    Args:
        identify: who asks; the address of the connection by default.
        per_minute: how much each address may ask for.
        known: who has a key: they read at its rate once their address has asked too often.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        identify: Identify | None = None,
        per_minute: int = READS_PER_MINUTE,
        known: KnownReader | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._identify = identify or by_address()
        self._per_minute = per_minute
        self._known = known
        self._rates = Rates(clock)

    async def refusal(self, scope: Scope) -> Reply | None:
        """The answer to whoever asks too often, which says when to come again; None for others."""
        if scope["method"] not in ("GET", "HEAD") or not scope["path"].startswith(_PREFIX):
            return None
        asker = await self._identify(scope)
        wait = self._rates.take(asker.name, self._per_minute)
        if wait and self._known is not None:
            holder: Asker | None = None
            with suppress(CouldNotCheck):  # where keys cannot be looked up, none counts
                holder = await self._known(scope)
            if holder is not None and holder.rate is not None:
                wait = self._rates.take(holder.name, math.ceil(holder.rate.per_minute))
        if not wait:
            return None
        seconds = math.ceil(wait)
        return problem(
            429,
            "too many reads from this address within a minute",
            f"try again in {seconds} s; tiles and the checkpoint are files without a rate, and a "
            "key of the registry's operator has one of its own",
            retry_seconds=seconds,
        )
