"""A registry in memory with one of everything, and an attack in every text of a stranger's.

``FilledRegistry`` is a ``RegistryView``: its log has real statements, keys and witnesses, its
commitment, challenges and verdict are signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from tests.support.dispute import Claimant, marked, new_judge, random_images
from tests.support.tiled_log import TiledLog
from tests.support.timestamp_tokens import TokenMaker
from tests.support.witnessed_log import (
    LOG_KEY,
    POLICY,
    SECOND_KEY,
    TIME,
    WITNESSES,
    proof_of,
    signed,
)
from zkwm.judge.particulars import CaseParticulars, FileDigest, FileRole
from zkwm.registry_service.pages.view import (
    Claim,
    KeptCommitment,
    KeptVerdict,
    LoggedEntry,
    LogState,
)
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.contents import (
    CommitmentStatement,
    DisputeEvent,
    DisputeStatement,
    SpentBlocks,
    VerdictStatement,
)
from zkwm_protocols.cose.key_contents import (
    KeyBinding,
    KeyRevocation,
    KeyRotation,
    RevocationReason,
    agree_to_succeed,
    key_subject,
)
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.statement import SignedStatement, sign_statement
from zkwm_protocols.dates import Interval, Published
from zkwm_protocols.keys import ED25519, PublicKey, SigningKey
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.tree import prove_consistency

ATTACK = "<script>document.body.dataset.broken=1</script><img src=x onerror=alert(1)>\"'>"
NAME = "Акме <b>Ltd.</b> &amp; Co"
TURNED = "Acme\u202eCorp \u200b Ltd."
ADDRESS = 'https://owner.example/keys"><script>document.body.dataset.broken=1</script>'
OWNER, STRANGER, OTHER = (SigningKey.from_bytes(ED25519, bytes([n] * 32)) for n in (41, 42, 43))
SEEN = 4
"""Entries of the tree of which somebody kept the checkpoint."""


class FilledRegistry:
    """The view; ``problem`` is why the log takes no entries, ``trusted`` whether its judge is."""

    def __init__(self) -> None:
        self.problem, self.trusted = "", True
        self.owner = Claimant(
            random_images(200), keys=(OWNER,), class_names=(ATTACK, NAME, *map(str, range(8)))
        )
        self.digest = self.owner.commitment.digest
        token = replace(TokenMaker.new(), digest=self.digest)
        self.commitments = {
            self.digest: KeptCommitment(
                replace(self.owner.commitment, timestamps=(token.evidence(),)), TIME
            )
        }
        self.judge = new_judge()
        suspect = marked(self.owner.images, self.owner.labels, name=f"model of {ATTACK}")
        published = Published(Interval(TIME * 10**6, TIME * 10**6 + 1), f"shop {ATTACK}")
        self.challenges = [
            self.judge.challenge(
                self.owner.commitment, suspect, reveal=50, purpose=f"No. {number} {ATTACK}",
                published=published,
            )
            for number in range(5)
        ]  # fmt: skip
        first = self.challenges[0]
        verdict = replace(
            self.judge.verify(self.owner.commitment, suspect, first, self.owner.answer(first, [0])),
            particulars=CaseParticulars(f"Case {ATTACK}", NAME, ATTACK, suspect_from=ATTACK),
        )
        verdict = verdict.with_file(FileDigest(FileRole.COMMITMENT, ATTACK, bytes(32), 7))
        self.verdict_file = self.judge.sign_verdict(verdict)
        self.claim_list = self._claims()
        self.entries = [
            LoggedEntry(index, statement) for index, statement in enumerate(self._statements())
        ]
        self.log = TiledLog([entry.statement.to_bytes() for entry in self.entries[:SEEN]])
        self.early_proof = proof_of(self.log, 1)
        self.kept_checkpoint = signed(self.log)
        self.log.append([entry.statement.to_bytes() for entry in self.entries[SEEN:]])
        self.checkpoint = signed(self.log)
        logged = LoggedStatement(self.entries[1].statement, self.early_proof)
        kept = self.commitments[self.digest]
        carried = replace(kept.commitment, log_proofs=(logged,))
        self.commitments[self.digest] = replace(kept, commitment=carried)

    def _claims(self) -> list[Claim]:
        """One in each state."""
        one, two, three, four, five = self.challenges
        return [
            Claim(five, "answered", TIME + 500, TIME + 9_000, TIME + 700),
            Claim(four, "withdrawn", TIME + 400, withdrawn=TIME + 500, reason=ATTACK + TURNED),
            Claim(three, "overdue", TIME + 300, TIME + 400),
            Claim(two, "asked", TIME + 200, 4_000_000_000, listing=ATTACK + TURNED),
            Claim(
                one, "decided", TIME, TIME + 90, TIME + 10, TIME + 20, outcome="proven",
                listing="shop/42",
            ),
        ]  # fmt: skip

    def _statements(self) -> list[SignedStatement]:
        """One of each kind, strangers' among them."""
        key, digest = OWNER.public.fingerprint(), self.digest
        other = SigningKey.from_bytes(ED25519, bytes([44] * 32))
        judge = self.judge.key.signing
        file = hashlib.sha256(self.verdict_file).digest()
        own, model = STRANGER.public.fingerprint(), self.challenges[0].suspect.digest
        return [
            sign_statement(CommitmentStatement(digest), STRANGER),
            sign_statement(CommitmentStatement(digest), OWNER, ADDRESS),
            sign_statement(KeyBinding(key, f"Ada {ATTACK} {NAME}", (), bytes(32)), OWNER),
            sign_statement(SpentBlocks(digest, 1, 1), OWNER),
            sign_statement(VerdictStatement(digest, file), judge),
            sign_statement(VerdictStatement(digest, bytes(32)), STRANGER),
            sign_statement(DisputeStatement(digest, model, DisputeEvent.DECIDED, file), judge),
            sign_statement(agree_to_succeed(key, other), OWNER),
            sign_statement(CommitmentStatement(bytes([9] * 32)), STRANGER),
            sign_statement(KeyRevocation(own, TIME, RevocationReason.COMPROMISED), STRANGER),
        ]

    def trusts(self, key: PublicKey) -> bool:
        """The one judge."""
        return self.trusted and key == self.judge.key.signing.public

    def judges_key(self, fingerprint: str) -> str | None:
        """Of the one judge."""
        published = self.judge.public
        return published.signing.fingerprint() if fingerprint == published.fingerprint() else None

    def log_state(self) -> LogState:
        """The log, whose witnesses cosigned its newest tree."""
        keys = (LOG_KEY.verifier, SECOND_KEY.verifier)
        return LogState(keys, self.checkpoint, self.checkpoint, POLICY, self.problem)

    def consistency(self, older: int, newer: int) -> Sequence[bytes]:
        """By the tiles."""
        return prove_consistency(older, newer, self.log.hashes(newer))

    def newest(self, limit: int) -> Sequence[LoggedEntry]:
        """The last entries."""
        return self.entries[::-1][:limit]

    def statements(self, subject: str) -> Sequence[LoggedEntry]:
        """By subject."""
        return [one for one in self.entries if one.statement.content.subject == subject]

    def statements_of(self, issuer: str) -> Sequence[LoggedEntry]:
        """By issuer."""
        return [one for one in self.entries if one.statement.issuer == issuer]

    def ends_of_key(self, fingerprint: str) -> Sequence[LoggedEntry]:
        """Rotations and revocations."""
        return [
            one
            for one in self.statements(key_subject(fingerprint))
            if isinstance(one.statement.content, KeyRotation | KeyRevocation)
        ]

    def statement(self, digest: bytes) -> LoggedEntry | None:
        """By SHA-256."""
        for one in self.entries:
            if hashlib.sha256(one.statement.to_bytes()).digest() == digest:
                return one
        return None

    def commitment(self, digest: bytes) -> KeptCommitment | None:
        """By D."""
        return self.commitments.get(digest)

    def owners(self, commitment: bytes) -> Sequence[str] | None:
        """Of the one commitment that is kept."""
        return [OWNER.public.fingerprint()] if commitment == self.digest else None

    def commitments_of(self, fingerprint: str) -> Sequence[bytes]:
        """By an owner's key."""
        return [self.digest] if fingerprint == OWNER.public.fingerprint() else []

    def claims(
        self, *, commitment: bytes | None = None, model: bytes | None = None
    ) -> Sequence[Claim]:
        """By commitment and model."""
        return [
            one
            for one in self.claim_list
            if commitment in (None, one.challenge.commitment)
            and model in (None, one.challenge.suspect.digest)
        ]

    def claim(self, challenge: bytes) -> Claim | None:
        """By the challenge's digest."""
        return next((one for one in self.claim_list if one.challenge.digest == challenge), None)

    def verdict(self, digest: bytes) -> KeptVerdict | None:
        """The one verdict."""
        decided = self.challenges[0].digest
        known = digest in (decided, hashlib.sha256(self.verdict_file).digest())
        return KeptVerdict(self.verdict_file, decided) if known else None

    @property
    def paths(self) -> dict[str, str]:
        """A path of each kind of page."""
        claims = {
            f"claim {claim.state}": f"/claims/{claim.challenge.digest.hex()}"
            for claim in self.claim_list
        }
        return {
            "start": "/",
            "search": f"/search?q={self.digest.hex()}",
            "nothing found": f"/search?q={ATTACK}",
            "commitment": f"/commitments/{self.digest.hex()}",
            "commitment without file": f"/commitments/{'09' * 32}",
            "owner's key": f"/keys/{OWNER.public.fingerprint()}",
            "revoked key": f"/keys/{STRANGER.public.fingerprint()}",
            "model": f"/models/{self.challenges[0].suspect.digest.hex()}",
            **claims,
            "verdict": f"/verdicts/{self.challenges[0].digest.hex()}",
            "log": "/log",
            "verify": "/verify",
            "error": f"/commitments/{'ab' * 32}",
        }


def other_tree() -> SignedCheckpoint:
    """A checkpoint of the size that somebody kept, of another tree, which the log signed too."""
    return signed(TiledLog([b"another %d" % i for i in range(SEEN)]), WITNESSES[:1])


def shop_commitment() -> Commitment:
    """A commitment that the registry does not know."""
    own = SigningKey.from_bytes(ED25519, bytes([46] * 32))
    return Claimant(random_images(50, 9), keys=(own,)).commitment
