"""The frame of a proof file, and of which type the response in it is.

Apart from ``zkwm_protocols.response_file``, so that a command tells at once what it checks: this
module imports little.
"""

from __future__ import annotations

from typing import Any

from zkwm_protocols.encoding import decode, unpack
from zkwm_protocols.schema import require_bytes, require_list, require_map

FILE_LIMIT = 256 * 2**20
ARGUMENT_TYPE = "zkwm-argument"


def read_frame(data: bytes) -> tuple[Any, tuple[bytes, ...]]:
    """The decoded body of a proof file, and its signatures. Raises Malformed or Unsupported."""
    outer = require_map(unpack("proof", data, limit=FILE_LIMIT), "body signatures", "file")
    body = decode(require_bytes(outer["body"]), limit=FILE_LIMIT)
    signatures = tuple(
        require_bytes(signature, 64) for signature in require_list(outer["signatures"], 1, 4)
    )
    return body, signatures


def response_type(data: bytes) -> object:
    """What a proof file says of which type it is, None where it says nothing.

    Raises Malformed or Unsupported where it has no frame.
    """
    body, _ = read_frame(data)
    return body.get("type") if isinstance(body, dict) else None
