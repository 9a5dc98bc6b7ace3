"""What a log tells strangers when it does not serve a request: words without paths or addresses.

Only the text of a ``RefusedError`` reaches a client. Every other error is the operator's: they read
it on stderr, and the client is told that the log cannot answer.
"""

from __future__ import annotations

from zkwm_protocols.errors import CouldNotCheck

BAD_REQUEST = 400
TOO_MANY = 429
UNAVAILABLE = 503
NO_SPACE = 507
RETRY_SECONDS = 10


class RefusedError(CouldNotCheck):
    """A request is not served, in words that strangers may read.

    Args:
        message: why.
        hint: what they can do.
        status: of HTTP (RFC 9110): 400, 429, 503 or 507.
        retry_seconds: after which it may be tried again; 0 where that changes nothing.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int = UNAVAILABLE,
        retry_seconds: int = RETRY_SECONDS,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_seconds = retry_seconds
