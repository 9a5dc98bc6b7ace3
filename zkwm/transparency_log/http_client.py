"""Requests to a log or a witness, over connections that are kept.

Whom it asks is configured by the one who runs it; redirects are not followed.
"""

from __future__ import annotations

import json
import re
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zkwm.outgoing_http.connection import Connection, Failure, NoReplyError, Request
from zkwm.outgoing_http.deadline import Deadline
from zkwm.outgoing_http.location import Location, locate
from zkwm.outgoing_http.rules import OWN_WORD
from zkwm_protocols.errors import CouldNotCheck, UsageError

ANSWER_LIMIT = 2**20
PATIENCE_SECONDS = 60.0
"""How long a client waits in all for a server that asks it to come again later."""
_LEAST_WAIT = 0.2
_LATER = (429, 503)
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


class UnansweredError(CouldNotCheck):
    """Nobody answered: the request may have arrived all the same, and can be sent again."""


class Patience:
    """Waits where a server says when to ask again: 429 or 503 with ``Retry-After``.

    Args:
        seconds: how long to wait in all.
        say: called with a line before each wait.
    """

    def __init__(
        self, seconds: float = PATIENCE_SECONDS, say: Callable[[str], object] = lambda _: None
    ) -> None:
        self._until = time.monotonic() + seconds
        self._say = say

    def through(self, ask: Callable[[], Answer]) -> Answer:
        """The answer that says nothing of later, or the one for which there is no time to wait."""
        while True:
            answer = ask()
            if answer.status not in _LATER or answer.retry_after is None:
                return answer
            wait = max(answer.retry_after, _LEAST_WAIT)
            if time.monotonic() + wait > self._until:
                return answer
            self._say(f"it takes nothing now, and says to ask again in {wait:,.3g} s: waiting")
            self.sleep(wait)

    def sleep(self, seconds: float) -> None:
        """Wait so long, or until the time is over."""
        time.sleep(max(0.0, min(seconds, self._until - time.monotonic())))


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
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """GET ``url``, or POST ``body`` to it, with further ``headers``.

        Raises UnansweredError where nobody answers in time; CouldNotCheck for an answer of more
        than ``limit`` bytes, or a certificate that is not valid; UsageError for an address that is
        not http or https.
        """
        location = _located(url)
        own = {"User-Agent": "zkwm"} | ({} if body is None else {"Content-Type": media_type})
        request = Request(location.path, body, own | dict(headers or {}))
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
    kind = UnansweredError if late or error.failure is Failure.BROKEN else CouldNotCheck
    return kind(
        f"{url} cannot be asked ({'no whole answer in time' if late else error})",
        hint="see that it runs, and ask again",
    )


def refused(answer: Answer, url: str, what: str = "the log") -> CouldNotCheck:
    """The error for an answer that is no success, in the words of ``what``, cut short."""
    detail, hint = "", ""
    try:
        fields = json.loads(answer.content)
        detail, hint = str(fields.get("detail", "")), str(fields.get("hint", ""))
    except (ValueError, AttributeError, RecursionError):
        pass
    said = " ".join("".join(one for one in detail if one.isprintable()).split())[:300]
    hint = " ".join("".join(one for one in hint if one.isprintable()).split())[:300]
    if not hint and answer.status in _LATER and answer.retry_after is not None:
        hint = f"it says to ask again in {answer.retry_after:,} seconds"
    return CouldNotCheck(
        f"{url} answers {answer.status}{': ' if said else ''}{said}",
        hint=hint or f"see that the address is that of {what}",
    )
