"""The end of a whole exchange: what is left of its time, and a timer that shuts its socket.

Timeouts of sockets bound one operation. A server that sends a byte a second ends none of them.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator


class Deadline:
    """So many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._expired = False

    @property
    def expired(self) -> bool:
        """Whether the time is over."""
        return self._expired or time.monotonic() >= self._end

    def left(self) -> float:
        """The seconds that are left. Raises TimeoutError if the time is over."""
        left = self._end - time.monotonic()
        if self._expired or left <= 0:
            raise TimeoutError
        return left

    @contextlib.contextmanager
    def shutting(self, guarded: socket.socket) -> Iterator[None]:
        """Shut a socket when the time is over while the block runs.

        Raises TimeoutError if it is over before the block or at its end.
        """
        timer = threading.Timer(self.left(), self._expire)
        timer.daemon = True
        self._socket = guarded
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                self._socket = None
            timer.join()
        self.left()

    def _expire(self) -> None:
        """Note that the time is over, and shut the socket."""
        with self._lock:
            self._expired = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    # The socket's own: that of TLS would talk to the other side first.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
