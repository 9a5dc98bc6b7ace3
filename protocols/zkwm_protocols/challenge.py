"""The challenge: everything that the judge fixes before the owner answers, signed.

SPEC.md section 6.1. Network, preprocessing and class map come from the judge, so that they give
the owner no freedom; what he leaves to the owner is counted in the policy. The nonce makes it
fresh. Reading a suspect, asking for confirmation and keeping a ledger are not done here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from zkwm_protocols import evidence
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.encoding import decode, encode, pack, unpack
from zkwm_protocols.errors import InvalidOpening, InvalidSignature, Malformed, UsageError
from zkwm_protocols.evidence import Policy
from zkwm_protocols.keys import JudgePublic, SigningKey
from zkwm_protocols.strict import (
    require_boolean,
    require_bytes,
    require_constants,
    require_integer,
    require_list,
    require_map,
    require_text,
)
from zkwm_protocols.suspect import Preprocessing, SuspectIdentity

FILE_LIMIT = 4 * 2**20
MAXIMUM_PURPOSE = 500
NONCE_BYTES = 32
_TYPE = "zkwm-challenge"


@dataclass(frozen=True)
class Challenge:
    """The signed body. ``class_map[y]`` is the suspect's output that stands for label y.

    ``block_count`` is r, the number of whole blocks to open; ``excluded_blocks`` may not be among
    them (known to have been opened before the suspect was published); ``issued`` is the judge's
    clock in seconds since 1970, for people, not for security. Raises Malformed when built wrong.
    """

    commitment: bytes
    suspect: SuspectIdentity
    preprocessing: Preprocessing
    class_map: tuple[int, ...]
    judge: JudgePublic
    nonce: bytes
    block_count: int
    excluded_blocks: tuple[int, ...]
    purpose: str
    issued: int
    policy: Policy
    signature: bytes = b""

    def __post_init__(self) -> None:
        if len(self.commitment) != 32 or len(self.nonce) != NONCE_BYTES:
            raise Malformed("a commitment's digest and a nonce have 32 bytes")
        if len(self.preprocessing.mean) not in (0, self.suspect.shape[0]):
            raise Malformed("mean and std have one value for each of the suspect's channels")
        if self.block_count < 1 or list(self.excluded_blocks) != sorted(set(self.excluded_blocks)):
            raise Malformed("at least one block, and excluded blocks ascending, each once")
        require_text(self.purpose, MAXIMUM_PURPOSE)

    def body(self) -> bytes:
        """What is signed: the one encoding of all fields but the signature."""
        policy = self.policy
        return encode(
            {
                "type": _TYPE,
                "version": 1,
                "mode": "opening",
                "commitment": self.commitment,
                "suspect": self.suspect.to_map(),
                "preprocessing": self.preprocessing.to_map(),
                "class_map": list(self.class_map),
                "judge": self.judge.to_map(),
                "nonce": self.nonce,
                "block_count": self.block_count,
                "excluded_blocks": list(self.excluded_blocks),
                "purpose": self.purpose,
                "issued": self.issued,
                "policy": {
                    "threshold_bits": policy.threshold_bits,
                    "functions_tried": policy.functions_tried,
                    "owner_choice_bits": policy.owner_choice_bits,
                    "accept_declared_labels": policy.accept_declared_labels,
                },
            }
        )

    @property
    def digest(self) -> bytes:
        """SHA-256 of the body, 32 bytes: what a response answers."""
        return hashlib.sha256(self.body()).digest()

    def to_bytes(self) -> bytes:
        """The challenge file."""
        return pack("challenge", {"body": self.body(), "signature": self.signature})

    @classmethod
    def from_bytes(cls, data: bytes) -> Challenge:
        """Read a challenge file. Raises Malformed or Unsupported. ``verify_signature`` is next."""
        outer = require_map(unpack("challenge", data, limit=FILE_LIMIT), "body signature", "file")
        fields = require_map(
            decode(require_bytes(outer["body"]), limit=FILE_LIMIT),
            "type version mode commitment suspect preprocessing class_map judge nonce block_count"
            " excluded_blocks purpose issued policy",
            "challenge",
        )
        require_constants(
            fields,
            {"type": _TYPE, "version": 1, "mode": "opening"},
            "a challenge of version 1 for a selective opening",
        )
        return cls(
            commitment=require_bytes(fields["commitment"], 32),
            suspect=SuspectIdentity.from_map(fields["suspect"]),
            preprocessing=Preprocessing.from_map(fields["preprocessing"]),
            class_map=tuple(
                require_integer(output, 1_000_000)
                for output in require_list(fields["class_map"], 2, 65_535)
            ),
            judge=JudgePublic.from_map(fields["judge"]),
            nonce=require_bytes(fields["nonce"], NONCE_BYTES),
            block_count=require_integer(fields["block_count"], 100_000, least=1),
            excluded_blocks=tuple(
                require_integer(block, 100_000)
                for block in require_list(fields["excluded_blocks"], 0, 100_000)
            ),
            purpose=require_text(fields["purpose"], MAXIMUM_PURPOSE),
            issued=require_integer(fields["issued"], 2**40),
            policy=_read_policy(fields["policy"]),
            signature=require_bytes(outer["signature"], 64),
        )

    def signed_by(self, key: SigningKey) -> Challenge:
        """The same challenge with the judge's signature."""
        if key.public != self.judge.signing:
            raise UsageError("this is not the secret key of the judge that the challenge names")
        return Challenge(**{**self.__dict__, "signature": key.sign("challenge", self.digest)})

    def verify_signature(self) -> None:
        """Raise InvalidSignature unless the judge that the challenge names has signed it."""
        try:
            self.judge.signing.verify("challenge", self.digest, self.signature)
        except InvalidSignature:
            raise InvalidSignature(
                "the judge's signature of the challenge does not verify",
                check="challenge.signature",
            ) from None

    def verify_against(self, commitment: Commitment) -> None:
        """Raise InvalidOpening unless this challenge fits the commitment (SPEC.md 6.1).

        Same D; a class map of C different outputs of the suspect; the commitment's image shape;
        enough blocks that are not excluded; and a size that can reach the threshold (the hint
        names the smallest that can).
        """
        header = commitment.header
        if self.commitment != commitment.digest:
            raise InvalidOpening(
                "the challenge is for another commitment", check="challenge.commitment"
            )
        if len(self.class_map) != header.class_count:
            raise InvalidOpening(
                f"the class map has {len(self.class_map)} labels, the commitment "
                f"{header.class_count} classes",
                check="challenge.class_map",
            )
        if len(set(self.class_map)) != len(self.class_map):
            raise InvalidOpening(
                "the class map gives one output to two labels", check="challenge.class_map"
            )
        if any(not 0 <= output < self.suspect.outputs for output in self.class_map):
            raise InvalidOpening(
                "the class map names an output that the suspect does not have",
                check="challenge.class_map",
            )
        if self.suspect.shape != header.shape:
            raise InvalidOpening(
                "the suspect takes images of another shape than the commitment's",
                check="challenge.suspect",
            )
        excluded = sum(block < header.block_count for block in self.excluded_blocks)
        if self.block_count > header.block_count - excluded:
            raise InvalidOpening(
                f"{self.block_count} blocks are asked for, and the commitment has "
                f"{header.block_count}, {excluded} of them excluded",
                check="challenge.reachable",
            )
        try:
            require_reachable(commitment, self.block_count, self.policy)
        except UsageError as error:
            raise InvalidOpening(error.message, hint=error.hint, check=error.check) from None


def require_reachable(commitment: Commitment, block_count: int, policy: Policy) -> None:
    """Raise UsageError, naming the smallest size that can, when all matches would not be enough.

    Also for more than 10,000 triggers, which no assessment takes.
    """
    header = commitment.header
    if block_count * header.block_size > evidence.MAXIMUM_TRIALS:
        raise UsageError(
            f"{block_count * header.block_size:,} triggers are asked for, and one assessment "
            f"takes at most {evidence.MAXIMUM_TRIALS:,}",
            hint="open fewer blocks",
            check="challenge.reachable",
        )
    numbers: dict[str, Any] = {
        "block_size": header.block_size,
        "class_count": header.class_count,
        "policy": policy,
    }
    perfect = evidence.assess(
        block_count * header.block_size,
        blocks_used=block_count,
        block_count=header.block_count,
        **numbers,
    )
    if perfect.reached:
        return
    smallest = evidence.smallest_reveal(block_count=header.block_count, **numbers)
    raise UsageError(
        f"even {perfect.trials} matches of {perfect.trials} leave {perfect.total_bits:.2f} bits, "
        f"less than the {policy.threshold_bits} that the judge demands",
        hint=f"reveal at least {smallest * header.block_size} triggers"
        if smallest
        else "no number of triggers of this commitment can reach this threshold",
        check="challenge.reachable",
    )


def _read_policy(value: object) -> Policy:
    fields = require_map(
        value,
        "threshold_bits functions_tried owner_choice_bits accept_declared_labels",
        "policy",
    )
    return Policy(
        threshold_bits=require_integer(fields["threshold_bits"], 10_000),
        functions_tried=require_integer(fields["functions_tried"], 1_000_000_000),
        owner_choice_bits=require_integer(fields["owner_choice_bits"], 10_000_000),
        accept_declared_labels=require_boolean(fields["accept_declared_labels"]),
    )
