"""Ask an authority for a token over D (RFC 3161 over HTTP, its section 3.4)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from zkwm.outgoing_http.location import Location
from zkwm.timestamp_client.fetch import SECONDS, Wanted, fetch
from zkwm_protocols.errors import CouldNotCheck, InvalidSignature, ZkwmError
from zkwm_protocols.timestamps.request import MAXIMUM_RESPONSE, make_request, token_of_response
from zkwm_protocols.timestamps.token import read_token

_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"
_WANTED = Wanted((_REPLY,), MAXIMUM_RESPONSE)
_HINT = "ask the operator of this authority, or ask another authority"


@dataclass(frozen=True)
class Answer:
    """A token that fits its request: its policy (an object identifier) and certificates, DER.

    ``address`` is that of the authority, by which it answered.
    """

    token: bytes
    nonce: bytes
    policy: str
    certificates: tuple[bytes, ...]
    address: str = ""


def ask(location: Location, digest: bytes, *, seconds: float = SECONDS) -> Answer:
    """A token over D (32 bytes), for a fresh nonce.

    Raises CouldNotCheck where the authority gives none, or one for another request. That its
    signature and chain are good is not checked here.
    """
    nonce = bytes([1 + secrets.randbelow(127)]) + secrets.token_bytes(15)
    request = make_request(digest, nonce)
    used: list[str] = []
    reply = fetch(
        location, _WANTED, body=request, content_type=_QUERY, seconds=seconds,
        connected=used.append,
    )  # fmt: skip
    try:
        data = token_of_response(reply)
        token = read_token(data)
        if token.info.imprint != digest:
            raise InvalidSignature("its token is for another digest")
        if token.info.nonce != int.from_bytes(nonce, "big"):
            raise InvalidSignature("its token has another nonce, so that it may be an old one")
    except ZkwmError as error:
        raise CouldNotCheck(
            f"{location.place} gave no usable token: {error.message}", hint=error.hint or _HINT
        ) from None
    return Answer(data, nonce, token.info.policy, tuple(token.certificates), *used)
