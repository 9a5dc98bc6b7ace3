"""Send it: over https, again where nobody answers, later where the service says so.

The answer of a service is its word: what counts is signed, and what a log has is proven by its
proof (``zkwm.transparency_log.client``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zkwm.outgoing_http.location import locate
from zkwm.service_client.outgoing import NOUNS, Outgoing, SentKind
from zkwm.transparency_log.http_client import (
    Answer,
    HttpClient,
    Patience,
    UnansweredError,
    refused,
)
from zkwm_protocols.errors import Malformed, UsageError

TRIES = 3
"""How often a body is sent where nobody answers: the second time changes nothing."""
_SECONDS, _BYTES_PER_SECOND = 30.0, 2**17
_KEY = re.compile(r"(?:[Aa]uthorization: [Bb]earer )?(zkwm_[0-9a-f]{16}_[A-Za-z0-9_-]{43})\s*")
_OWN_MACHINE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Taken:
    """That a service took it.

    Args:
        kind: what was sent.
        about: D of the commitment, or the digest of the claim's challenge, in hexadecimal digits.
        new: whether it was not there before.
        state: of the claim, in the service's words; None for a commitment.
    """

    kind: SentKind
    about: str
    new: bool
    state: str | None


def read_api_key(text: str) -> str:
    """The key in a file: alone, or as curl takes it from one. Raises UsageError, not naming it."""
    found = _KEY.fullmatch(text)
    if found is None:
        raise UsageError(
            "the file of the API key holds none",
            hint="put the key into it that the service's operator gave you: zkwm_..., one line",
        )
    return found[1]


def send(
    made: Outgoing,
    url: str,
    key: str,
    *,
    say: Callable[[str], object] = lambda _: None,
    patience: Patience | None = None,
) -> Taken:
    """Send it, and wait where the service says when to come again.

    Args:
        made: of ``outgoing``.
        url: of the service, https, or http to this machine.
        key: the API key.
        say: called with a line before whatever takes long.
        patience: how long to wait in all; a minute by default.

    Raises:
        UsageError: for another address.
        CouldNotCheck: nobody answers, or the service does not take it: then in its words.
        Malformed: it answers as no registry's service does.
    """
    service = _service(url)
    client = HttpClient(_SECONDS + len(made.body) / _BYTES_PER_SECOND)
    wait = patience or Patience(say=say)
    try:
        answer = wait.through(
            lambda: _tried(client, f"{service}/v1/{made.path}", made, key, wait, say)
        )
    finally:
        client.close()
    if answer.status not in (200, 201):
        raise refused(answer, url, "the service")
    return _taken(made, answer)


def _tried(
    client: HttpClient,
    url: str,
    made: Outgoing,
    key: str,
    wait: Patience,
    say: Callable[[str], object],
) -> Answer:
    """The answer; where nobody answers the body is sent again. Raises CouldNotCheck."""
    say(f"sending {NOUNS[made.kind]} of {len(made.body):,} bytes")
    for number in range(1, TRIES + 1):
        try:
            headers = {"Authorization": f"Bearer {key}"}
            return client.ask(url, made.body, made.media_type, headers=headers)
        except UnansweredError as error:
            if number == TRIES:
                raise
            say(f"{error.message}; sending it again, which changes nothing if it was there")
            wait.sleep(float(number))
    raise AssertionError  # the last try returns or raises


def _service(url: str) -> str:
    """The address of a service. Raises UsageError for one over which a key would be read."""
    hint = "take the address as the service's operator publishes it"
    location = locate(url, hint=hint)
    if location.scheme != "https" and location.host not in _OWN_MACHINE:
        raise UsageError(
            "an API key is sent over https, or to this machine: over http others read it", hint=hint
        )
    if "?" in url:
        raise UsageError("the address of a service has no question mark", hint=hint)
    return url.rstrip("/")


def _taken(made: Outgoing, answer: Answer) -> Taken:
    """What the service says that it took. Raises Malformed."""
    broken = Malformed(
        "the service does not answer as a registry of zkwm does",
        hint="see that the address is right",
    )
    try:
        fields: Any = json.loads(answer.content)
    except (ValueError, RecursionError):
        raise broken from None
    if not isinstance(fields, dict):
        raise broken
    named = "digest" if made.kind == SentKind.COMMITMENT else "challenge"
    state = fields.get("state")
    if fields.get(named) != made.about or not (state is None or _word(state)):
        raise broken
    if (state is None) != (made.kind == SentKind.COMMITMENT):
        raise broken
    return Taken(made.kind, made.about, answer.status == 201, state)


def _word(text: object) -> bool:
    """Whether this is one plain word."""
    return isinstance(text, str) and re.fullmatch(r"[a-z ]{1,40}", text) is not None
