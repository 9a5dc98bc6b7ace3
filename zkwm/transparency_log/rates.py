"""How often somebody may ask: a bucket for each name that fills evenly and holds a minute's worth.

Counted in memory, for keys of the API and for addresses of visitors alike.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_NAMES = 100_000
"""Names that are remembered; who has not asked for longest is forgotten first."""
_MINUTE = 60.0


class Rates:
    """How many requests each name may still make now. For several threads.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str, per_minute: int) -> float:
        """Count one request; return the seconds to wait, 0 where it may be made now."""
        now, rate = self._clock(), per_minute / _MINUTE
        with self._lock:
            left, then = self._left.pop(name, (float(per_minute), now))
            left = min(per_minute, left + (now - then) * rate)
            wait = 0.0 if left >= 1 else (1 - left) / rate
            self._left[name] = (left if wait else left - 1, now)
            if len(self._left) > MOST_NAMES:
                self._left.popitem(last=False)
        return wait
