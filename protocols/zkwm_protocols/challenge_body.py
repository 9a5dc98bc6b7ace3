"""The body of a challenge file, read strictly: the fields that every challenge has (SPEC.md 6.1).

``zkwm_protocols.challenge`` has the two types of challenge, and the fields that only one has.
"""

from __future__ import annotations

from typing import Any

from zkwm_protocols.class_names import require_names
from zkwm_protocols.commitment import MAXIMUM_LEAVES, Commitment
from zkwm_protocols.dates import Published
from zkwm_protocols.errors import InvalidOpening, Malformed
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.policy import Policy
from zkwm_protocols.schema import (
    refuse_earlier,
    require_bytes,
    require_constants,
    require_integer,
    require_list,
    require_map,
    require_optional_bytes,
    require_text,
)
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity, TestAccuracy

TYPE = "zkwm-challenge"
VERSION = 3
MAXIMUM_PURPOSE = 500
NONCE_BYTES = 32
FIELDS = (
    "type version mode commitment suspect preprocessing class_map judge nonce block_count"
    " excluded_blocks purpose issued policy suspect_classes reopened_blocks test_accuracy"
    " published trust beacon"
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
        Unsupported: it is of an earlier version.
    """
    refuse_earlier(body, TYPE, VERSION, "a challenge")
    fields = require_map(body, FIELDS + more, "challenge")
    require_constants(
        fields,
        {"type": TYPE, "version": VERSION, "mode": str(mode), **constants},
        f"a challenge of version {VERSION} for an opening or an argument",
    )
    return fields


def write_common(values: dict[str, Any], mode: str) -> dict[str, Any]:
    """The fields that every challenge has, as its body holds them.

    ``values`` are the attributes of a ``Challenge`` by name, ``mode`` is ``opening`` or
    ``argument``.
    """
    names, accuracy = values["suspect_classes"], values["test_accuracy"]
    published = values["published"]
    same = ("commitment", "nonce", "block_count", "purpose", "issued", "trust", "beacon")
    maps = ("suspect", "preprocessing", "judge", "policy")
    lists = ("class_map", "excluded_blocks", "reopened_blocks")
    return {
        "type": TYPE,
        "version": VERSION,
        "mode": mode,
        **{name: values[name] for name in same},
        **{name: values[name].to_map() for name in maps},
        **{name: list(values[name]) for name in lists},
        "suspect_classes": None if names is None else list(names),
        "test_accuracy": None if accuracy is None else accuracy.to_map(),
        "published": None if published is None else published.to_map(),
    }


def read_common(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that every challenge has, checked, as arguments of its constructor."""
    names, accuracy = fields["suspect_classes"], fields["test_accuracy"]
    published = fields["published"]
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
        "block_count": require_integer(fields["block_count"], MAXIMUM_LEAVES, least=1),
        "excluded_blocks": _read_blocks(fields["excluded_blocks"]),
        "purpose": require_text(fields["purpose"], MAXIMUM_PURPOSE),
        "issued": require_integer(fields["issued"], 2**40),
        "policy": Policy.from_map(fields["policy"]),
        "suspect_classes": None if names is None else require_names(names),
        "reopened_blocks": _read_blocks(fields["reopened_blocks"]),
        "test_accuracy": None if accuracy is None else TestAccuracy.from_map(accuracy),
        "published": None if published is None else Published.from_map(published),
        "trust": require_optional_bytes(fields["trust"], 32),
        "beacon": require_optional_bytes(fields["beacon"], 32),
    }


def _read_blocks(value: object) -> tuple[int, ...]:
    """A list of at most 100,000 block numbers. Raises Malformed."""
    blocks = require_list(value, 0, MAXIMUM_LEAVES)
    return tuple(require_integer(block, MAXIMUM_LEAVES) for block in blocks)


def require_reopened(
    blocks: tuple[int, ...], block_count: int, excluded_blocks: tuple[int, ...]
) -> None:
    """Check that blocks to be weighed again are none, or exactly r that are not excluded.

    Raises Malformed.
    """
    if not blocks:
        return
    if list(blocks) != sorted(set(blocks)) or len(blocks) != block_count:
        raise Malformed("blocks to be weighed again are ascending, each once, r in all")
    if set(blocks) & set(excluded_blocks):
        raise Malformed("a block to be weighed again is excluded")


def require_same_beacon(beacon: bytes | None, commitment: Commitment) -> None:
    """Check that a challenge was made with the labels of this file of the commitment.

    Timestamps are outside of D and of the owner's signature: anybody can ask an authority for
    another one and put it first, and all labels are others. Raises InvalidOpening
    (``challenge.commitment``), and what ``stated_beacon`` raises.
    """
    stated = None
    if commitment.header.timestamp_authority is not None:
        from zkwm_protocols.timestamps.verification import stated_beacon

        stated = stated_beacon(commitment.timestamps)
    if beacon != stated:
        raise InvalidOpening(
            "the challenge was made with a file of this commitment that has another timestamp in "
            "the first place, and with it other labels",
            hint="judge and owner need the same file, the owner's own: anybody can put another "
            "timestamp into the file of a commitment",
            check="challenge.commitment",
        )


def require_datable(
    policy: Policy, published: Published | None, trust: bytes | None, issued: int
) -> None:
    """Check that what the policy says of dates can be decided by what the challenge fixes.

    Whom the judge trusts has to be fixed before they know the answer, and nothing was published
    after the challenge about it was issued (seconds since 1970). Raises Malformed.
    """
    require_optional_bytes(trust, 32)
    if trust is None and (policy.older or policy.trusted_beacon):
        raise Malformed("dates or a beacon are to count, and the challenge names nobody trusted")
    if policy.older and published is None:
        raise Malformed("the commitment has to be older than a suspect whose date is unknown")
    if published is not None and published.interval.earliest // 10**6 > issued:
        raise Malformed("the suspect was published after the challenge about it was issued")
