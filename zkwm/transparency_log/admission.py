"""Who may register how much: rates of each asker, and disk that a log keeps for itself.

Entries are for good, so strangers pay with patience. Each asker has a bucket of units; a
registration costs one for each KiB that it has begun. Who asks is decided by a function of the
request, ``Identify``: by default the address of the connection. A service with API keys gives its
own, which names the key and, if it likes, the key's own rate.
"""

from __future__ import annotations

import ipaddress
import math
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from zkwm.transparency_log.refusals import NO_SPACE, TOO_MANY, RefusedError

UNIT_BYTES = 1024
KEPT_BYTES = 2**30
KEPT_SHARE = 20
"""Of a small disk, so many parts have one that stays free."""
KEPT_FILES = 1000
MOST_ASKERS = 100_000
_DISK_SECONDS = 1.0
_FULL_SECONDS = 300

Scope: TypeAlias = MutableMapping[str, Any]
"""A request, as ASGI describes it."""


@dataclass(frozen=True)
class Rate:
    """So many units a minute, of which ten minutes' worth can be had at once."""

    per_minute: float

    @property
    def most(self) -> float:
        """Units of a full bucket."""
        return 10 * self.per_minute


ADDRESS_RATE = Rate(60)
"""Of an address without an API key: 600 ordinary statements at once, and one a second."""


@dataclass(frozen=True)
class Asker:
    """Who asks.

    Args:
        name: whose requests are counted together, such as an address or the public name of a key.
        rate: their own; None for that of addresses.
    """

    name: str
    rate: Rate | None = None


Identify: TypeAlias = Callable[[Scope], Awaitable[Asker]]
"""From a request to who asks. It may raise RefusedError, whose text reaches the client."""


def by_address(proxies: Collection[str] = ()) -> Identify:
    """Ask for the address of the connection; of IPv6 its /64, which one customer has.

    Args:
        proxies: addresses of web servers of one's own before this one; of what they forward, the
            last address in ``X-Forwarded-For`` is who asks.
    """

    async def identify(scope: Scope) -> Asker:
        address = (scope.get("client") or ("unknown", 0))[0]
        if address in proxies:
            told = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
            if told:
                address = told[-1].decode("latin-1").rpartition(",")[2].strip()
        return Asker(f"address {_network(address)}")

    return identify


class Admission:
    """Says whether a registration is taken. For one event loop.

    Args:
        folder: of the log, whose disk is watched.
        identify: who asks.
        rate: of those who have none of their own.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        folder: Path,
        identify: Identify | None = None,
        rate: Rate = ADDRESS_RATE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._identify = identify or by_address()
        self._rate = rate
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._looked = -math.inf
        self._full = False

    async def admit(self, scope: Scope) -> Asker:
        """Who asks, before anything of the body is read.

        Raises RefusedError: 429 where they have asked too often, 507 where the disk is too full.
        """
        self.require_space()
        asker = await self._identify(scope)
        left = self._units(asker)
        if left < 1:
            rate = asker.rate or self._rate
            seconds = math.ceil(60 * (1 - left) / rate.per_minute) if rate.per_minute else 3600
            raise RefusedError(
                "too many registrations from here",
                hint=f"try again in {seconds} s, or ask the log's operator for a key of your own",
                status=TOO_MANY,
                retry_seconds=seconds,
            )
        self._put(asker, left - 1)
        return asker

    def require_space(self) -> None:
        """Raise RefusedError (507) where the disk is too full for anything more."""
        if self._is_full():
            raise RefusedError(
                "the log takes no entries: its disk is nearly full",
                hint="try again later; what is in the log is read and proven as before",
                status=NO_SPACE,
                retry_seconds=_FULL_SECONDS,
            )

    def charge(self, asker: Asker, length: int) -> None:
        """A body of so many bytes was read: its units beyond the first."""
        self._put(asker, self._units(asker) - (max(length, 1) - 1) // UNIT_BYTES)

    def give_back(self, asker: Asker, length: int) -> None:
        """Nothing was added, since the statement was there: it costs nothing."""
        self._put(asker, self._units(asker) + 1 + (max(length, 1) - 1) // UNIT_BYTES)

    def _units(self, asker: Asker) -> float:
        """What an asker has by now."""
        rate = asker.rate or self._rate
        left, then = self._left.get(asker.name, (rate.most, self._clock()))
        return min(rate.most, left + rate.per_minute * (self._clock() - then) / 60)

    def _put(self, asker: Asker, left: float) -> None:
        """Note what an asker has; who has not asked for longest is forgotten."""
        self._left[asker.name] = (left, self._clock())
        self._left.move_to_end(asker.name)
        if len(self._left) > MOST_ASKERS:
            self._left.popitem(last=False)

    def _is_full(self) -> bool:
        """Whether less is free than the log keeps for itself; looked at once a second."""
        now = self._clock()
        if now - self._looked >= _DISK_SECONDS:
            self._looked = now
            self._full = is_nearly_full(self._folder)
        return self._full


def is_nearly_full(folder: Path) -> bool:
    """Whether a disk has less than 1 GiB, or 5 % of a small one, or few files left."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return True
    kept = min(KEPT_BYTES, disk.f_blocks * disk.f_frsize // KEPT_SHARE)
    few = bool(disk.f_files) and disk.f_favail < KEPT_FILES
    return few or disk.f_bavail * disk.f_frsize < kept


def _network(text: str) -> str:
    """What stands for an address: IPv4 as it is, the /64 of IPv6."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
