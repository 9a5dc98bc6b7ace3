"""One request to one URL, and what its reply has to be; redirects are not followed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zkwm.outgoing_http.connection import Connection, Failure, NoReplyError, Reply, Request
from zkwm.outgoing_http.deadline import Deadline
from zkwm.outgoing_http.location import Location
from zkwm.timestamp_client.addresses import destination
from zkwm_protocols.errors import CouldNotCheck

SECONDS = 30.0
"""For a whole attempt; authorities answer within one or two."""
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
    headers = {"User-Agent": "zkwm", "Connection": "close"}
    if body is not None:
        headers["Content-Type"] = content_type
    connection = Connection(*destination(location, asked))
    try:
        reply = connection.exchange(
            Request(location.path, body, headers), Deadline(seconds), limit=wanted.most_bytes
        )
    except NoReplyError as error:
        raise _failed(location, *_told(error, wanted, seconds)) from None
    finally:
        connection.close()
    connected(reply.address)
    problem = _problem(reply, wanted)
    if problem:
        raise _failed(location, problem)
    return reply.body


def _problem(reply: Reply, wanted: Wanted) -> str:
    """Why a reply is not what was wanted; empty if it is."""
    if 300 <= reply.status < 400:
        return f"it redirects (status {reply.status}), which is not followed"
    if reply.status != 200:
        return f"it answered with status {reply.status}"
    found = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if wanted.content_types and found not in wanted.content_types:
        return f"its reply is not of the type {wanted.content_types[0]}"
    return ""


def _told(error: NoReplyError, wanted: Wanted, seconds: float) -> tuple[str, str]:
    """Why there is no reply, and what to do next."""
    match error.failure:
        case Failure.LATE:
            return f"no whole reply within {seconds:g} seconds", _TRY_AGAIN
        case Failure.TOO_LARGE:
            return f"its reply is larger than {wanted.most_bytes:,} bytes", _TRY_AGAIN
        case Failure.CERTIFICATE:
            return str(error), "check the URL"
        case Failure.BROKEN:
            return str(error), "check the URL and the network"
        case _:
            return str(error), _TRY_AGAIN


def _failed(location: Location, what: str, hint: str = _TRY_AGAIN) -> CouldNotCheck:
    """The error for a request that came to nothing."""
    return CouldNotCheck(f"{location.place} gave no usable reply: {what}", hint=hint)
