"""One uploaded file out of a form's body (RFC 7578, multipart/form-data), within a limit.

Only what this service's own form sends is read: one part with a file. A larger body is refused
before it has come whole.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.errors import MessageError
from email.parser import BytesHeaderParser
from email.policy import HTTP

from zkwm_protocols.errors import Malformed, UsageError

UPLOAD_LIMIT = 8 * 2**20
"""Bytes of a file that is read here."""
UPLOAD_SECONDS = 30.0
"""How long a body may take to come."""
_FORM_LIMIT = UPLOAD_LIMIT + 8 * 2**10
_HEAD_LIMIT = 4 * 2**10
_BOUNDARY = re.compile(r"multipart/form-data; *boundary=\"?([0-9A-Za-z'()+_,./:=?-]{1,70})\"?")


class TooLargeError(UsageError):
    """A body has more bytes than are read here."""


class NotAFormError(Malformed):
    """A body is not a form with one file."""


@dataclass(frozen=True)
class Upload:
    """A file and the name that its sender gave it."""

    name: str
    content: bytes


async def read_body(parts: AsyncIterator[bytes], limit: int) -> bytes:
    """All of a request's body, within a limit and in time.

    Raises TooLargeError as soon as it is more than ``limit``, TimeoutError.
    """
    body = bytearray()
    async with asyncio.timeout(UPLOAD_SECONDS):
        async for part in parts:
            body += part
            if len(body) > limit:
                raise TooLargeError(
                    f"more than {limit:,} bytes were sent",
                    hint="read a larger file on your own machine: zkwm inspect FILE",
                )
    return bytes(body)


async def read_upload(content_type: str, parts: AsyncIterator[bytes]) -> Upload:
    """The one file of a form. Raises TooLargeError, or NotAFormError where it is none."""
    found = _BOUNDARY.fullmatch(content_type)
    if found is None:
        raise NotAFormError("expected a form with one file (multipart/form-data)")
    body = await read_body(parts, _FORM_LIMIT)
    return _only_part(body, b"--" + found[1].encode("ascii"))


def _only_part(body: bytes, delimiter: bytes) -> Upload:
    """The file of the only part."""
    start, end = delimiter + b"\r\n", b"\r\n" + delimiter + b"--"
    close = body.rfind(end)
    if not body.startswith(start) or close < 0 or body[close + len(end) :] not in (b"", b"\r\n"):
        raise NotAFormError("the form is cut off, or not as browsers send it")
    part = body[len(start) : close]
    head, empty, content = part.partition(b"\r\n\r\n")
    if not empty or len(head) > _HEAD_LIMIT or b"\r\n" + delimiter in b"\r\n" + part:
        raise NotAFormError("the form has another number of files than one")
    name = _file_name(head)
    if not name and not content:
        raise NotAFormError("no file was chosen")
    return Upload(name, content)


def _file_name(head: bytes) -> str:
    """The name in a part's head; empty without one."""
    try:
        return BytesHeaderParser(policy=HTTP).parsebytes(head + b"\r\n\r\n").get_filename("")
    except (MessageError, ValueError, LookupError):
        raise NotAFormError("the head of the form's part is none") from None
