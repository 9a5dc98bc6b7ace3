"""A host's addresses: looked up once, within the deadline, and checked before any is asked.

The system's lookup has no time limit and cannot be interrupted, so it runs in a thread that is left
behind when the time is over; there are never more than ``_MOST_LOOKUPS`` of them. Whoever connects
uses the address that was checked, so a name that means another one a moment later (DNS rebinding)
leads nowhere else.
"""

from __future__ import annotations

import socket
import threading

from zkwm.outgoing_http.deadline import Deadline
from zkwm.outgoing_http.location import Location
from zkwm.outgoing_http.rules import Rules

_MOST_LOOKUPS = 32
_LOOKUPS = threading.BoundedSemaphore(_MOST_LOOKUPS)


def resolve(location: Location, rules: Rules, deadline: Deadline) -> list[str]:
    """The addresses to connect to; only ``location.address`` where it has one.

    Raises ForbiddenError for a location or address that the rules do not allow, TimeoutError, and
    OSError for a host that cannot be found.
    """
    rules.require_location(location)
    if location.address:
        addresses = [location.address]
    else:
        addresses = _Lookup(location.host, location.port).addresses(deadline)
    rules.require_addresses(addresses)
    return addresses


class _Lookup:
    """One lookup in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._free = _LOOKUPS
        self._found: list[str] = []
        self._error: Exception | None = None

    def addresses(self, deadline: Deadline) -> list[str]:
        """What was found until the deadline. Raises OSError, TimeoutError."""
        if not self._free.acquire(timeout=deadline.left()):
            raise TimeoutError
        thread = threading.Thread(target=self._run, name="lookup", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._free.release()
            raise OSError("no thread for a lookup") from None
        thread.join(deadline.left())
        if thread.is_alive():
            raise TimeoutError
        if self._error is not None:
            raise OSError("the host cannot be found") from None
        return self._found

    def _run(self) -> None:
        """Look up, in the thread."""
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._found = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        except Exception as error:  # UnicodeError for an odd name, OSError for a missing one
            self._error = error
        finally:
            self._free.release()
