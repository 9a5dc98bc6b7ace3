"""Requests to a log or a witness, over connections that are kept.

Whom it asks is configured by the one who runs it; redirects are not followed.
"""

from __future__ import annotations

import re
import threading
import weakref
from dataclasses import dataclass

from zkwm.outgoing_http.connection import Connection, Failure, NoReplyError, Request
from zkwm.outgoing_http.deadline import Deadline
from zkwm.outgoing_http.location import Location, locate
from zkwm.outgoing_http.rules import OWN_WORD
from zkwm_protocols.errors import CouldNotCheck, UsageError

ANSWER_LIMIT = 2**20
_MOST_IDLE = 8
_SECONDS = re.compile("[0-9]{1,9}")

_Place = tuple[str, str, int]
"""Scheme, host and port."""


@dataclass(frozen=True)
class Answer:
    """An answer: its status, type, content, and in how many seconds to ask again (``Retry-After``).

    ``retry_after`` is None where it does not say so in seconds.
    """

    status: int
    media_type: str
    content: bytes
    retry_after: int | None = None


class HttpClient:
    """Connections that are kept between requests. For several threads.

    Args:
        seconds: how long a request may take as a whole.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._idle: list[tuple[_Place, Connection]] = []
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
        location = _located(url)
        headers = {"User-Agent": "zkwm"} | ({} if body is None else {"Content-Type": media_type})
        request = Request(location.path, body, headers)
        deadline = Deadline(self._seconds)
        connection = self._connection(location)
        while True:
            try:
                reply = connection.exchange(request, deadline, limit=limit)
            except NoReplyError as error:
                if error.stale:
                    continue  # it was closed while it was idle
                raise _unanswered(url, error, limit) from None
            break
        self._keep(location, connection)
        later = reply.headers.get("Retry-After", "")
        return Answer(
            reply.status,
            reply.headers.get("Content-Type", ""),
            reply.body,
            int(later) if _SECONDS.fullmatch(later) else None,
        )

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            _close_all(self._idle)

    def _connection(self, location: Location) -> Connection:
        """A connection that nobody uses, or a new one."""
        with self._lock:
            for entry in self._idle:
                if entry[0] == _place(location):
                    self._idle.remove(entry)
                    return entry[1]
        return Connection(location, OWN_WORD)

    def _keep(self, location: Location, connection: Connection) -> None:
        """Keep a connection for the next request."""
        with self._lock:
            self._idle.append((_place(location), connection))
            gone = self._idle.pop(0)[1] if len(self._idle) > _MOST_IDLE else None
        if gone is not None:
            gone.close()


def _place(location: Location) -> _Place:
    """Where a connection leads."""
    return location.scheme, location.host, location.port


def _close_all(idle: list[tuple[_Place, Connection]]) -> None:
    """Close connections that nobody uses."""
    while idle:
        idle.pop()[1].close()


def _located(url: str) -> Location:
    """The parts of an address. Raises UsageError."""
    hint = "take the address as its operator publishes it"
    try:
        return locate(url, hint=hint)
    except UsageError as error:
        raise UsageError(
            f"the address of a log or witness begins with https:// or http://: {error.message}",
            hint=hint,
        ) from None


def _unanswered(url: str, error: NoReplyError, limit: int) -> CouldNotCheck:
    """The error for a request that came to nothing."""
    if error.failure is Failure.TOO_LARGE:
        return CouldNotCheck(f"{url} answers with more than {limit:,} bytes")
    late = error.failure is Failure.LATE
    return CouldNotCheck(
        f"{url} cannot be asked ({'no whole answer in time' if late else error})",
        hint="see that it runs, and ask again",
    )
