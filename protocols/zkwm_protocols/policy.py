"""The policy of a judge: what they demand and what they know (SPEC.md section 8.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zkwm_protocols.errors import Malformed
from zkwm_protocols.schema import require_boolean, require_integer, require_map

DEFAULT_THRESHOLD_BITS = 40
MOST_FUNCTIONS = 10**9
"""The largest j."""


@dataclass(frozen=True)
class Policy:
    """The judge's demand, and what was left to the owner; part of the signed challenge.

    Args:
        threshold_bits: the evidence that has to be left.
        functions_tried: j, the number of networks, preprocessings and class maps that were tried
            on this commitment as far as the judge knows, this one included.
        owner_choice_bits: what the owner was allowed to choose, in bits.
        accept_declared_labels: whether labels that the owner declared may prove anything.
        older: whether the commitment has to be older than the suspect (SPEC.md 8.5).
        trusted_beacon: whether the beacon of the labels is in a token of an authority that the
            judge trusts, which makes the grinding of commitments cheaper to pay for.

    Raises:
        Malformed: a field is outside its range.
    """

    threshold_bits: int = DEFAULT_THRESHOLD_BITS
    functions_tried: int = 1
    owner_choice_bits: int = 0
    accept_declared_labels: bool = False
    older: bool = False
    trusted_beacon: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.threshold_bits <= 10_000:
            raise Malformed("the threshold is 1 to 10,000 bits")
        if not 1 <= self.functions_tried <= MOST_FUNCTIONS:
            raise Malformed("the number of functions tried is 1 to 1,000,000,000")
        if not 0 <= self.owner_choice_bits <= 10_000_000:
            raise Malformed("the owner's choice is 0 to 10,000,000 bits")

    def to_map(self) -> dict[str, Any]:
        """The CBOR map in a challenge's body."""
        return {
            "threshold_bits": self.threshold_bits,
            "functions_tried": self.functions_tried,
            "owner_choice_bits": self.owner_choice_bits,
            "accept_declared_labels": self.accept_declared_labels,
            "older": self.older,
            "trusted_beacon": self.trusted_beacon,
        }

    @classmethod
    def from_map(cls, value: object) -> Policy:
        """Read ``to_map``. Raises Malformed."""
        fields = require_map(
            value,
            "threshold_bits functions_tried owner_choice_bits accept_declared_labels older"
            " trusted_beacon",
            "policy",
        )
        return cls(
            threshold_bits=require_integer(fields["threshold_bits"], 10_000),
            functions_tried=require_integer(fields["functions_tried"], MOST_FUNCTIONS),
            owner_choice_bits=require_integer(fields["owner_choice_bits"], 10_000_000),
            accept_declared_labels=require_boolean(fields["accept_declared_labels"]),
            older=require_boolean(fields["older"]),
            trusted_beacon=require_boolean(fields["trusted_beacon"]),
        )
