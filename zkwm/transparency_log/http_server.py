"""An HTTP server that strangers may connect to: limits of bodies, of time, and of connections.

uvicorn speaks HTTP; what it leaves open is bounded here: a connection that sends no whole request,
a body that is too long or does not end, a reader that does not read.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from zkwm.transparency_log.listening import BACKLOG, Address, listening
from zkwm.transparency_log.refusals import RETRY_SECONDS, UNAVAILABLE, RefusedError
from zkwm_protocols.errors import ZkwmError

REQUEST_SECONDS = 10.0
"""How long a client may take for the head of a request, and again for its body."""
ANSWER_SECONDS = 60.0
KEEP_ALIVE_SECONDS = 15
STOP_SECONDS = 10
HEAD_LIMIT = 16 * 2**10
BODY_LIMIT = 2**16
"""Bytes of a body that is read; a statement has fewer, and so has what a log sends to a witness."""
MOST_BODY_BYTES = 64 * 2**20
"""Bytes of all bodies that are being read or answered at a time: of what each has within
``BODY_LIMIT``, and again of what they have beyond, so that long ones keep no statement out.
"""
MOST_ANSWER_BYTES = 256 * 2**20
"""Bytes of all answers longer than ``PART_BYTES`` that are being sent at a time."""
PROBLEM_TYPE = "application/problem+json"
MOST_CONNECTIONS = 15_000
"""Connections at once, where the system allows as many open files."""
PART_BYTES = 2**16
"""Bytes of an answer that are handed over at once; the next part waits for the reader."""
_FILES_BESIDE = 200
_NO_SNIFF = (b"x-content-type-options", b"nosniff")
_MANY_ANSWERS = "too many long answers are being sent at this time"
_LOGGER = logging.getLogger(__name__)
_ENDING = (signal.SIGINT, signal.SIGTERM)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Reply:
    """A whole answer: status, content and its type, and further headers."""

    status: int
    content: bytes
    media_type: str
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send) -> None:
        """Send it."""
        headers = [
            (b"content-type", self.media_type.encode("ascii")),
            (b"content-length", str(len(self.content)).encode("ascii")),
            _NO_SNIFF,
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        length = len(self.content)
        for start in range(0, max(length, 1), PART_BYTES):
            end = start + PART_BYTES
            part = {"body": self.content[start:end], "more_body": end < length}
            await send({"type": "http.response.body", **part})


def problem(status: int, detail: str, hint: str = "", *, retry_seconds: int = 0) -> Reply:
    """An error as problem details (RFC 9457), with what to do next in ``hint``."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if hint:
        body["hint"] = hint
    headers = ((b"retry-after", b"%d" % retry_seconds),) if retry_seconds else ()
    return Reply(status, json.dumps(body).encode(), PROBLEM_TYPE, headers)


def problem_of(error: ZkwmError) -> Reply:
    """The answer to a request that is not served.

    A RefusedError is told; any other error may name files and addresses, and is the operator's.
    """
    if isinstance(error, RefusedError):
        return problem(error.status, error.message, error.hint, retry_seconds=error.retry_seconds)
    _LOGGER.warning("a request could not be answered: %s", error.message)
    return problem(
        UNAVAILABLE,
        "this cannot be answered now",
        "try again later; its operator sees why",
        retry_seconds=RETRY_SECONDS,
    )


async def read_body(
    receive: Receive, limit: int = BODY_LIMIT, seconds: float = REQUEST_SECONDS
) -> bytes | None:
    """The body of a request; None where it is longer than ``limit``.

    Raises TimeoutError where it does not end in time.
    """
    parts, length = [], 0
    async with asyncio.timeout(seconds):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise TimeoutError
            parts.append(message.get("body", b""))
            length += len(parts[-1])
            if length > limit:
                return None
            if not message.get("more_body"):
                return b"".join(parts)


class Bounded:
    """An app whose every answer has a deadline; an answer that has begun is cut off there.

    The bodies of all requests at a time are bounded, too: beyond that ``receive`` raises
    RefusedError, with 503. So are long answers, which a slow reader keeps in memory. Each answer
    forbids browsers to take it for another type than it states.
    """

    def __init__(
        self,
        app: App,
        most_bytes: int = MOST_BODY_BYTES,
        most_answers: int = MOST_ANSWER_BYTES,
    ) -> None:
        self._app = app
        self._most_bytes, self._most_answers = most_bytes, most_answers
        self._short = self._long = self._answers = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI says."""
        if scope["type"] != "http":
            return
        begun, refused, short, long, sending = False, False, 0, 0, 0

        async def noted(message: Message) -> None:
            nonlocal begun, refused, sending
            begun = True
            if message["type"] == "http.response.start":
                headers = dict.fromkeys([*message["headers"], _NO_SNIFF])
                message = {**message, "headers": list(headers)}
                sending = _declared(message)
                self._answers += sending
                refused = self._answers > self._most_answers
                if refused:  # raised, the app would take it for an answer that has begun
                    await problem_of(RefusedError(_MANY_ANSWERS, retry_seconds=5)).send(send)
            if not refused:
                for part in _parts(message):
                    await send(part)

        async def counted() -> Message:
            nonlocal short, long
            message = await receive()
            length = len(message.get("body", b""))
            within = min(length, BODY_LIMIT - short)
            short, long = short + within, long + length - within
            self._short += within
            self._long += length - within
            if self._short > self._most_bytes or (
                length > within and self._long > self._most_bytes
            ):
                raise RefusedError("too many bodies are being sent at this time", retry_seconds=2)
            return message

        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._app(scope, counted, noted)
        except TimeoutError:
            if begun:
                raise
            await problem(408, "the request did not end in time").send(send)
        except RefusedError as error:
            if begun:
                raise
            await problem_of(error).send(send)
        finally:
            self._short -= short
            self._long -= long
            self._answers -= sending


def _declared(start: Message) -> int:
    """The bytes that an answer holds in memory while it is sent; 0 where it is one part."""
    lengths = [int(value) for name, value in start["headers"] if name == b"content-length"]
    length = max(lengths, default=0)
    return length if length > PART_BYTES else 0


def _parts(message: Message) -> Iterator[Message]:
    """A message of an answer, its body in parts of which each waits for the reader."""
    body = message.get("body", b"")
    if len(body) <= PART_BYTES:
        yield message
        return
    view = memoryview(body)
    for start in range(0, len(body), PART_BYTES):
        end = start + PART_BYTES
        more = end < len(body) or message.get("more_body", False)
        yield {**message, "body": bytes(view[start:end]), "more_body": more}


class _Config(uvicorn.Config):
    """uvicorn's settings, and how many connections this process has files for."""

    most_connections = MOST_CONNECTIONS


class _Protocol(H11Protocol):
    """uvicorn's protocol, where a connection without a whole request, or whose reader does not
    read, is closed in time.
    """

    _late: asyncio.TimerHandle | None = None
    _awaited: tuple[bool, object] | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401
        super().connection_made(transport)
        if len(self.connections) > getattr(self.config, "most_connections", MOST_CONNECTIONS):
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def _state(self) -> tuple[bool, object]:
        """Whether a request is awaited, and the one that was answered last or is being answered."""
        return self.cycle is None or self.cycle.response_complete, self.cycle

    def _watch(self) -> None:
        """A deadline for what is awaited now: the rest of a request, or the end of its answer."""
        state = self._state()
        if state == self._awaited:
            return
        if self._late is not None:
            self._late.cancel()
        seconds = REQUEST_SECONDS if state[0] else 2 * ANSWER_SECONDS
        self._awaited = state
        self._late = self.loop.call_later(seconds, self._expire, state)

    def _expire(self, state: tuple[bool, object]) -> None:
        """Close a connection on which nothing has changed, or whose answer nobody reads."""
        if self._state() == state or self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self._watch()


class _GracefulServer(uvicorn.Server):
    """uvicorn, which ends by SIGINT and SIGTERM in order and does not raise them again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End in order; in the main thread alone, where signals arrive."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in _ENDING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Server:
    """One app on one address. ``run`` returns after SIGINT, SIGTERM or ``stop``."""

    def __init__(self, app: App, address: Address) -> None:
        self._address = address
        config = _Config(
            Bounded(app),
            host=address.host,
            port=address.port,
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS,
            h11_max_incomplete_event_size=HEAD_LIMIT,
            backlog=BACKLOG,
        )
        config.most_connections = allow_connections()
        self._server = _GracefulServer(config)

    @property
    def started(self) -> bool:
        """Whether it listens."""
        return self._server.started

    @property
    def url(self) -> str:
        """Its address; where port 0 was asked for, with the port that it got."""
        sockets = [one for server in self._server.servers for one in server.sockets]
        return Address(self._address.host, sockets[0].getsockname()[1]).url

    def stop(self) -> None:
        """Answer what was asked, then return from ``run``. From any thread."""
        self._server.should_exit = True

    def run(self) -> None:
        """Serve until stopped. Raises CouldNotCheck where the address cannot be had."""
        with listening(self._address) as socket:
            self._server.run([socket])


def allow_connections() -> int:
    """Let the process have as many open files as it may and needs.

    Returns: how many connections leave it enough files for its own work, at least one.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _FILES_BESIDE
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    present = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if present == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    if soft > present:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(MOST_CONNECTIONS, max(soft, present) - _FILES_BESIDE))
