"""One HTTP request with a deadline and a limit, to a log or a witness.

Whom it asks is configured by the one who runs it; redirects are not followed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import urllib3
from urllib3.exceptions import HTTPError

from zkwm_protocols.errors import CouldNotCheck, UsageError

ANSWER_LIMIT = 2**20
_CHUNK = 2**16
_SCHEMES = ("http://", "https://")


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
        self._pool = urllib3.PoolManager(retries=False, maxsize=8)

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
        if not url.startswith(_SCHEMES):
            raise UsageError("the address of a log or witness begins with https:// or http://")
        until = time.monotonic() + self._seconds
        try:
            response = self._pool.request(
                "GET" if body is None else "POST",
                url,
                body=body,
                headers={} if body is None else {"content-type": media_type},
                timeout=urllib3.Timeout(total=self._seconds),
                redirect=False,
                preload_content=False,
            )
            content = b""
            while chunk := response.read(_CHUNK):
                content += chunk
                if len(content) > limit:
                    response.close()
                    raise CouldNotCheck(f"{url} answers with more than {limit:,} bytes")
                if time.monotonic() > until:
                    response.close()
                    raise CouldNotCheck(f"{url} does not end its answer in time")
            response.release_conn()
        except (HTTPError, OSError, ValueError) as error:
            reason = type(error).__name__
            raise CouldNotCheck(
                f"{url} cannot be asked ({reason})", hint="see that it runs, and ask again"
            ) from None
        return Answer(response.status, response.headers.get("content-type", ""), content)

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()
