"""Ask a log: register a statement, fetch its proof, verify both before they count (SPEC.md 25.6).

What a log answers is believed only so far as its proof verifies against the policy, for the bytes
that were sent. Checkpoints that were seen are kept and compared.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from zkwm.transparency_log.http_client import (
    ANSWER_LIMIT,
    PATIENCE_SECONDS,
    Answer,
    HttpClient,
    Patience,
    refused,
)
from zkwm.transparency_log.seen_checkpoints import SeenCheckpoints, TwoTreesError
from zkwm.transparency_log.tile_folder import (
    BUNDLE_LIMIT,
    CHECKPOINT,
    CHECKPOINT_LIMIT,
    WITNESSED,
)
from zkwm.transparency_log.tree_key import read_checkpoint
from zkwm_protocols.errors import CouldNotCheck, InvalidLogProof, Malformed, UsageError
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.schema import require_integer
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.policy import LogPolicy, Witnessed
from zkwm_protocols.transparency.proof_file import FILE_LIMIT, ProofFile
from zkwm_protocols.transparency.tiles import (
    ENTRIES,
    Tile,
    TileHashes,
    read_bundle,
    write_bundle,
)
from zkwm_protocols.transparency.tree import MAXIMUM_SIZE, TreeHead, prove_consistency

STATEMENT_TYPE = "application/cose"
SECONDS = 30.0
CLOCK_SECONDS = 300
"""How far a witness's clock may be ahead of ours."""
_POLL_SECONDS = 1.0
MOST_LISTED = 10_000


@dataclass(frozen=True)
class Registration:
    """A registered statement: the log's proof, which has been verified, and its COSE receipt.

    Args:
        proof: the ``.tlog-proof``, by whom it was signed in ``witnessed``.
        receipt: COSE, as the log gave it.
        witnessed: who signed the tree of the proof.
    """

    proof: ProofFile
    receipt: bytes
    witnessed: Witnessed


class LogClient:
    """One log, as a client sees it.

    Args:
        url: of the log, http or https.
        policy: which log and witnesses count.
        seen: where checkpoints are kept and compared; None to keep none.
        seconds: how long a request may take.
        clock: seconds since 1970, for cosignatures of the future.
        patience: seconds that one question waits in all where the log says when to ask again (429
            or 503 with ``Retry-After``).
    """

    def __init__(
        self,
        url: str,
        policy: LogPolicy,
        seen: SeenCheckpoints | None = None,
        *,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.time,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._url = url.rstrip("/")
        self._policy = policy
        self._seen = seen
        self._client = HttpClient(seconds)
        self._clock = clock
        self._patience = patience

    def register(self, statement: bytes, *, wait_seconds: float = 0.0) -> Registration:
        """Register a statement, and wait until its proof satisfies the policy.

        Args:
            statement: COSE_Sign1, as ``zkwm_protocols.cose`` makes it.
            wait_seconds: how long witnesses may take.

        Raises:
            UsageError, Malformed: the log does not take the statement.
            CouldNotCheck: the log does not answer, or takes nothing now.
            TwoTreesError: it has shown two trees; the hint names the file of the evidence.
            InvalidLogProof: its proof does not verify, or the policy is not satisfied in time.
            InvalidSignature: a line of a trusted key does not verify.
        """
        answer = self._ask(f"{self._url}/v1/entries", statement, STATEMENT_TYPE)
        if answer.status not in (200, 201):
            raise refused(answer, self._url)
        proof, receipt = _registered(answer)
        until = time.monotonic() + wait_seconds
        while True:
            try:
                return Registration(proof, receipt, self.verify(statement, proof))
            except TwoTreesError:  # no later answer takes it back
                raise
            except InvalidLogProof:
                if time.monotonic() >= until or not self._names(proof):
                    raise
            time.sleep(_POLL_SECONDS)
            answer = self._ask(f"{self._url}/v1/entries", statement, STATEMENT_TYPE)
            if answer.status in (200, 201):
                proof, receipt = _registered(answer)

    def proof(self, digest: bytes, key: str) -> ProofFile:
        """The log's proof of its first entry about a digest (32 bytes) by a key (fingerprint).

        It is not yet verified. Raises CouldNotCheck where the log has none, or does not answer;
        Malformed.
        """
        return self._fetch_proof(f"proof/{digest.hex()}?{urlencode({'key': key})}")

    def proof_of(self, statement: bytes) -> ProofFile:
        """The log's proof of this very statement, not yet verified. Raises as ``proof``."""
        return self._fetch_proof(f"statement/{hashlib.sha256(statement).hexdigest()}")

    def verify(self, statement: bytes, proof: ProofFile) -> Witnessed:
        """Who signed the tree in which a statement stands; its checkpoint is kept and compared.

        Raises InvalidLogProof, InvalidSignature, Malformed or CouldNotCheck as ``register``.
        """
        latest = int(self._clock()) + CLOCK_SECONDS
        witnessed = proof.verify(leaf_hash(statement), self._policy, latest=latest)
        self._compare(proof.checkpoint.to_bytes())
        return witnessed

    def look(self) -> TreeHead:
        """Fetch the log's checkpoint, and compare it with those that were seen.

        Raises InvalidLogProof where the log has shown two trees; CouldNotCheck, InvalidSignature.
        """
        data = self._file(CHECKPOINT, CHECKPOINT_LIMIT)
        return self._compare(data)

    def cosigned(self) -> SignedCheckpoint:
        """The newest tree that log and witnesses of the policy signed; compared, too.

        Raises as ``verify``; CouldNotCheck where the log has none yet.
        """
        path = WITNESSED if self._policy.demands_witnesses else CHECKPOINT
        signed = SignedCheckpoint.from_bytes(self._file(path, CHECKPOINT_LIMIT))
        self._policy.require(signed, latest=int(self._clock()) + CLOCK_SECONDS)
        self._compare(signed.to_bytes())
        return signed

    def listed(self, digest: bytes) -> list[int]:
        """The numbers of all entries about a digest (32 bytes), ascending, by the log's own index.

        Raises CouldNotCheck, Malformed.
        """
        found: list[int] = []
        after = -1
        while True:
            query = urlencode({"digest": digest.hex(), "after": after})
            answer = self._ask(f"{self._url}/v1/entries?{query}")
            if answer.status != 200:
                raise refused(answer, self._url)
            numbers, following = _listed(answer)
            if [*numbers] != sorted({one for one in numbers if one > after}):
                raise Malformed("the log's index is not in the order of its entries")
            found += numbers
            if following is None:
                return found
            if following <= after or len(found) > MOST_LISTED:
                raise Malformed(f"the log's index goes on without end, or beyond {MOST_LISTED:,}")
            after = following

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _ask(
        self,
        url: str,
        body: bytes | None = None,
        media_type: str = "application/octet-stream",
        *,
        limit: int = ANSWER_LIMIT,
    ) -> Answer:
        """The log's answer; one that says when to ask again is waited for, within ``patience``.

        Raises as ``HttpClient.ask``.
        """
        return Patience(self._patience).through(
            lambda: self._client.ask(url, body, media_type, limit=limit)
        )

    def _fetch_proof(self, path: str) -> ProofFile:
        """A proof by the log's path. Raises CouldNotCheck or Malformed."""
        answer = self._ask(f"{self._url}/v1/{path}", limit=FILE_LIMIT)
        if answer.status != 200:
            raise refused(answer, self._url)
        return ProofFile.from_bytes(answer.content)

    def _compare(self, data: bytes) -> TreeHead:
        """Compare a checkpoint with those that were seen."""
        keys = self._keys()
        seen = self._seen
        if seen is None:
            return read_checkpoint(data, keys).checkpoint.head
        return seen.compare(data, keys, self._prove)

    def _keys(self) -> tuple[VerifierKey, ...]:
        """The log's keys. Raises UsageError for a policy with several logs."""
        names = {log.key.name for log in self._policy.logs}
        if len(names) != 1:
            raise UsageError(
                "the policy names more than one log",
                hint="give a policy with the keys of this log alone",
            )
        return tuple(log.key for log in self._policy.logs)

    def _names(self, proof: ProofFile) -> bool:
        """Whether the policy names the log of a proof: else no waiting helps."""
        return any(log.key.name == proof.checkpoint.checkpoint.origin for log in self._policy.logs)

    def _prove(self, old: int, new: int) -> list[bytes]:
        """A consistency proof, made of the log's tiles. Raises CouldNotCheck."""
        return prove_consistency(old, new, TileHashes(new, self.tile))

    def tile(self, tile: Tile) -> bytes:
        """A tile or bundle; of a partial one that is gone, the start of the full one.

        Raises CouldNotCheck, Malformed.
        """
        limit = BUNDLE_LIMIT if tile.level == ENTRIES else 2**13
        try:
            return self._file(tile.path, limit)
        except CouldNotCheck:
            if tile == tile.full:
                raise
        whole = self._file(tile.full.path, limit)
        if tile.level != ENTRIES:
            return whole[: 32 * tile.width]
        return write_bundle(read_bundle(tile.full, whole)[: tile.width])

    def _file(self, path: str, limit: int) -> bytes:
        """A file of the log. Raises CouldNotCheck."""
        answer = self._ask(f"{self._url}/{path}", limit=limit)
        if answer.status != 200:
            raise refused(answer, f"{self._url}/{path}")
        return answer.content


def _registered(answer: Answer) -> tuple[ProofFile, bytes]:
    """Proof and receipt of an acknowledgment. Raises Malformed."""
    try:
        fields = json.loads(answer.content)
        receipt = base64.b64decode(fields["receipt"], validate=True)
        return ProofFile.from_bytes(fields["proof"].encode()), receipt
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise Malformed(
            "the log does not answer as a log of zkwm does", hint="see that the address is right"
        ) from None


def _listed(answer: Answer) -> tuple[list[int], int | None]:
    """Numbers of entries in one page of the index, and after which the next one goes on."""
    try:
        fields = json.loads(answer.content)
        numbers = [require_integer(one["index"], MAXIMUM_SIZE) for one in fields["entries"]]
        after = fields["after"]
        return numbers, None if after is None else require_integer(after, MAXIMUM_SIZE)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, Malformed):
        raise Malformed("the log's index is not that of a log of zkwm") from None
