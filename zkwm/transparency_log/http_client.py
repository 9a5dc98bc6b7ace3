"""One HTTP request with a deadline and a limit, to a log or a witness.

Whom it asks is configured by the one who runs it; redirects are not followed. Socket timeouts do
not bound a server that sends a byte a second, so a timer shuts the socket at the deadline.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from zkwm_protocols.errors import CouldNotCheck, UsageError

ANSWER_LIMIT = 2**20
_PORTS = {"http": 80, "https": 443}
_MOST_IDLE = 8

_Place = tuple[str, str, int]
"""Scheme, host and port."""


@dataclass(frozen=True)
class Answer:
    """An answer: its status, type, and content."""

    status: int
    media_type: str
    content: bytes


class HttpClient:
    """Connections that are kept between requests. For several threads.

    Args:
        seconds: how long a request may take as a whole.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._idle: list[tuple[_Place, http.client.HTTPConnection]] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _close_all, self._idle)

    def ask(
        self,
        url: str,
        body: bytes | None = None,
        media_type: str = "application/octet-stream",
        *,
        limit: int = ANSWER_LIMIT,
    ) -> Answer:
        """GET ``url``, or POST ``body`` to it.

        Raises CouldNotCheck where nobody answers in time, or with more than ``limit`` bytes;
        UsageError for an address that is not http or https.
        """
        place, path = _parts(url)
        headers = {} if body is None else {"Content-Type": media_type}
        guard = _Deadline(self._seconds)
        try:
            with guard:
                while True:
                    connection, used = self._connection(place)
                    try:
                        with guard.shutting(connection):
                            connection.request(
                                "GET" if body is None else "POST", path, body, headers
                            )
                            answer = _read(connection.getresponse(), limit)
                    except ConnectionError:
                        connection.close()
                        if used and not guard.expired:
                            continue  # it was closed while it was idle
                        raise
                    except BaseException:
                        connection.close()
                        raise
                    if answer is None:
                        connection.close()  # what it did not read would be the next answer
                    self._keep(place, connection)
                    break
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = "no whole answer in time" if guard.expired else type(error).__name__
            raise CouldNotCheck(
                f"{url} cannot be asked ({reason})", hint="see that it runs, and ask again"
            ) from None
        if answer is None:
            raise CouldNotCheck(f"{url} answers with more than {limit:,} bytes")
        return answer

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            _close_all(self._idle)

    def _connection(self, place: _Place) -> tuple[http.client.HTTPConnection, bool]:
        """A connection, and whether it was used before."""
        with self._lock:
            for entry in self._idle:
                if entry[0] == place:
                    self._idle.remove(entry)
                    return entry[1], True
        scheme, host, port = place
        if scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                host, port, timeout=self._seconds, context=context
            ), False
        return http.client.HTTPConnection(host, port, timeout=self._seconds), False

    def _keep(self, place: _Place, connection: http.client.HTTPConnection) -> None:
        """Keep a connection that is still open for the next request."""
        if connection.sock is None:
            return
        with self._lock:
            self._idle.append((place, connection))
            gone = self._idle.pop(0)[1] if len(self._idle) > _MOST_IDLE else None
        if gone is not None:
            gone.close()


def _close_all(idle: list[tuple[_Place, http.client.HTTPConnection]]) -> None:
    """Close connections that nobody uses."""
    while idle:
        idle.pop()[1].close()


class _Deadline:
    """A timer that shuts the socket in use after ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    @contextlib.contextmanager
    def shutting(self, connection: http.client.HTTPConnection) -> Iterator[None]:
        """Connect where that is not done, and shut the connection on expiry. Raises OSError."""
        if connection.sock is None:
            connection.connect()
        with self._lock:
            self._socket = connection.sock
            if self.expired:
                raise TimeoutError
        try:
            yield
            if self.expired:
                raise TimeoutError
        finally:
            with self._lock:
                self._socket = None

    def _expire(self) -> None:
        """Note that the time is over, and shut the socket."""
        with self._lock:
            self.expired = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _parts(url: str) -> tuple[_Place, str]:
    """Where to connect, and the path with its query. Raises UsageError."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
    if scheme not in _PORTS or not host or not url.isascii() or not url.isprintable():
        raise UsageError("the address of a log or witness begins with https:// or http://")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return (scheme, host, port or _PORTS[scheme]), path.replace(" ", "%20")


def _read(response: http.client.HTTPResponse, limit: int) -> Answer | None:
    """The answer; None where it is longer than ``limit``. Raises HTTPException, OSError."""
    content = response.read(limit + 1)
    if len(content) > limit:
        response.close()
        return None
    if response.length:
        raise http.client.IncompleteRead(content, response.length)
    return Answer(response.status, response.getheader("Content-Type") or "", content)
