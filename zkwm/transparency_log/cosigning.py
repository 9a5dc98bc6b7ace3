"""A log asks witnesses to cosign its tree, each within a deadline (SPEC.md 25.5).

It runs beside the writer and shows witnesses no tree that is not durable. A tree with as many
cosignatures as the policy asks for is kept beside the checkpoint, for proofs that a judge accepts.
After a start no entries are taken until a quorum has cosigned the tree that was found: an old copy
of folder and database gets none. A witness that claims another tree of the log signs nothing that
proves it: a start refuses, and a running log goes on only while the other witnesses are a quorum.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from zkwm.files import write_atomic
from zkwm.transparency_log.asked_witnesses import AskedWitness, by_address, fitting
from zkwm.transparency_log.entries import HeadRow
from zkwm.transparency_log.http_client import HttpClient
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.tile_folder import WITNESSED
from zkwm.transparency_log.tree_key import CLOCK_SECONDS
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.note import NoteSignature
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
SOON_SECONDS = 2.0
"""The same before a quorum has cosigned the tree of the start."""
_ANSWER_LIMIT = 2**16
AGAIN_SECONDS = 1.0
"""After which a witness that claims a larger tree is asked once more: the writer may be about to
make the tree known here that everybody can read already.
"""
_MOST_ASKED = 3
"""Requests to one witness for one tree: it may have seen another tree than this log believes."""
_UNSEEN = "its witnesses have not cosigned the tree that it started with"
_OLD_COPY = (
    "this folder and its database are old copies: restore the newest ones; what the log has signed "
    "since would be signed another time. If the witness is wrong, take it out of the log's policy"
)
_LOGGER = logging.getLogger(__name__)


class Cosigner:
    """Collects the cosignatures for a log. Without witnesses it does nothing.

    With a quorum in its policy the log is held from here on, until that quorum has cosigned the
    tree that it started with.

    Args:
        log: whose trees are shown.
        policy: which witnesses there are, and how many have to cosign; None for none.
        without_witnesses: a person has said that folder and database are the newest, so that
            entries are taken before witnesses have cosigned.
    """

    def __init__(
        self, log: Log, policy: LogPolicy | None, *, without_witnesses: bool = False
    ) -> None:
        self._log = log
        self._policy = policy
        self._asked = by_address(policy) if policy else []
        self._client = HttpClient(WITNESS_SECONDS)
        self._witnessed = self._kept()
        self._ended = threading.Event()
        self._confirmed = policy is None or policy.reached_by(())
        self._consented = without_witnesses
        if policy is not None:
            log.hold(self._objection(policy))

    @property
    def witnessed(self) -> HeadRow | None:
        """The largest tree with the cosignatures that the policy asks for; None without one."""
        return self._witnessed

    def require_newest(self) -> None:
        """Show the tree to all witnesses once, before anything is signed.

        The log stays held while those who answer are no quorum.

        Raises CouldNotCheck where one claims a larger tree, or another: folder and database of the
        log are old copies. UsageError where the policy gives too few witnesses an address.
        """
        if self._policy is None:
            return
        names = [name for one in self._asked for name in one.keys]
        if not self._policy.reached_by(names) and not self._consented:
            raise UsageError(
                "the log's policy gives an address to too few witnesses: its quorum cannot be had",
                hint="write the address of each witness at the end of its line, or change the "
                "line 'quorum'",
            )
        self.collect()
        for claim in (one.claim for one in self._asked if one.claim):
            raise CouldNotCheck(claim, hint=_OLD_COPY)
        if self._confirmed:
            return
        if self._consented:
            _LOGGER.warning(
                "no quorum of witnesses has cosigned the tree of size %s; entries are taken all "
                "the same, since a person has said that folder and database are the newest",
                f"{self._log.row.size:,}",
            )
        else:
            _LOGGER.warning(
                "no quorum of witnesses has cosigned the tree of size %s; entries are taken as "
                "soon as it has. Without an answer: %s",
                f"{self._log.row.size:,}",
                ", ".join(one.url for one in self._asked if one.pause_until) or "none",
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

        While those that claim no other tree are no quorum, the log is held. Before a quorum has
        cosigned the tree of the start, one claim stops it.
        """
        row = self._log.row
        now = time.monotonic()
        chosen = [one for one in self._asked if one.pause_until <= now]
        if self._policy is None or not chosen:
            return None
        signed = SignedCheckpoint.from_bytes(row.checkpoint)
        with ThreadPoolExecutor(len(chosen), "log-witness") as threads:
            answers = list(threads.map(lambda one: self._cosignatures(one, row, signed), chosen))
        lines = {name: line for found in answers for name, line in found.items()}
        cosigned = signed.with_signatures(fitting(self._policy, lines, signed))
        sufficient = self._suffices(cosigned)
        claim = next((one.claim for one in self._asked if one.claim), "")
        if claim and not self._confirmed:
            self._log.stop(f"{claim}; {_OLD_COPY}")
        self._confirmed = self._confirmed or (sufficient and not claim)
        self._log.hold(self._objection(self._policy))
        if not sufficient:
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
        self, asked: AskedWitness, row: HeadRow, signed: SignedCheckpoint
    ) -> dict[str, NoteSignature]:
        """The verified cosignatures of one witness; none where it does not give any."""
        doubted = False
        for _ in range(_MOST_ASKED):
            answer = self._ask(asked, row, signed)
            if answer is None:
                break
            if not isinstance(answer, int):
                asked.size, asked.claim = row.size, ""
                if answer:
                    asked.pause_until = 0.0
                    return answer
                break
            if row.size < answer <= self._log.row.size:  # somebody showed it the newer tree first
                asked.size = answer
                return {}
            if answer > row.size and not doubted:
                doubted = True
                self._ended.wait(AGAIN_SECONDS)
            elif answer > row.size or answer == asked.size:
                asked.note_claim(answer, row.size)
                break
            else:
                asked.size = answer
        pause = PAUSE_SECONDS if self._confirmed else SOON_SECONDS
        asked.pause_until = time.monotonic() + pause
        return {}

    def _ask(
        self, asked: AskedWitness, row: HeadRow, signed: SignedCheckpoint
    ) -> dict[str, NoteSignature] | int | None:
        """One request: cosignatures, or the size that the witness says it cosigned, or no answer.

        A proof that does not convince it counts as the size that was asked from.
        """
        hashes = TileHashes(row.size, self._log.files.read)
        proof = prove_consistency(asked.size, row.size, hashes) if asked.size else []
        body = AddCheckpoint(asked.size, tuple(proof), signed).to_bytes()
        try:
            answer = self._client.ask(f"{asked.url}/add-checkpoint", body, limit=_ANSWER_LIMIT)
            if answer.status == 200:
                keys = list(asked.keys.values())
                return asked.usable(read_answer(answer.content, signed.checkpoint, keys), signed)
            if answer.status == 409:
                return read_size(answer.content)
        except CouldNotCheck:
            return None
        return asked.size if answer.status == 422 else None

    def _objection(self, policy: LogPolicy) -> str:
        """Why the log must be held: no quorum has cosigned its start, or cannot any more.

        That is so where the witnesses that claim no other tree are none.
        """
        if not self._confirmed and not self._consented:
            return _UNSEEN
        claims = [one.claim for one in self._asked if one.claim]
        others = [name for one in self._asked if not one.claim for name in one.keys]
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
