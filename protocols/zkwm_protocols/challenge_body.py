"""The body of a challenge file, read strictly: the fields that every challenge has (SPEC.md 6.1).

``zkwm_protocols.challenge`` has the two types of challenge, and the fields that only one has.
"""

from __future__ import annotations

from typing import Any

from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.policy import Policy
from zkwm_protocols.schema import (
    require_bytes,
    require_constants,
    require_integer,
    require_list,
    require_map,
    require_text,
)
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity

TYPE = "zkwm-challenge"
MAXIMUM_PURPOSE = 500
NONCE_BYTES = 32
FIELDS = (
    "type version mode commitment suspect preprocessing class_map judge nonce block_count"
    " excluded_blocks purpose issued policy"
)


def require_body(
    body: object, mode: str, more: str, constants: dict[str, str | int]
) -> dict[str, Any]:
    """The fields of a challenge's body.

    Args:
        body: decoded CBOR.
        mode: ``opening`` or ``argument``.
        more: the names of the fields that only this type has, each after a space.
        constants: fields with a fixed value, in addition to type, version and mode.

    Raises:
        Malformed: a field is missing, unknown, or has another value than it must.
    """
    fields = require_map(body, FIELDS + more, "challenge")
    require_constants(
        fields,
        {"type": TYPE, "version": 1, "mode": str(mode), **constants},
        "a challenge of version 1 for an opening or an argument",
    )
    return fields


def read_common(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that every challenge has, checked, as arguments of its constructor."""
    return {
        "commitment": require_bytes(fields["commitment"], 32),
        "suspect": SuspectIdentity.from_map(fields["suspect"]),
        "preprocessing": Preprocessing.from_map(fields["preprocessing"]),
        "class_map": tuple(
            require_integer(output, 1_000_000)
            for output in require_list(fields["class_map"], 2, 65_535)
        ),
        "judge": JudgePublic.from_map(fields["judge"]),
        "nonce": require_bytes(fields["nonce"], NONCE_BYTES),
        "block_count": require_integer(fields["block_count"], 100_000, least=1),
        "excluded_blocks": tuple(
            require_integer(block, 100_000)
            for block in require_list(fields["excluded_blocks"], 0, 100_000)
        ),
        "purpose": require_text(fields["purpose"], MAXIMUM_PURPOSE),
        "issued": require_integer(fields["issued"], 2**40),
        "policy": Policy.from_map(fields["policy"]),
    }
