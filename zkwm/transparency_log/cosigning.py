"""A log asks witnesses to cosign its tree, each within a deadline (SPEC.md 25.5).

It runs beside the writer and shows witnesses no tree that is not durable. A tree with as many
cosignatures as the policy asks for is kept beside the checkpoint, for proofs that a judge accepts.
A witness that claims another tree of the log signs nothing that proves it: a start refuses, and a
running log goes on only while the other witnesses are a quorum.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from zkwm.files import write_atomic
from zkwm.transparency_log.database import HeadRow
from zkwm.transparency_log.http_client import HttpClient
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.tile_folder import WITNESSED
from zkwm_protocols.errors import CouldNotCheck, Malformed
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint, verify_line
from zkwm_protocols.transparency.note import NoteSignature
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.tiles import TileHashes
from zkwm_protocols.transparency.tree import prove_consistency
from zkwm_protocols.transparency.witness import AddCheckpoint, read_answer, read_size

INTERVAL_SECONDS = 1.0
"""How often a new tree is shown to the witnesses."""
WITNESS_SECONDS = 5.0
"""How long a witness may take for an answer."""
PAUSE_SECONDS = 30.0
"""How long a witness that did not answer is left alone."""
_ANSWER_LIMIT = 2**16
CLOCK_SECONDS = 300
"""How far a witness's clock may be ahead."""
AGAIN_SECONDS = 1.0
"""After which a witness that claims a larger tree is asked once more: the writer may be about to
make the tree known here that everybody can read already.
"""
_MOST_ASKED = 3
"""Requests to one witness for one tree: it may have seen another tree than this log believes."""
_LOGGER = logging.getLogger(__name__)


@dataclass
class _Asked:
    """A witness: its address, names in the policy and keys, the size that it cosigned last, until
    when (monotonic) it is left alone, and its claim of another tree, empty without one.
    """

    url: str
    names: list[str]
    keys: list[VerifierKey]
    size: int = 0
    pause_until: float = 0.0
    claim: str = ""


class Cosigner:
    """Collects the cosignatures for a log. Without witnesses it does nothing.

    Args:
        log: whose trees are shown.
        policy: which witnesses there are, and how many have to cosign; None for none.
    """

    def __init__(self, log: Log, policy: LogPolicy | None) -> None:
        self._log = log
        self._policy = policy
        self._asked = _by_address(policy) if policy else []
        self._client = HttpClient(WITNESS_SECONDS)
        self._witnessed = self._kept()
        self._ended = threading.Event()

    @property
    def witnessed(self) -> HeadRow | None:
        """The largest tree with the cosignatures that the policy asks for; None without one."""
        return self._witnessed

    def require_newest(self) -> None:
        """Show the tree to all witnesses once, before anything is written.

        Raises CouldNotCheck where one claims a larger tree, or another: folder and database of the
        log are old copies. A witness that does not answer is no reason to stop.
        """
        self.collect()
        for claim in (one.claim for one in self._asked if one.claim):
            raise CouldNotCheck(
                claim,
                hint="this folder and its database are old copies: restore the newest ones; what "
                "the log has signed since would be signed another time. If the witness is wrong, "
                "take it out of the log's policy",
            )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Collect in a thread of its own until the block ends."""
        if not self._asked:
            yield
            return
        thread = threading.Thread(target=self._run, name="log-cosigner", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            self._client.close()

    def collect(self) -> HeadRow | None:
        """Show the tree of now to all witnesses; return it with cosignatures, if they are enough.

        While those that claim no other tree are no quorum, the log is held.
        """
        row = self._log.row
        now = time.monotonic()
        chosen = [one for one in self._asked if one.pause_until <= now]
        if self._policy is None or not chosen:
            return None
        signed = SignedCheckpoint.from_bytes(row.checkpoint)
        with ThreadPoolExecutor(len(chosen), "log-witness") as threads:
            answers = list(threads.map(lambda one: self._cosignatures(one, row, signed), chosen))
        self._log.hold(self._objection(self._policy))
        cosigned = signed.with_signatures(line for lines in answers for line in lines)
        if not self._suffices(cosigned):
            return None
        found = HeadRow(row.size, row.root, cosigned.to_bytes())
        write_atomic(self._log.files.folder / WITNESSED, found.checkpoint, overwrite=True)
        self._witnessed = found
        return found

    def _run(self) -> None:
        """The loop of the thread."""
        shown = -1
        while not self._ended.wait(INTERVAL_SECONDS):
            if self._log.row.size == shown and not self._claims_are_due():
                continue
            try:
                found = self.collect()
            except CouldNotCheck:  # the disk: the writer will find out
                continue
            if found is not None:
                shown = found.size

    def _cosignatures(
        self, asked: _Asked, row: HeadRow, signed: SignedCheckpoint
    ) -> Sequence[NoteSignature]:
        """The verified cosignatures of one witness; none where it does not give any."""
        doubted = False
        for _ in range(_MOST_ASKED):
            answer = self._ask(asked, row, signed)
            if answer is None:
                break
            if not isinstance(answer, int):
                asked.size, asked.claim = row.size, ""
                return answer
            if row.size < answer <= self._log.row.size:  # somebody showed it the newer tree first
                asked.size = answer
                return ()
            if answer > row.size and not doubted:
                doubted = True
                self._ended.wait(AGAIN_SECONDS)
            elif answer > row.size or answer == asked.size:
                _note_claim(asked, answer, row.size)
                break
            else:
                asked.size = answer
        asked.pause_until = time.monotonic() + PAUSE_SECONDS
        return ()

    def _ask(
        self, asked: _Asked, row: HeadRow, signed: SignedCheckpoint
    ) -> list[NoteSignature] | int | None:
        """One request: cosignatures, or the size that the witness says it cosigned, or no answer.

        A proof that does not convince it counts as the size that was asked from.
        """
        hashes = TileHashes(row.size, self._log.files.read)
        proof = prove_consistency(asked.size, row.size, hashes) if asked.size else []
        body = AddCheckpoint(asked.size, tuple(proof), signed).to_bytes()
        try:
            answer = self._client.ask(f"{asked.url}/add-checkpoint", body, limit=_ANSWER_LIMIT)
            if answer.status == 200:
                lines = read_answer(answer.content, signed.checkpoint, asked.keys)
                return _usable(lines, signed, asked.keys)
            if answer.status == 409:
                return read_size(answer.content)
        except CouldNotCheck:
            return None
        return asked.size if answer.status == 422 else None

    def _objection(self, policy: LogPolicy) -> str:
        """Why the log must be held: a claim, where the witnesses without one are no quorum."""
        claims = [one.claim for one in self._asked if one.claim]
        others = [name for one in self._asked if not one.claim for name in one.names]
        return claims[0] if claims and not policy.reached_by(others) else ""

    def _claims_are_due(self) -> bool:
        """Whether a witness that claims another tree is to be asked again."""
        now = time.monotonic()
        return any(one.claim and one.pause_until <= now for one in self._asked)

    def _suffices(self, cosigned: SignedCheckpoint) -> bool:
        """Whether the policy accepts this tree."""
        if self._policy is None:
            return False
        try:
            self._policy.require(cosigned, latest=int(time.time()) + CLOCK_SECONDS)
        except CouldNotCheck:
            return False
        return True

    def _kept(self) -> HeadRow | None:
        """The tree with cosignatures that an earlier run has kept, if the policy accepts it."""
        data = self._log.files.checkpoint(WITNESSED)
        if data is None:
            return None
        try:
            signed = SignedCheckpoint.from_bytes(data)
        except Malformed:
            return None
        head = signed.checkpoint.head
        if head.size > self._log.row.size or not self._suffices(signed):
            return None
        return HeadRow(head.size, head.root, data)


def _note_claim(asked: _Asked, size: int, own: int) -> None:
    """A witness claims a tree that the log's own does not contain: tell the operator once."""
    claim = (
        f"the witness {asked.keys[0].name} has cosigned a tree of this log of size {size:,} that "
        f"the tree of size {own:,} here does not begin with"
    )
    if not asked.claim:
        _LOGGER.warning(
            "%s, it says. If it is right, folder and database are old copies, or another process "
            "signs with this log's key: end the log. If it is wrong, ask its operator",
            claim,
        )
    asked.claim = claim


def _usable(
    lines: Sequence[NoteSignature], signed: SignedCheckpoint, keys: Sequence[VerifierKey]
) -> list[NoteSignature]:
    """One line of each key of a witness, and none of the future.

    No witness spoils what the others give: a note has a limit, and is refused with a line of the
    future in it.
    """
    latest = int(time.time()) + CLOCK_SECONDS
    known = {(key.name, key.key_id): key for key in keys}
    chosen: dict[tuple[str, bytes], NoteSignature] = {}
    for line in lines:
        name = (line.name, line.key_id)
        said = verify_line(signed.checkpoint, known[name], line)
        if said is not None and said <= latest:
            chosen.setdefault(name, line)
    return list(chosen.values())


def _by_address(policy: LogPolicy) -> list[_Asked]:
    """The witnesses that can be asked; one that has two keys is asked once."""
    found: dict[str, _Asked] = {}
    for witness in policy.witnesses:
        if witness.url:
            url = witness.url.rstrip("/")
            one = found.setdefault(url, _Asked(url, [], []))
            one.names.append(witness.name)
            one.keys.append(witness.key)
    return list(found.values())
