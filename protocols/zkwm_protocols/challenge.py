"""The challenge: everything that the judge fixes before the owner answers, signed.

SPEC.md sections 6.1 and 18.1. Network, preprocessing and class map come from the judge, so that
they give the owner no freedom; what he leaves to the owner is counted in the policy. The nonce
makes it fresh. Reading a suspect, asking for confirmation and keeping a ledger are not done here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from zkwm_protocols.commitment import DERIVED, Commitment
from zkwm_protocols.encoding import decode, encode, pack, unpack
from zkwm_protocols.errors import InvalidOpening, InvalidSignature, Malformed, UsageError
from zkwm_protocols.evidence import Policy
from zkwm_protocols.feasibility import require_least_matches, require_reachable
from zkwm_protocols.keys import JudgePublic, SigningKey
from zkwm_protocols.ranks import MATCHES, MOST_OUTPUTS, RANKS, STATISTICS
from zkwm_protocols.schema import (
    require_boolean,
    require_bytes,
    require_constants,
    require_integer,
    require_list,
    require_map,
    require_text,
)
from zkwm_protocols.suspect_identity import EXTRACTION, Preprocessing, SuspectIdentity

FILE_LIMIT = 4 * 2**20
MAXIMUM_PURPOSE = 500
NONCE_BYTES = 32
OPENING = "opening"
ARGUMENT = "argument"
_TYPE = "zkwm-challenge"
_FIELDS = (
    "type version mode commitment suspect preprocessing class_map judge nonce block_count"
    " excluded_blocks purpose issued policy"
)
_MOST_MATCHES = 10_000


@dataclass(frozen=True)
class Challenge:
    """The signed body. ``class_map[y]`` is the suspect's output that stands for label y.

    ``block_count`` is r, the number of whole blocks to open; ``excluded_blocks`` may not be among
    them (known to have been opened before the suspect was published); ``issued`` is the judge's
    clock in seconds since 1970, for people, not for security.

    A challenge for a zero-knowledge argument has two fields more: ``network``, the digest of the
    integer network (32 bytes), and ``least_matches``, k*; r is then the number of blocks that the
    argument is about, and nothing is opened.

    ``statistic`` is ``matches``, or ``ranks`` (SPEC.md 8.4), which takes a suspect that gives
    scores. Raises Malformed when built wrong.
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
    network: bytes | None = None
    least_matches: int | None = None
    statistic: str = MATCHES

    def __post_init__(self) -> None:
        if self.statistic not in STATISTICS:
            raise Malformed(f"no such statistic: {self.statistic!r}")
        if self.statistic == RANKS and self.network is not None:
            raise Malformed("an argument shows matches, not ranks")
        if (self.network is None) != (self.least_matches is None):
            raise Malformed("a network and a number of matches belong together")
        if self.network is not None and len(self.network) != 32:
            raise Malformed("a network's digest has 32 bytes")
        if self.least_matches is not None and not 1 <= self.least_matches <= _MOST_MATCHES:
            raise Malformed("the least number of matches is 1 to 10,000")
        if len(self.commitment) != 32 or len(self.nonce) != NONCE_BYTES:
            raise Malformed("a commitment's digest and a nonce have 32 bytes")
        if len(self.preprocessing.mean) not in (0, self.suspect.shape[0]):
            raise Malformed("mean and std have one value for each of the suspect's channels")
        if self.block_count < 1 or list(self.excluded_blocks) != sorted(set(self.excluded_blocks)):
            raise Malformed("at least one block, and excluded blocks ascending, each once")
        require_text(self.purpose, MAXIMUM_PURPOSE)

    @property
    def mode(self) -> str:
        """``opening`` or ``argument``: which answer is asked for."""
        return OPENING if self.network is None else ARGUMENT

    def body(self) -> bytes:
        """What is signed: the one encoding of all fields but the signature."""
        policy = self.policy
        argued = {"network": self.network, "least_matches": self.least_matches}
        return encode(
            {
                "type": _TYPE,
                "version": 1,
                "mode": self.mode,
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
                **(argued if self.mode == ARGUMENT else {}),
                **({} if self.statistic == MATCHES else {"statistic": self.statistic}),
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
        body = decode(require_bytes(outer["body"]), limit=FILE_LIMIT)
        argued = isinstance(body, dict) and body.get("mode") == ARGUMENT
        ranked = isinstance(body, dict) and "statistic" in body
        names = f"{_FIELDS}{' network least_matches' * argued}{' statistic' * ranked}"
        fields = require_map(body, names, "challenge")
        constants: dict[str, str | int] = {
            "type": _TYPE,
            "version": 1,
            "mode": ARGUMENT if argued else OPENING,
        }
        if ranked:
            constants["statistic"] = RANKS
        require_constants(
            fields, constants, "a challenge of version 1 for an opening or an argument"
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
            network=require_bytes(fields["network"], 32) if argued else None,
            least_matches=require_integer(fields["least_matches"], _MOST_MATCHES, least=1)
            if argued
            else None,
            statistic=RANKS if ranked else MATCHES,
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
        """Raise InvalidOpening unless this challenge fits the commitment (SPEC.md 6.1, 18.1).

        Same D; a class map of C different outputs of the suspect; the commitment's image shape;
        enough blocks that are not excluded; and a size that can reach the threshold (the hint
        names the smallest that can). For an argument, a suspect that is a file, and a k* that
        reaches it.
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
        if self.suspect.kind == EXTRACTION:
            self._verify_extraction()
        if self.mode == ARGUMENT and self.suspect.kind != "onnx":
            raise InvalidOpening(
                "an argument is about the network in an ONNX file, and the suspect is none",
                hint="ask for an opening instead",
                check="challenge.suspect",
            )
        if self.statistic == RANKS:
            self._verify_ranks(commitment)
        excluded = sum(block < header.block_count for block in self.excluded_blocks)
        if self.block_count > header.block_count - excluded:
            raise InvalidOpening(
                f"{self.block_count} blocks are asked for, and the commitment has "
                f"{header.block_count}, {excluded} of them excluded",
                check="challenge.reachable",
            )
        try:
            require_reachable(commitment, self.block_count, self.policy)
            if self.least_matches is not None:
                require_least_matches(commitment, self.block_count, self.policy, self.least_matches)
        except UsageError as error:
            raise InvalidOpening(error.message, hint=error.hint, check=error.check) from None

    def _verify_ranks(self, commitment: Commitment) -> None:
        """Ranks need scores that can be kept, and labels that nobody chose (SPEC.md 8.4)."""
        if self.suspect.outputs > MOST_OUTPUTS or self.suspect.kind == EXTRACTION:
            raise InvalidOpening(
                f"ranks are for suspects that give scores for at most {MOST_OUTPUTS} outputs",
                hint="ask for matches",
                check="challenge.suspect",
            )
        if commitment.header.label_mode != DERIVED:
            raise InvalidOpening(
                "ranks are for derived labels, and the owner declared these",
                hint="ask for matches",
                check="challenge.commitment",
            )

    def _verify_extraction(self) -> None:
        """What leaves no choice where a mark is extracted (SPEC.md 19.3)."""
        if self.class_map != (0, 1):
            raise InvalidOpening(
                "where a mark is extracted, label 0 is bit 0 and label 1 is bit 1",
                check="challenge.class_map",
            )
        if self.preprocessing != Preprocessing():
            raise InvalidOpening(
                "keys are not images: they have no preprocessing", check="challenge.suspect"
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
