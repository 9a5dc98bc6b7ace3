"""Requests to an endpoint, each within a hard time limit, and the headers that go with them.

Where they lead, and how time and bytes are bounded, is ``zkwm.outgoing_http``. Retries are up to
``http_suspect``.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from zkwm.files import read_limited
from zkwm.outgoing_http.connection import Connection, Failure, NoReplyError, Request
from zkwm.outgoing_http.deadline import Deadline
from zkwm.outgoing_http.location import Location
from zkwm.outgoing_http.rules import OWN_WORD, STRANGER
from zkwm.suspects.http_adapter import Question
from zkwm.suspects.limits import HttpSettings
from zkwm.suspects.suspect import TIMED_OUT
from zkwm_protocols.errors import UsageError, ZkwmError
from zkwm_protocols.suspect_identity import MOST_HEADERS

_URL_HINT = "an endpoint is http(s)://host[:port]/path; put keys into headers, not into the URL"
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,8190}[\x21-\x7e])?")
_AUTHORITIES_LIMIT = 1 << 22
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_OWN_HEADERS = frozenset(
    ("accept-encoding", "connection", "content-encoding", "content-length", "content-type",
     "expect", "host", "te", "trailer", "transfer-encoding", "upgrade")
)  # fmt: skip
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_FINAL = (Failure.CERTIFICATE, Failure.COMPRESSED, Failure.TOO_LARGE, Failure.FORBIDDEN)


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
        rules, hint = (
            (STRANGER, "an endpoint of somebody else's is https://host/path at port 443 or 8443")
            if settings.named_by_strangers
            else (OWN_WORD, _URL_HINT)
        )
        location = rules.locate(url, hint=hint)
        self._path = location.path
        self._headers = _checked_headers(headers)
        if names_itself and "user-agent" not in map(str.lower, self._headers):
            self._headers["User-Agent"] = "zkwm"
        _require_secret(location)
        self._settings = settings
        self._connection = Connection(
            location,
            rules,
            tls=_tls_context(settings) if location.scheme == "https" else None,
        )

    def post(self, question: Question, seconds: float) -> Reply:
        """Send a question; return the reply, whatever its status. Raises NoResponseError.

        ``seconds`` bounds everything after connecting. Connecting, with the look-up of the host, is
        bounded by ``connect_seconds``, or by ``seconds`` if that is less.
        """
        return self._exchange(question, seconds)

    def get(self, seconds: float) -> Reply:
        """Ask the URL itself by GET, bounded as ``post`` is. Raises NoResponseError."""
        return self._exchange(None, seconds)

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._connection.close()

    def _exchange(self, question: Question | None, seconds: float) -> Reply:
        """POST a question, or GET where there is none. Raises NoResponseError."""
        path, body, headers = self._path, None, self._headers
        if question is not None:
            path, body = path + question.path, question.body
            headers = {**headers, "Content-Type": question.content_type}
        try:
            self._connection.connect(Deadline(min(seconds, self._settings.connect_seconds)))
            reply = self._connection.exchange(
                Request(path, body, headers), Deadline(seconds), limit=self._settings.reply_bytes
            )
        except NoReplyError as error:
            if error.failure is Failure.LATE:
                raise NoResponseError(TIMED_OUT) from None
            raise NoResponseError(str(error), final=error.failure in _FINAL) from None
        retry_after = reply.headers.get("Retry-After", "")
        seconds_after = int(retry_after) if re.fullmatch("[0-9]{1,4}", retry_after) else 0
        return Reply(reply.status, seconds_after, reply.body)


def _require_secret(location: Location) -> None:
    """Raise UsageError for plain http, except to this machine."""
    if location.scheme != "https" and location.host not in _LOOPBACK:
        raise UsageError(
            "over plain http anybody on the path can read triggers and answer for the suspect",
            hint="use an https:// URL",
        )


def _tls_context(settings: HttpSettings) -> ssl.SSLContext:
    """The context that checks certificates. Raises UsageError for an unusable PEM file."""
    file = settings.certificate_authorities
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
