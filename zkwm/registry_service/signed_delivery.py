"""One message to a webhook's receiver: its body, its signature, and how a receiver verifies it.

By the scheme of Standard Webhooks (specification 1.0.0): HMAC-SHA-256 over id, timestamp and body,
so that a receiver knows who sent a message, recognizes one that comes again, and refuses one that
is old. The secret is shown once, when the webhook is made.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from zkwm_protocols.errors import InvalidSignature, Malformed

PREFIX = "whsec_"
SECRET_BYTES = 32
TOLERANCE_SECONDS = 300
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


@dataclass(frozen=True)
class Secret:
    """What signs the messages of one webhook; it appears in no repr."""

    data: bytes

    def __repr__(self) -> str:
        return "Secret()"

    @classmethod
    def generate(cls) -> Secret:
        """A new one."""
        return cls(secrets.token_bytes(SECRET_BYTES))

    @classmethod
    def from_text(cls, text: str) -> Secret:
        """Read ``to_text``. Raises Malformed, without repeating it."""
        try:
            data = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if not text.startswith(PREFIX) or not 24 <= len(data) <= 64:
            raise Malformed("this is no secret of a webhook", hint=f"it begins with {PREFIX}")
        return cls(data)

    def to_text(self) -> str:
        """As receivers' libraries take it."""
        return PREFIX + base64.b64encode(self.data).decode("ascii")

    def sign(self, message: str, timestamp: int, body: bytes) -> str:
        """The header ``webhook-signature``."""
        signed = f"{message}.{timestamp}.".encode() + body
        digest = hmac.digest(self.data, signed, hashlib.sha256)
        return "v1," + base64.b64encode(digest).decode("ascii")

    def headers(self, message: str, timestamp: int, body: bytes) -> dict[str, str]:
        """All headers of a message."""
        return {
            "Content-Type": "application/json",
            "User-Agent": "zkwm",
            ID: message,
            TIMESTAMP: str(timestamp),
            SIGNATURE: self.sign(message, timestamp, body),
        }


def body_of(kind: str, happened: int, data: Mapping[str, object]) -> bytes:
    """The body of a message: what happened, when, and to what; JSON in UTF-8."""
    when = datetime.fromtimestamp(happened, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    value = {"type": kind, "timestamp": when, "data": dict(data)}
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def verify(
    secret: Secret, headers: Mapping[str, str], body: bytes, *, now: float | None = None
) -> str:
    """The id of a message, as a receiver verifies it; ``headers`` by names in lower case.

    Raises InvalidSignature for one that this secret did not sign, or that is older or newer than
    five minutes; a receiver also remembers the ids that it has seen.
    """
    message, stamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12 and message):
        raise InvalidSignature("a message of a webhook lacks its id or its time")
    if abs((time.time() if now is None else now) - int(stamp)) > TOLERANCE_SECONDS:
        raise InvalidSignature("a message of a webhook is not of now")
    wanted = secret.sign(message, int(stamp), body).encode()
    given = headers.get(SIGNATURE, "").encode("utf-8", "replace").split()
    if not any(hmac.compare_digest(one, wanted) for one in given):
        raise InvalidSignature("a message of a webhook is not signed with its secret")
    return message
