"""Send one request to one URL within a hard time limit, over urllib3.

Socket timeouts do not bound a server that sends one byte a second, so a timer shuts the socket when
the whole attempt takes too long. Redirects are not followed, proxies from the environment are not
used, certificates are always checked. Retries are up to ``http_suspect``.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from zkwm.files import read_limited
from zkwm.suspects.http_adapter import Question
from zkwm.suspects.limits import HttpSettings
from zkwm.suspects.suspect import TIMED_OUT
from zkwm_protocols.errors import UsageError, ZkwmError
from zkwm_protocols.suspect_identity import MOST_HEADERS

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

_URL_LIMIT = 400
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,8190}[\x21-\x7e])?")
_AUTHORITIES_LIMIT = 1 << 22
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_OWN_HEADERS = frozenset(
    ("accept-encoding", "connection", "content-encoding", "content-length", "content-type",
     "expect", "host", "te", "trailer", "transfer-encoding", "upgrade")
)  # fmt: skip
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class NoResponseError(Exception):
    """No reply arrived; the text is the problem of an Answer. ``final``: do not send again."""

    def __init__(self, problem: str, *, final: bool = False) -> None:
        super().__init__(problem)
        self.final = final


@dataclass(frozen=True)
class Reply:
    """A reply: its status, the seconds of ``Retry-After`` (0 without), and its body."""

    status: int
    retry_after: int
    body: bytes


class EndpointConnection:
    """A connection that opens on first use and is kept for the next request.

    ``headers``, for example for authentication, go with each request; they appear in no message,
    record or repr. Requests name zkwm only where ``names_itself``: else they would tell a thief who
    asks. Raises UsageError for a URL or headers that cannot be used.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        settings: HttpSettings,
        *,
        names_itself: bool = False,
    ) -> None:
        parts = _split(url)
        self._secure = parts.scheme.lower() == "https"
        self._host, self._port = str(parts.hostname), parts.port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = _checked_headers(headers)
        if names_itself and "user-agent" not in map(str.lower, self._headers):
            self._headers["User-Agent"] = "zkwm"
        if not self._secure and self._host not in _LOOPBACK:
            raise UsageError(
                "over plain http anybody on the path can read triggers and answer for the suspect",
                hint="use an https:// URL",
            )
        self._settings = settings
        self._connection: HTTPConnection | None = None
        self._tls = self._tls_context() if self._secure else None

    def post(self, question: Question, seconds: float) -> Reply:
        """Send a question; return the reply, whatever its status. Raises NoResponseError.

        ``seconds`` bounds everything after connecting. Connecting is bounded by ``connect_seconds``
        for each address of the host, or by ``seconds`` if that is less.
        """
        return self._exchange(question, seconds)

    def get(self, seconds: float) -> Reply:
        """Ask the URL itself by GET, bounded as ``post`` is. Raises NoResponseError."""
        return self._exchange(None, seconds)

    def _exchange(self, question: Question | None, seconds: float) -> Reply:
        """POST a question, or GET where there is none. Raises NoResponseError."""
        from urllib3.exceptions import HTTPError, NewConnectionError
        from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

        with _Watchdog(seconds) as watchdog:
            try:
                return self._attempt(question, seconds, watchdog)
            except ssl.SSLCertVerificationError:
                self.close()
                raise NoResponseError("its certificate is not valid", final=True) from None
            except (HTTPError, HTTPException, OSError, ValueError) as error:
                self.close()
                late = isinstance(error, TimeoutError | Urllib3TimeoutError)
                if watchdog.expired or (late and not isinstance(error, NewConnectionError)):
                    raise NoResponseError(TIMED_OUT) from None
                raise NoResponseError("the connection failed") from None
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _attempt(self, question: Question | None, seconds: float, watchdog: _Watchdog) -> Reply:
        """Connect, send and read.

        Raises what urllib3, ssl and sockets raise, and NoResponseError.
        """
        connection = self._connected(min(seconds, self._settings.connect_seconds))
        connection.timeout = seconds
        with watchdog.guarding(connection.sock):
            headers = {**self._headers, "Accept-Encoding": "identity"}
            if question is not None:
                headers["Content-Type"] = question.content_type
            connection.request(
                "GET" if question is None else "POST",
                self._target + ("" if question is None else question.path),
                body=None if question is None else question.body,
                headers=headers,
                preload_content=False,
                decode_content=False,
            )
            response = connection.getresponse()
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise NoResponseError(
                    "its reply is compressed, which was not asked for", final=True
                )
            data = response.read(self._settings.reply_bytes + 1, decode_content=False)
            if watchdog.expired:
                raise NoResponseError(TIMED_OUT)
            if len(data) > self._settings.reply_bytes:
                raise NoResponseError("its reply is too large", final=True)
            if response.length_remaining:
                raise NoResponseError("the connection failed")
        retry_after = response.headers.get("Retry-After", "")
        return Reply(
            response.status,
            int(retry_after) if re.fullmatch("[0-9]{1,4}", retry_after) else 0,
            data,
        )

    def _connected(self, seconds: float) -> HTTPConnection:
        """The open connection, made within ``seconds`` for each address if there is none."""
        from urllib3.connection import HTTPConnection, HTTPSConnection

        if self._connection is not None and self._connection.is_connected:
            return self._connection
        self.close()
        if self._tls is not None:
            self._connection = HTTPSConnection(
                self._host, self._port, timeout=seconds, ssl_context=self._tls
            )
        else:
            self._connection = HTTPConnection(self._host, self._port, timeout=seconds)
        self._connection.connect()
        return self._connection

    def _tls_context(self) -> ssl.SSLContext:
        """The context that checks certificates. Raises UsageError for an unusable PEM file."""
        file = self._settings.certificate_authorities
        if file is None:
            return ssl.create_default_context()
        try:
            certificates = _certificates(read_limited(file, _AUTHORITIES_LIMIT))
            return ssl.create_default_context(cadata=certificates)
        except (ZkwmError, OSError, ValueError):
            raise UsageError(
                f"cannot use {file} as a file of certificate authorities",
                hint="name a file of certificates in PEM, all of them whole",
            ) from None


class _Watchdog:
    """A timer in its own thread that shuts the guarded socket after ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> _Watchdog:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()

    @contextlib.contextmanager
    def guarding(self, guarded: socket.socket | None) -> Iterator[None]:
        """Shut ``guarded`` on expiry while the block runs.

        Raises NoResponseError if the time is over already.
        """
        with self._lock:
            self._socket = guarded
            if self.expired:
                raise NoResponseError(TIMED_OUT)
        try:
            yield
        finally:
            with self._lock:
                self._socket = None

    def _expire(self) -> None:
        """Note that the time is over, and shut the guarded socket."""
        with self._lock:
            self.expired = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _split(url: str) -> SplitResult:
    """Parse the URL. Raises UsageError, without repeating a URL that may hold a secret."""
    hint = "an endpoint is http(s)://host[:port]/path; put keys into headers, not into the URL"
    if len(url) > _URL_LIMIT or not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
        raise UsageError(
            f"a URL is at most {_URL_LIMIT} ASCII characters without spaces", hint=hint
        )
    try:
        parts = urlsplit(url)
        usable = parts.scheme.lower() in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable:
        raise UsageError("this URL is not usable", hint=hint)
    if "@" in parts.netloc:
        raise UsageError("a URL must not carry a user name or password", hint=hint)
    if "#" in url:
        raise UsageError("a URL of an endpoint has no fragment", hint=hint)
    return parts


def _certificates(data: bytes) -> str:
    """The certificates of a PEM file. Raises ValueError where there is none, or half of one."""
    pieces = [piece.partition(_END) for piece in data.split(_BEGIN)[1:]]
    if not pieces or not all(end for _, end, _ in pieces):
        raise ValueError  # without any, the system's would count
    return b"\n".join(_BEGIN + text + _END for text, _, _ in pieces).decode("ascii")


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """A copy of the headers. Raises UsageError, without repeating any of them, for bad ones."""
    if len(headers) > MOST_HEADERS or len(headers) != len({name.lower() for name in headers}):
        raise UsageError(
            f"there are more than {MOST_HEADERS} headers, or two with the same name",
            hint="give each header once; upper and lower case are the same",
        )
    # By number: what stands in the place of a name may be a secret that was typed there.
    for number, (name, value) in enumerate(headers.items(), 1):
        if not _TOKEN.fullmatch(name) or name.lower() in _OWN_HEADERS:
            raise UsageError(f"header {number} has a name that is not allowed")
        if not _HEADER_VALUE.fullmatch(value):
            raise UsageError(f"the value of header {number} has characters that are not allowed")
    return dict(headers)
