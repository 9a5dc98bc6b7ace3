"""One connection to one host, over urllib3; requests, and replies within limits.

It opens on first use, at an address that was checked, and is kept for the next request. Retries are
up to whoever asks.
"""

from __future__ import annotations

import contextlib
import enum
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING

from zkwm.outgoing_http.deadline import Deadline
from zkwm.outgoing_http.location import Location
from zkwm.outgoing_http.resolution import resolve
from zkwm.outgoing_http.rules import ForbiddenError, Rules

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

_MOST_ADDRESSES = 4
_LEAST_SECONDS = 1.0
"""Of the time left, an address gets half while there is another one, but not less than this."""


_LOADING = threading.Lock()


def _load_urllib3() -> None:
    """Load the library by one thread: two that load parts of it at once find it half loaded."""
    with _LOADING:
        import urllib3.connection
        import urllib3.exceptions  # noqa: F401


class Failure(enum.Enum):
    """Why there is no reply."""

    LATE = "there was no whole reply in time"
    CERTIFICATE = "its certificate is not valid"
    COMPRESSED = "its reply is compressed, which was not asked for"
    TOO_LARGE = "its reply is too large"
    FORBIDDEN = "it leads where it may not"
    BROKEN = "the connection failed"


_REFUSED = f"{Failure.BROKEN.value}: nothing listens at that address and port"


def _refused(error: BaseException | None) -> bool:
    """Whether a connection was refused, by whatever urllib3 made of it."""
    while error is not None:
        if isinstance(error, ConnectionRefusedError):
            return True
        error = error.__cause__ or error.__context__
    return False


class NoReplyError(Exception):
    """No reply arrived; ``failure`` says why, and the text may say more.

    ``stale``: on a connection that was kept, which the other side may have closed before.
    """

    def __init__(self, failure: Failure, text: str = "", *, stale: bool = False) -> None:
        super().__init__(text or failure.value)
        self.failure = failure
        self.stale = stale


@dataclass(frozen=True)
class Request:
    """A GET, or a POST where there is a body. Headers appear in no repr: they may be secret."""

    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Reply:
    """A reply, whatever its status; ``address`` is the one that sent it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    address: str


class Connection:
    """A connection to the host of ``location``, whose path is not used.

    Args:
        location: where.
        rules: where it may lead.
        tls: what checks certificates; None for the authorities of the system.
    """

    def __init__(
        self, location: Location, rules: Rules, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._location = location
        self._rules = rules
        self._tls = tls
        self._opened: HTTPConnection | None = None
        self._address = ""

    def connect(self, deadline: Deadline) -> None:
        """Open the connection unless it is open. Raises NoReplyError."""
        if self._opened is not None and self._opened.is_connected:
            return
        self.close()
        _load_urllib3()
        with self._told(deadline, stale=False):
            self._opened = self._open(deadline)

    def exchange(self, request: Request, deadline: Deadline, *, limit: int) -> Reply:
        """Send a request, and read its reply of at most ``limit`` bytes until the deadline.

        Raises NoReplyError, after which the next request opens the connection anew.
        """
        stale = self._opened is not None and self._opened.is_connected
        self.connect(deadline)
        with self._told(deadline, stale=stale):
            if self._opened is None or self._opened.sock is None:
                raise OSError("closed")
            with deadline.shutting(self._opened.sock):
                reply = self._exchange(self._opened, request, deadline, limit)
        return reply

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._opened is not None:
            self._opened.close()
        self._opened = None

    @contextlib.contextmanager
    def _told(self, deadline: Deadline, *, stale: bool) -> Iterator[None]:
        """Errors of sockets, TLS and HTTP as NoReplyError; the connection is closed after any."""
        from urllib3.exceptions import HTTPError
        from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

        try:
            yield
        except NoReplyError:
            self.close()
            raise
        except ForbiddenError as error:
            self.close()
            raise NoReplyError(Failure.FORBIDDEN, str(error)) from None
        except ssl.SSLCertVerificationError:
            self.close()
            raise NoReplyError(Failure.CERTIFICATE) from None
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            self.close()
            if deadline.expired or isinstance(error, TimeoutError | Urllib3TimeoutError):
                raise NoReplyError(Failure.LATE) from None
            raise NoReplyError(
                Failure.BROKEN, _REFUSED if _refused(error) else "", stale=stale
            ) from None
        except BaseException:
            self.close()
            raise

    def _open(self, deadline: Deadline) -> HTTPConnection:
        """A connection to one of the host's first addresses.

        Raises OSError, ssl's errors, ForbiddenError.
        """
        from urllib3.connection import HTTPConnection

        failure = OSError("no address")
        addresses = resolve(self._location, self._rules, deadline)[:_MOST_ADDRESSES]
        for number, address in enumerate(addresses, 1):
            left = deadline.left()
            seconds = left if number == len(addresses) else max(left / 2, _LEAST_SECONDS)
            try:
                plain = socket.create_connection(
                    (address, self._location.port), timeout=min(left, seconds)
                )
            except OSError as error:
                failure = error
                continue
            opened = HTTPConnection(self._location.host, self._location.port)
            opened.sock = self._secured(plain, deadline)
            self._address = address
            return opened
        raise failure

    def _secured(self, plain: socket.socket, deadline: Deadline) -> socket.socket:
        """The socket, under TLS where the scheme is https. Raises OSError and ssl's errors."""
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(deadline.left())  # of a handshake as a whole, by Python's ssl
            if self._location.scheme != "https":
                return plain
            context = self._tls or ssl.create_default_context()
            return context.wrap_socket(plain, server_hostname=self._location.host.rstrip("."))
        except BaseException:
            plain.close()
            raise

    def _exchange(
        self, opened: HTTPConnection, request: Request, deadline: Deadline, limit: int
    ) -> Reply:
        """Send and read. Raises what urllib3, http.client and sockets raise, and NoReplyError."""
        opened.timeout = deadline.left()
        opened.sock.settimeout(opened.timeout)
        opened.request(
            "GET" if request.body is None else "POST",
            request.path,
            body=request.body,
            headers={
                **request.headers,
                "Host": self._location.host_header,
                "Accept-Encoding": "identity",
            },
            preload_content=False,
            decode_content=False,
        )
        with contextlib.closing(opened.getresponse()) as response:
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise NoReplyError(Failure.COMPRESSED)
            data = response.read(limit + 1, decode_content=False)
            deadline.left()
            if len(data) > limit:
                raise NoReplyError(Failure.TOO_LARGE)
            if response.length_remaining:
                raise OSError("it ends too early")
            return Reply(response.status, response.headers, data, self._address)
