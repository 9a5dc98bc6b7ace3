"""The challenge: everything the judge fixes before the owner answers, signed (SPEC.md 6.1, 18.1).

Network, preprocessing and class map come from the judge, so that they give the owner no freedom;
whatever is left to the owner is counted in the policy. A nonce makes each challenge unique.
``OpeningChallenge`` asks for whole blocks to be opened, ``ArgumentChallenge`` for a zero-knowledge
argument about them. Asking a suspect is in ``zkwm.suspects``, the ledger in ``zkwm.owner.vault``.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar, Self

from zkwm_protocols.challenge_body import (
    MAXIMUM_PURPOSE,
    NONCE_BYTES,
    read_common,
    require_body,
    require_datable,
    require_reopened,
    require_same_beacon,
    write_common,
)
from zkwm_protocols.class_map import class_map_cost, verify_class_map, verify_extraction
from zkwm_protocols.class_names import require_names
from zkwm_protocols.commitment import Commitment, Header
from zkwm_protocols.dates import Published
from zkwm_protocols.encoding import decode, encode, pack, unpack
from zkwm_protocols.errors import InvalidOpening, InvalidSignature, Malformed, UsageError
from zkwm_protocols.evidence import MAXIMUM_TRIALS
from zkwm_protocols.feasibility import require_least_matches, require_reachable
from zkwm_protocols.keys import JudgePublic, SigningKey
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import Statistic
from zkwm_protocols.schema import require_bytes, require_integer, require_map, require_text
from zkwm_protocols.statistic_rules import read_statistic, require_room, verify_statistic
from zkwm_protocols.suspect_identity import (
    Preprocessing,
    SuspectIdentity,
    SuspectKind,
    TestAccuracy,
)

FILE_LIMIT = 32 * 2**20


class Mode(StrEnum):
    """The answer that a challenge asks for."""

    OPENING = "opening"
    ARGUMENT = "argument"


@dataclass(frozen=True, kw_only=True)
class Challenge(ABC):
    """The signed body of a challenge, and what both of its types have in common.

    Args:
        commitment: D, 32 bytes.
        suspect: the model that is meant.
        preprocessing: how pixels become the suspect's input.
        class_map: ``class_map[y]`` is the suspect's output that stands for label y.
        judge: the public keys of the judge who issues the challenge.
        nonce: 32 random bytes.
        block_count: r, the number of whole blocks that the answer is about.
        excluded_blocks: blocks that may not be among them, ascending.
        purpose: what the challenge is for, in the judge's words.
        issued: the judge's clock in seconds since 1970; for people, not for security.
        policy: what the judge demands.
        suspect_classes: the names of the suspect's outputs, where it tells them.
        reopened_blocks: blocks already opened to this judge, to be weighed again: the answer is
            about exactly these; empty otherwise.
        test_accuracy: what the suspect gets right when it is fed like this, if it was measured.
        published: when the suspect was published, and how the judge knows; None where they do not.
        trust: the digest of what the judge trusts to date the commitment, 32 bytes, or None.
        beacon: of the labels in the judge's file, 32 bytes; None where no authority is named.
        signature: 64 bytes, or none before ``signed_by``.

    Raises:
        Malformed: a field is outside its range.
    """

    mode: ClassVar[Mode]

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
    suspect_classes: tuple[str, ...] | None = None
    reopened_blocks: tuple[int, ...] = ()
    test_accuracy: TestAccuracy | None = None
    published: Published | None = None
    trust: bytes | None = None
    beacon: bytes | None = None
    signature: bytes = b""

    def __post_init__(self) -> None:
        if len(self.commitment) != 32 or len(self.nonce) != NONCE_BYTES:
            raise Malformed("expected 32 bytes for the commitment's digest and for the nonce")
        if len(self.preprocessing.mean) not in (0, self.suspect.shape[0]):
            raise Malformed("mean and std have one value for each of the suspect's channels")
        if self.preprocessing.channels == "bgr" and self.suspect.shape[0] != 3:
            raise Malformed("only three channels have the order bgr")
        if self.suspect_classes is not None:
            require_names(self.suspect_classes)
        require_reopened(self.reopened_blocks, self.block_count, self.excluded_blocks)
        if self.block_count < 1 or list(self.excluded_blocks) != sorted(set(self.excluded_blocks)):
            raise Malformed("expected at least one block, and excluded blocks ascending, each once")
        require_text(self.purpose, MAXIMUM_PURPOSE)
        require_datable(self.policy, self.published, self.trust, self.issued)

    @property
    def statistic(self) -> Statistic:
        """What counts as evidence: matches, unless an opening reads scores (SPEC.md 8.4, 8.6)."""
        return Statistic.MATCHES

    def body(self) -> bytes:
        """The bytes that are signed: the one encoding of all fields but the signature."""
        return encode(write_common(vars(self), self.mode) | self._own_fields())

    @property
    def digest(self) -> bytes:
        """SHA-256 of the body, 32 bytes: what a response answers."""
        return hashlib.sha256(self.body()).digest()

    def to_bytes(self) -> bytes:
        """The challenge file."""
        return pack("challenge", {"body": self.body(), "signature": self.signature})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a challenge file: of either type, or of one as that type's method.

        ``verify_signature`` comes next. Raises Malformed or Unsupported.
        """
        outer = require_map(unpack("challenge", data, limit=FILE_LIMIT), "body signature", "file")
        body = decode(require_bytes(outer["body"]), limit=FILE_LIMIT)
        signature = require_bytes(outer["signature"], 64)
        argued = isinstance(body, dict) and body.get("mode") == Mode.ARGUMENT
        kind = ArgumentChallenge if argued else OpeningChallenge
        challenge = kind._from_body(body, signature)
        if not isinstance(challenge, cls):
            raise Malformed(f"expected a challenge of another mode, got one for an {kind.mode}")
        return challenge

    def signed_by(self, key: SigningKey) -> Self:
        """The same challenge with the judge's signature. Raises UsageError for another's key."""
        if key.public != self.judge.signing:
            raise UsageError("this is not the secret key of the judge that the challenge names")
        return replace(self, signature=key.sign("challenge", self.digest))

    def verify_signature(self) -> None:
        """Check that the judge whom the challenge names has signed it.

        Raises InvalidSignature (``challenge.signature``).
        """
        try:
            self.judge.signing.verify("challenge", self.digest, self.signature)
        except InvalidSignature:
            raise InvalidSignature(
                "the judge's signature of the challenge does not verify",
                check="challenge.signature",
            ) from None

    def verify_against(self, commitment: Commitment) -> None:
        """Check that this challenge fits the commitment (SPEC.md 6.1, 18.1).

        Raises InvalidOpening:
            ``challenge.commitment``: it is for another D, has another beacon, counts ranks of
                declared labels, or trusts a beacon where the header names no authority.
            ``challenge.class_map``: it is not a map of labels to outputs (SPEC.md 6.1).
            ``challenge.suspect``: the suspect takes other images, or cannot be asked in this way.
            ``challenge.reachable``: too few blocks are left, or the threshold is out of reach.
        """
        if self.commitment != commitment.digest:
            raise InvalidOpening(
                "the challenge is for another commitment", check="challenge.commitment"
            )
        if self.policy.trusted_beacon and commitment.header.timestamp_authority is None:
            raise InvalidOpening(
                "the challenge trusts a beacon, and the commitment names no authority",
                check="challenge.commitment",
            )
        require_same_beacon(self.beacon, commitment)
        verify_class_map(self.class_map, self.suspect, self.suspect_classes, commitment)
        if self.suspect.shape != commitment.header.shape:
            raise InvalidOpening(
                "the suspect takes images of another shape than the commitment's",
                check="challenge.suspect",
            )
        if self.suspect.kind == SuspectKind.EXTRACTION:
            verify_extraction(self.class_map, self.preprocessing)
        self._verify_mode(commitment.header)
        self._verify_size(commitment)

    def map_bits(self, commitment: Commitment) -> int:
        """What the class map costs in bits: none where names fix it (SPEC.md 8.2)."""
        return class_map_cost(self.class_map, self.suspect, self.suspect_classes, commitment)

    @abstractmethod
    def _own_fields(self) -> dict[str, Any]:
        """The fields of the body that only this type has."""

    @classmethod
    @abstractmethod
    def _from_body(cls, body: object, signature: bytes) -> Self:
        """Read a decoded body. Raises Malformed."""

    @abstractmethod
    def _verify_mode(self, header: Header) -> None:
        """Raise InvalidOpening where this way of answering is impossible for suspect or labels."""

    def _require_reachable(self, commitment: Commitment) -> None:
        """Raise UsageError (``challenge.reachable``) where no answer can reach the threshold."""
        require_reachable(commitment, self.block_count, self.policy, self.map_bits(commitment))

    def _verify_size(self, commitment: Commitment) -> None:
        """Raise InvalidOpening (``challenge.reachable``) where r blocks are too many or too few."""
        header = commitment.header
        if any(block >= header.block_count for block in self.reopened_blocks):
            raise InvalidOpening(
                "a block to be weighed again does not exist", check="challenge.reachable"
            )
        excluded = sum(block < header.block_count for block in self.excluded_blocks)
        if self.block_count > header.block_count - excluded:
            raise InvalidOpening(
                f"the challenge asks for {self.block_count} blocks; the commitment has "
                f"{header.block_count}"
                + (f", of which {excluded} are excluded" if excluded else ""),
                hint=f"ask for at most {header.block_count - excluded} blocks of "
                f"{header.block_size} triggers",
                check="challenge.reachable",
            )
        try:
            self._require_reachable(commitment)
        except UsageError as error:
            raise InvalidOpening(error.message, hint=error.hint, check=error.check) from None


@dataclass(frozen=True, kw_only=True)
class OpeningChallenge(Challenge):
    """Asks the owner to open r whole blocks to the judge (SPEC.md 6.1).

    ``statistic`` is ``matches``, for a suspect that gives scores ``ranks`` or ``scores`` (SPEC.md
    8.4, 8.6).
    """

    mode = Mode.OPENING
    statistic: Statistic = Statistic.MATCHES

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.statistic not in tuple(Statistic):
            raise Malformed(f"unknown statistic: {self.statistic!r}")

    def _own_fields(self) -> dict[str, Any]:
        """The statistic, where it is not ``matches``."""
        return {} if self.statistic == Statistic.MATCHES else {"statistic": self.statistic}

    @classmethod
    def _from_body(cls, body: object, signature: bytes) -> Self:
        """Read a body of mode ``opening``. Raises Malformed."""
        stated = isinstance(body, dict) and "statistic" in body
        fields = require_body(body, cls.mode, " statistic" * stated, {})
        statistic = read_statistic(fields["statistic"]) if stated else Statistic.MATCHES
        return cls(**read_common(fields), signature=signature, statistic=statistic)

    def _verify_mode(self, header: Header) -> None:
        """Raise InvalidOpening where scores cannot be read, or labels were chosen."""
        verify_statistic(self.statistic, self.suspect, header)

    def _require_reachable(self, commitment: Commitment) -> None:
        """Raise UsageError where r blocks are too few, or have more points than a verdict holds."""
        super()._require_reachable(commitment)
        require_room(self.statistic, commitment.header, self.block_count)


@dataclass(frozen=True, kw_only=True)
class ArgumentChallenge(Challenge):
    """Asks for a zero-knowledge argument about r blocks; nothing is opened (SPEC.md 18.1).

    ``network`` is the digest of the suspect's integer network, 32 bytes; ``least_matches`` is k*,
    the number of triggers that have to match at least.
    """

    mode = Mode.ARGUMENT
    network: bytes
    least_matches: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require_bytes(self.network, 32)
        require_integer(self.least_matches, MAXIMUM_TRIALS, least=1)

    def _own_fields(self) -> dict[str, Any]:
        """The network's digest and k*."""
        return {"network": self.network, "least_matches": self.least_matches}

    @classmethod
    def _from_body(cls, body: object, signature: bytes) -> Self:
        """Read a body of mode ``argument``. Raises Malformed."""
        fields = require_body(body, cls.mode, " network least_matches", {})
        return cls(
            **read_common(fields),
            signature=signature,
            network=fields["network"],
            least_matches=fields["least_matches"],
        )

    def _verify_mode(self, header: Header) -> None:
        """Raise InvalidOpening (``challenge.suspect``) unless the suspect is an ONNX file."""
        if self.suspect.kind != SuspectKind.ONNX:
            raise InvalidOpening(
                "an argument is about the network in an ONNX file; this suspect is not one",
                hint="ask for an opening instead",
                check="challenge.suspect",
            )

    def _require_reachable(self, commitment: Commitment) -> None:
        """Raise UsageError where r blocks or k* matches cannot reach the threshold."""
        super()._require_reachable(commitment)
        require_least_matches(
            commitment,
            self.block_count,
            self.policy,
            self.least_matches,
            self.map_bits(commitment),
        )
