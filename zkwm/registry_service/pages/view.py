"""What the pages read of a registry: an interface, so that they know no database.

All of it may be called from several threads at a time, and none of it changes anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.statement import SignedStatement
from zkwm_protocols.keys import PublicKey
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.policy import LogPolicy

MOST_ROWS = 100
"""Entries, claims or commitments that one answer of a view holds."""
MOST_OF_A_KEY = 1_000
"""Statements about one key that are looked at; a key with more is not to be trusted."""


@dataclass(frozen=True)
class LoggedEntry:
    """An entry of the log: its index, and the statement, whose signature was verified."""

    index: int
    statement: SignedStatement


@dataclass(frozen=True)
class LogState:
    """The log as it stands.

    Args:
        keys: of the log.
        checkpoint: the newest that it signed.
        witnessed: the newest with the cosignatures that its policy asks for; None without one.
        policy: its witnesses; None where it has none.
        problem: why it takes no entries now, or empty.
    """

    keys: tuple[VerifierKey, ...]
    checkpoint: SignedCheckpoint
    witnessed: SignedCheckpoint | None = None
    policy: LogPolicy | None = None
    problem: str = ""


@dataclass(frozen=True)
class KeptCommitment:
    """A commitment whose file the registry keeps, and since when (seconds since 1970).

    ``entry`` is the owner's statement with which it was registered here; None where it came
    another way.
    """

    commitment: Commitment
    registered: int
    entry: LoggedEntry | None = None


@dataclass(frozen=True)
class Claim:
    """A claim on a model: a challenge that a judge issued, and what came of it.

    Times are seconds since 1970, or None where it did not happen.

    Args:
        challenge: what was asked.
        state: asked, answered, overdue, withdrawn or decided.
        asked: when the challenge was issued.
        answer_by: the deadline.
        answered, decided, withdrawn: when.
        reason: why it was withdrawn, in the words of whoever did.
        listing: the id of the listing that it is about, or empty.
        outcome: that of the verdict, or empty.
    """

    challenge: Challenge
    state: str
    asked: int
    answer_by: int | None = None
    answered: int | None = None
    decided: int | None = None
    withdrawn: int | None = None
    reason: str = ""
    listing: str = ""
    outcome: str = ""


@dataclass(frozen=True)
class KeptVerdict:
    """A signed verdict: its file, and the digest of the challenge that it answers (32 bytes).

    ``entry`` is the judge's statement with which it was handed in; None where it came another way.
    """

    file: bytes
    challenge: bytes
    entry: LoggedEntry | None = None


class RegistryView(Protocol):
    """A registry, as far as pages show it. Each method may raise ZkwmError."""

    def trusts(self, key: PublicKey) -> bool:
        """Whether this is the signing key of a judge whom the operator trusts now."""

    def judges_key(self, fingerprint: str) -> str | None:
        """The fingerprint of the key with which such a judge signs, by the one they publish."""

    def log_state(self) -> LogState:
        """The log as it stands."""

    def consistency(self, older: int, newer: int) -> Sequence[bytes]:
        """The consistency proof between two sizes of the log's tree."""

    def newest(self, limit: int) -> Sequence[LoggedEntry]:
        """The last entries of the log, the newest first."""

    def statements(self, subject: str) -> Sequence[LoggedEntry]:
        """The first ``MOST_ROWS`` entries about a commitment's or key's URN, in the log's order."""

    def statements_of(self, issuer: str) -> Sequence[LoggedEntry]:
        """The first ``MOST_ROWS`` entries by a fingerprint or address, in the log's order."""

    def ends_of_key(self, fingerprint: str) -> Sequence[LoggedEntry]:
        """The first ``MOST_OF_A_KEY`` rotations and revocations of a key, in the log's order."""

    def statement(self, digest: bytes) -> LoggedEntry | None:
        """The entry whose bytes have this SHA-256."""

    def commitment(self, digest: bytes) -> KeptCommitment | None:
        """The commitment D, where its file is kept."""

    def owners(self, commitment: bytes) -> Sequence[str] | None:
        """The fingerprints of the owner's keys of D; None where its file is not kept."""

    def commitments_of(self, fingerprint: str) -> Sequence[bytes]:
        """At most ``MOST_ROWS`` digests D of kept commitments with this owner's key."""

    def claims(
        self, *, commitment: bytes | None = None, model: bytes | None = None
    ) -> Sequence[Claim]:
        """At most ``MOST_ROWS`` claims on a commitment or on a model's digest, the newest first."""

    def claim(self, challenge: bytes) -> Claim | None:
        """The claim with this challenge's digest."""

    def verdict(self, digest: bytes) -> KeptVerdict | None:
        """The verdict of a claim, by its challenge's digest or the SHA-256 of its own file."""
