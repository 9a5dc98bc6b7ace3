"""JSON pointers (RFC 6901): where in a reply an answer stands."""

from __future__ import annotations

import re
from typing import Any

from zkwm_protocols.errors import Malformed

_MOST_TOKENS = 32
_MOST_CHARACTERS = 1_000
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def parse_pointer(text: object) -> tuple[str, ...]:
    """The tokens of a pointer; none for the whole document. Raises Malformed."""
    if not isinstance(text, str) or len(text) > _MOST_CHARACTERS:
        raise Malformed("a JSON pointer is text of at most 1,000 characters")
    if text == "":
        return ()
    if not text.startswith("/") or re.search("~(?![01])", text):
        raise Malformed(
            f"not a JSON pointer: {text[:60]!r}", hint="write it like /predictions/0/scores"
        )
    tokens = text[1:].split("/")
    if len(tokens) > _MOST_TOKENS:
        raise Malformed(f"a JSON pointer has at most {_MOST_TOKENS} steps")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


def follow_pointer(value: Any, tokens: tuple[str, ...]) -> Any:  # noqa: ANN401  (any JSON value)
    """The value to which a pointer leads. Raises LookupError where it leads nowhere."""
    for token in tokens:
        if isinstance(value, dict):
            value = value[token]
        elif isinstance(value, list) and _INDEX.fullmatch(token):
            value = value[int(token)]
        else:
            raise LookupError(token)
    return value
