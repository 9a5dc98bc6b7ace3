"""One request to one URL within a hard limit of time and bytes; redirects are not followed.

Certificates of https are checked. Socket timeouts do not bound a server that sends a byte a second,
so a timer shuts the socket when the whole attempt takes too long.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from zkwm.timestamp_client.addresses import Location, resolve
from zkwm_protocols.errors import CouldNotCheck

SECONDS = 30.0
"""For a whole attempt; authorities answer within one or two."""
_MOST_ADDRESSES = 4
_TRY_AGAIN = "try again later, or ask another authority"


@dataclass(frozen=True)
class Wanted:
    """What a reply may be: its content types (none: any) and its most bytes."""

    content_types: tuple[str, ...]
    most_bytes: int


def fetch(
    location: Location,
    wanted: Wanted,
    *,
    body: bytes | None = None,
    content_type: str = "",
    asked: Location | None = None,
    seconds: float = SECONDS,
    connected: Callable[[str], None] = lambda _: None,
) -> bytes:
    """The body of the reply to a GET, or to a POST where there is a ``body``.

    Args:
        location: where.
        wanted: what the reply may be.
        body, content_type: of a POST.
        asked: the authority whose certificate named this URL; None where the owner typed it.
        seconds: for all of it.
        connected: called with the address that is asked.

    Raises:
        CouldNotCheck: there is no reply, a late, larger or other one; the message names the host.
    """
    guard = _Deadline(seconds)
    try:
        with guard, contextlib.closing(_connected(location, asked, guard)) as connection:
            connected(connection.sock.getpeername()[0])
            headers = {
                "Host": location.host_header, "User-Agent": "zkwm", "Accept-Encoding": "identity",
                "Connection": "close",
            }  # fmt: skip
            if body is not None:
                headers["Content-Type"] = content_type
            connection.request("GET" if body is None else "POST", location.path, body, headers)
            with connection.getresponse() as response:
                data = _read(response, wanted)
        if guard.expired:
            raise TimeoutError
    except ssl.SSLCertVerificationError:
        raise _failed(location, "its certificate is not valid", "check the URL") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if guard.expired or isinstance(error, TimeoutError):
            raise _failed(location, f"no whole reply within {seconds:g} seconds") from None
        if isinstance(error, ValueError | _Unwanted):
            raise _failed(location, str(error)) from None
        raise _failed(location, "the connection failed", "check the URL and the network") from None
    return data


class _Unwanted(http.client.HTTPException):
    """A reply that is not what was wanted; the text says how."""


def _read(response: http.client.HTTPResponse, wanted: Wanted) -> bytes:
    """The body of a reply. Raises _Unwanted."""
    if 300 <= response.status < 400:
        raise _Unwanted(f"it redirects (status {response.status}), which is not followed")
    if response.status != 200:
        raise _Unwanted(f"it answered with status {response.status}")
    found = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    if wanted.content_types and found not in wanted.content_types:
        raise _Unwanted(f"its reply is not of the type {wanted.content_types[0]}")
    if (response.getheader("Content-Encoding") or "identity").lower() != "identity":
        raise _Unwanted("its reply is compressed, which was not asked for")
    data = response.read(wanted.most_bytes + 1)
    if len(data) > wanted.most_bytes:
        raise _Unwanted(f"its reply is larger than {wanted.most_bytes:,} bytes")
    if not response.isclosed() and response.length:
        raise _Unwanted("its reply ends too early")
    return data


def _connected(
    location: Location, asked: Location | None, guard: _Deadline
) -> http.client.HTTPConnection:
    """A connection to one of the host's first addresses, in the time that is left for all of them.

    Raises OSError, ValueError for a foreign address.
    """
    failure = OSError("no address")
    for address in resolve(location, asked)[:_MOST_ADDRESSES]:
        left = guard.left()
        try:
            plain = socket.create_connection((address, location.port), timeout=left)
        except OSError as error:
            failure = error
            continue
        guard.guard(plain)
        connection = http.client.HTTPConnection(location.host, location.port, timeout=left)
        connection.sock = plain
        if location.scheme == "https":
            context = ssl.create_default_context()
            connection.sock = context.wrap_socket(plain, server_hostname=location.host)
            guard.guard(connection.sock)
        return connection
    raise failure


def _failed(location: Location, what: str, hint: str = _TRY_AGAIN) -> CouldNotCheck:
    """The error for a request that came to nothing."""
    return CouldNotCheck(f"{location.place} gave no usable reply: {what}", hint=hint)


class _Deadline:
    """A timer that shuts the guarded socket after ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._socket = None

    def left(self) -> float:
        """The seconds that are left. Raises TimeoutError if the time is over."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def guard(self, guarded: socket.socket) -> None:
        """Shut this socket on expiry. Raises TimeoutError if the time is over already."""
        with self._lock:
            self._socket = guarded
            if self.expired:
                raise TimeoutError

    def _expire(self) -> None:
        """Note that the time is over, and shut the socket."""
        with self._lock:
            self.expired = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
