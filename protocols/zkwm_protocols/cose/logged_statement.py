"""A statement with the proof that a log took it: what a commitment's file keeps of a log.

It is one ``.tlog-proof`` whose ``extra`` is the statement, so that nothing else is needed to verify
it offline but a policy. The leaf is computed from the statement, which the proof thereby binds.
SPEC.md 23.15.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.cose.key_contents import KeyBinding, KeyRevocation, KeyRotation
from zkwm_protocols.cose.statement import SignedStatement
from zkwm_protocols.errors import InvalidLogProof, InvalidSignature, Malformed
from zkwm_protocols.keys import PublicKey
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.schema import require_bytes
from zkwm_protocols.transparency.policy import LogPolicy, Witnessed
from zkwm_protocols.transparency.proof_file import ProofFile


@dataclass(frozen=True)
class LoggedStatement:
    """A statement, whose own signature is verified, and its proof, which ``verify`` verifies."""

    statement: SignedStatement
    proof: ProofFile

    def to_bytes(self) -> bytes:
        """The ``.tlog-proof``, with the statement as its extra bytes."""
        return replace(self.proof, extra=self.statement.to_bytes()).to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> LoggedStatement:
        """Read ``to_bytes``.

        Raises Malformed, also for a proof without a statement, and what
        ``SignedStatement.from_bytes`` raises.
        """
        proof = ProofFile.from_bytes(data)
        if proof.extra is None:
            raise Malformed(
                "this proof of a log does not carry the statement that it proves",
                hint="give the statement beside it, or get the proof with it from who registered",
            )
        return cls(SignedStatement.from_bytes(proof.extra), replace(proof, extra=None))

    def verify(self, policy: LogPolicy, *, latest: int | None = None) -> Witnessed:
        """Who signed and witnessed the tree that the statement stands in.

        Raises what ``ProofFile.verify`` raises.
        """
        return self.proof.verify(leaf_hash(self.statement.to_bytes()), policy, latest=latest)

    @property
    def is_about_a_key(self) -> bool:
        """Whether it says whose a key is, which key follows it, or that it is revoked (23.13)."""
        return isinstance(self.statement.content, KeyBinding | KeyRotation | KeyRevocation)

    def is_about(self, digest: bytes, owners: Sequence[PublicKey]) -> bool:
        """Whether an owner of the commitment with this digest (32 bytes) states that it exists."""
        return (
            self.statement.content == CommitmentStatement(digest) and self.statement.key in owners
        )

    def require_commitment(self, digest: bytes, owners: Sequence[PublicKey]) -> None:
        """Return only if an owner of the commitment states that this very one exists.

        Args:
            digest: D, 32 bytes.
            owners: the keys in the commitment's header.

        Raises InvalidLogProof for a statement of another kind, about another commitment, or by a
        key that is not an owner's: anybody can state something about any digest.
        """
        if self.statement.content != CommitmentStatement(digest):
            raise InvalidLogProof("the log's proof is about another commitment or statement")
        if self.statement.key not in owners:
            raise InvalidLogProof(
                "the statement that was logged is not signed by an owner of the commitment"
            )


def read_log_proofs(
    proofs: Sequence[object],
) -> tuple[tuple[LoggedStatement, ...], tuple[LoggedStatement, ...]]:
    """The log proofs of a commitment's file, and behind them those about keys; nothing is verified.

    Raises Malformed, with the number of the proof, also for a statement that its own key did not
    sign, and where one about a key does not stand behind all others; Unsupported.
    """
    found: list[LoggedStatement] = []
    for number, one in enumerate(proofs, 1):
        try:
            found.append(LoggedStatement.from_bytes(require_bytes(one)))
        except (Malformed, InvalidSignature) as error:
            raise Malformed(
                f"log proof {number} of the commitment: {error.message}", hint=error.hint
            ) from None
    others = [one for one in found if not one.is_about_a_key]
    if others != found[: len(others)]:
        raise Malformed("statements about keys stand behind the other log proofs of a commitment")
    return tuple(others), tuple(found[len(others) :])
