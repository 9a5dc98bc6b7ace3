"""The entries of a vault's ledger: openings, answers in zero knowledge, older copies accepted.

SPEC.md sections 11 and 18.5. An opening spends its blocks; an argument spends none, and releases
one bit; the third kind says that entries before it were lost.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any, TypeAlias

from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import Malformed
from zkwm_protocols.fingerprints import require_fingerprint
from zkwm_protocols.schema import (
    require_bytes,
    require_choice,
    require_constants,
    require_integer,
    require_list,
    require_map,
    require_text,
)

_MAXIMUM_COUNT = 100_000
_MAXIMUM_MATCHES = 10_000
_MAXIMUM_TIME = 2**40
_FIELDS = (
    "challenge_digest commitment_digest blocks judge_fingerprint purpose suspect_description"
    " suspect_digest issued recorded response"
)
_KIND = "argument"
_OLDER_COPY = "older-copy"
MAXIMUM_COUNTER = 2**53


class ArgumentOutcome(StrEnum):
    """The outcome of a challenge for an argument.

    ``PROVED``: at least k* triggers match. ``REFUSED``: the owner signed that too few blocks are
    unopened. ``TOO_FEW``: nothing left the vault, and the owner's silence tells.
    """

    PROVED = "proved"
    REFUSED = "refused"
    TOO_FEW = "too few matches"


@dataclass(frozen=True)
class _AnswerEntry:
    """What every answer to a challenge records.

    Args:
        challenge_digest: 32 bytes, of the challenge that was answered.
        commitment_digest: D, 32 bytes.
        blocks: the blocks that were opened, or argued about, ascending.
        judge_fingerprint: of the judge who asked.
        purpose: what the judge said the challenge was for.
        suspect_description: the suspect, for people.
        suspect_digest: 32 bytes.
        issued: the judge's clock in seconds since 1970.
        recorded: the owner's clock in seconds since 1970.
        response: the proof file.

    Raises:
        Malformed: a field is outside its range.
    """

    challenge_digest: bytes
    commitment_digest: bytes
    blocks: tuple[int, ...]
    judge_fingerprint: str
    purpose: str
    suspect_description: str
    suspect_digest: bytes
    issued: int
    recorded: int
    response: bytes = field(repr=False)

    def __post_init__(self) -> None:
        for digest in (self.challenge_digest, self.commitment_digest, self.suspect_digest):
            require_bytes(digest, 32)
        if not isinstance(self.blocks, tuple):
            raise Malformed("an entry of the ledger has a list of blocks")
        for block in self.blocks:
            require_integer(block, _MAXIMUM_COUNT)
        if any(first >= second for first, second in pairwise(self.blocks)):
            raise Malformed("the blocks of an entry are ascending, each once")
        require_fingerprint(self.judge_fingerprint)
        require_text(self.purpose, 500)
        require_text(self.suspect_description, 500)
        require_integer(self.issued, _MAXIMUM_TIME)
        require_integer(self.recorded, _MAXIMUM_TIME)
        require_bytes(self.response)


@dataclass(frozen=True)
class LedgerEntry(_AnswerEntry):
    """One opening: the blocks, the judge who can read it, and the bytes that left.

    Raises Malformed for a field outside its range, or without a block.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.blocks:
            raise Malformed("an opening names at least one block")

    def to_map(self) -> dict[str, Any]:
        """The CBOR map, one entry for each field."""
        return {**self.__dict__, "blocks": list(self.blocks)}

    @classmethod
    def from_map(cls, value: object) -> LedgerEntry:
        """Read ``to_map``. Raises Malformed."""
        fields = require_map(value, _FIELDS, "entry of the ledger")
        blocks = tuple(require_list(fields["blocks"], 1, _MAXIMUM_COUNT))
        return cls(**{**fields, "blocks": blocks})


@dataclass(frozen=True)
class ArgumentEntry(_AnswerEntry):
    """One bit released in zero knowledge, and the bytes that left, if any did.

    ``blocks`` is empty for a refusal, and ``response`` where nothing left the vault.

    Args:
        outcome: how the challenge was answered.
        network_digest: of the integer network, 32 bytes.
        block_count: r, the blocks that were asked for.
        least_matches: k*.

    Raises:
        Malformed: a field is outside its range.
    """

    outcome: ArgumentOutcome
    network_digest: bytes
    block_count: int
    least_matches: int

    def __post_init__(self) -> None:
        require_choice(self.outcome, ArgumentOutcome, "outcome of an argument")
        require_bytes(self.network_digest, 32)
        require_integer(self.block_count, _MAXIMUM_COUNT, least=1)
        require_integer(self.least_matches, _MAXIMUM_MATCHES, least=1)
        super().__post_init__()
        if len(self.blocks) != (self.block_count if self.asks_for_matches else 0):
            raise Malformed(
                "an argument names as many blocks as were asked for, and a refusal none"
            )
        if bool(self.response) != (self.outcome != ArgumentOutcome.TOO_FEW):
            raise Malformed("an argument or a refusal has a response, silence none")

    @property
    def asks_for_matches(self) -> bool:
        """Whether the answer says something about matches; a refusal does not."""
        return self.outcome != ArgumentOutcome.REFUSED

    @property
    def question(self) -> tuple[int, int]:
        """The question about the network: the number of blocks, and k*."""
        return self.block_count, self.least_matches

    def to_map(self) -> dict[str, Any]:
        """The CBOR map, one entry for each field, and the kind."""
        return {**self.__dict__, "kind": _KIND, "blocks": list(self.blocks)}

    @classmethod
    def from_map(cls, value: object) -> ArgumentEntry:
        """Read ``to_map``. Raises Malformed."""
        fields = require_map(
            value,
            f"{_FIELDS} kind outcome network_digest block_count least_matches",
            "entry of the ledger",
        )
        require_constants(fields, {"kind": _KIND}, "an entry of the ledger")
        blocks = tuple(require_list(fields["blocks"], 0, _MAXIMUM_COUNT))
        values = {name: value for name, value in fields.items() if name != "kind"}
        outcome = require_choice(fields["outcome"], ArgumentOutcome, "outcome of an argument")
        return cls(**{**values, "blocks": blocks, "outcome": outcome})


@dataclass(frozen=True)
class OlderCopyEntry:
    """The owner went on with an older copy of the vault: entries before this one were lost.

    Args:
        counter: of the high-water mark that was overruled.
        digest: of that mark, 32 bytes, or None where it could not be read.
        recorded: the owner's clock in seconds since 1970.

    Raises:
        Malformed: a field is outside its range.
    """

    counter: int
    digest: bytes | None
    recorded: int

    def __post_init__(self) -> None:
        require_integer(self.counter, MAXIMUM_COUNTER)
        if self.digest is not None:
            require_bytes(self.digest, 32)
        require_integer(self.recorded, _MAXIMUM_TIME)

    def to_map(self) -> dict[str, Any]:
        """The CBOR map, one entry for each field, and the kind."""
        return {**self.__dict__, "kind": _OLDER_COPY}

    @classmethod
    def from_map(cls, value: object) -> OlderCopyEntry:
        """Read ``to_map``. Raises Malformed."""
        fields = require_map(value, "kind counter digest recorded", "entry of the ledger")
        require_constants(fields, {"kind": _OLDER_COPY}, "an entry of the ledger")
        return cls(fields["counter"], fields["digest"], fields["recorded"])


def answer_fields(challenge: Challenge, response: bytes) -> dict[str, Any]:
    """The fields of an entry, recorded now, that follow from the challenge and the response."""
    return {
        "challenge_digest": challenge.digest,
        "commitment_digest": challenge.commitment,
        "judge_fingerprint": challenge.judge.fingerprint(),
        "purpose": challenge.purpose,
        "suspect_description": challenge.suspect.description,
        "suspect_digest": challenge.suspect.digest,
        "issued": challenge.issued,
        "recorded": int(time.time()),
        "response": response,
    }


Answer: TypeAlias = LedgerEntry | ArgumentEntry
"""What was released to a judge."""
Entry: TypeAlias = Answer | OlderCopyEntry


def read_entry(value: object) -> Entry:
    """An entry of any kind; one without a kind is an opening. Raises Malformed."""
    if not isinstance(value, dict) or "kind" not in value:
        return LedgerEntry.from_map(value)
    if value["kind"] == _OLDER_COPY:
        return OlderCopyEntry.from_map(value)
    return ArgumentEntry.from_map(value)
