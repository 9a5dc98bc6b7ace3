"""Bodies of requests: refused by their length before they are read, and never too many at once.

What is declared is looked at first; what comes is counted beside it. All bodies that are being read
share one budget of memory, so that many long ones make each other wait and nobody else.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from zkwm.registry_service.problems import Refused
from zkwm.transparency_log.http_server import REQUEST_SECONDS, read_body

BYTES_AT_ONCE = 256 * 2**20
_BYTES_PER_SECOND = 2 * 2**20
_WAIT = {"retry-after": "5"}


class Bodies:
    """The bodies that one process reads. Used by one event loop."""

    def __init__(self, budget: int = BYTES_AT_ONCE) -> None:
        self._left = budget

    async def read(self, request: Request, limit: int) -> bytes:
        """The body of a request. Raises Refused (413, 503) or TimeoutError."""
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdecimal() and int(declared) > limit:
            raise _too_long(limit)
        expected = int(declared) if declared.isascii() and declared.isdecimal() else limit
        async with self._reserved(expected):
            seconds = REQUEST_SECONDS + expected / _BYTES_PER_SECOND
            body = await read_body(request.receive, limit, seconds)
        if body is None:
            raise _too_long(limit)
        return body

    @asynccontextmanager
    async def _reserved(self, length: int) -> AsyncIterator[None]:
        """Memory for so many bytes. Raises Refused where others have it."""
        if length > self._left:
            raise Refused(503, "too many long bodies come at once", headers=_WAIT)
        self._left -= length
        try:
            yield
        finally:
            self._left += length


def from_base64(text: str, what: str) -> bytes:
    """The bytes of a field. Raises Refused (422)."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise Refused(422, f"{what} is not base64 (RFC 4648, section 4)") from None


def _too_long(limit: int) -> Refused:
    """The error for a body that is too long."""
    return Refused(413, f"the body has more than {limit:,} bytes")
