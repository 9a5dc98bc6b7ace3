"""The judge's ledger: what one judge asked, and what they learned, over all cases (SPEC.md 8.3).

Evidence is only worth what it says if the judge counts every function that was tried on a
commitment, keeps the first answer of a suspect, and knows which blocks were opened to them. So all
of it stands in one SQLite file beside the judge's key, for command line and API alike, or in the
database of a marketplace (``JudgeLedger.over``). Several processes may use it: each step is one
transaction, and all that counts on one commitment are one after the other. It holds digests,
answers and times, neither images nor keys.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from zkwm.judge.ledger_file import LedgerFile
from zkwm.judge.ledger_tables import LedgerStorage, Transaction, floats, text, whole
from zkwm.judge.results import FirstSeen
from zkwm.secret_files.storage import resolve
from zkwm.suspects import Answer
from zkwm_protocols.challenge import ArgumentChallenge, Challenge
from zkwm_protocols.encoding import encode
from zkwm_protocols.suspect_identity import SuspectIdentity, SuspectKind


class JudgeLedger:
    """A ledger in a file, or, without a path, in memory for as long as the object lives.

    ``JudgeLedger.over`` keeps it in another database. Raises CouldNotCheck where the file cannot be
    used, or is none of this version; so does every method.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._storage: LedgerStorage = LedgerFile(None if path is None else Path(path))

    @classmethod
    def beside(cls, key: str | Path) -> JudgeLedger:
        """The ledger beside a judge's key file, ``<key>.ledger``."""
        return cls(f"{resolve(key)}.ledger")

    @classmethod
    def over(cls, storage: LedgerStorage) -> JudgeLedger:
        """The ledger in a database that has its tables."""
        ledger = cls.__new__(cls)
        ledger._storage = storage
        return ledger

    @property
    def path(self) -> Path | None:
        """The file, or None for a ledger in memory."""
        return self._storage.path

    def hand_over(self, identity: bytes, label: str, take: Callable[[Transaction], None]) -> None:
        """Give a lone judge's file to another database for good (``LedgerFile.hand_over``).

        A ledger in memory, and one that lies in another database already, stay as they are.
        """
        if isinstance(self._storage, LedgerFile) and self._storage.path is not None:
            self._storage.hand_over(identity, label, take)

    def next_number(self, challenge: Challenge) -> int:
        """The place of the challenge's function among those tried, as far as is known now.

        That is its number where it was answered before, else the number that it would get.
        """
        with self._storage.transaction() as database:
            return _number(database, challenge, 0)

    def record_challenge(self, challenge: Challenge) -> None:
        """Keep a challenge that was issued; it counts once it is answered."""
        with self._storage.transaction(challenge.commitment) as database:
            database.execute(
                "INSERT INTO ledger_challenges (digest, commitment, function, suspect, issued) "
                "VALUES (:digest, :commitment, :function, :suspect, :issued) "
                "ON CONFLICT DO NOTHING",
                {
                    "digest": challenge.digest,
                    "commitment": challenge.commitment,
                    "function": function_digest(challenge),
                    "suspect": suspect_digest(challenge.suspect),
                    "issued": challenge.issued,
                },
            )
            _see(database, challenge)

    def count_function(self, challenge: Challenge, repetition: int = 0) -> int:
        """Count the function of a challenge that was answered; return its number j.

        A function keeps its number: counting it again changes nothing. Numbers ascend in the order
        of the first answers, and never stand below what the challenge says.

        Args:
            challenge: signed by this judge, and answered with a valid signature.
            repetition: how often before the suspect was asked for other answers to it, where that
                makes another function (SPEC.md 8.4).
        """
        with self._storage.transaction(challenge.commitment) as database:
            number = _number(database, challenge, repetition)
            number = max(number, challenge.policy.functions_tried)
            function = function_digest(challenge, repetition)
            database.execute(
                "INSERT INTO ledger_functions (commitment, function, number) "
                "VALUES (:commitment, :function, :number) ON CONFLICT DO NOTHING",
                {"commitment": challenge.commitment, "function": function, "number": number},
            )
            _see(database, challenge)
            return number

    def first_answers(
        self, challenge: Challenge, images: Sequence[bytes], relearned: bytes = b""
    ) -> dict[bytes, Answer]:
        """The answers that are kept for images (their SHA-256), by image.

        ``relearned`` is the digest of all that was trained on, the class map included, where
        answers are those of relearning.
        """
        question, kept = question_digest(challenge, relearned), {}
        with self._storage.transaction() as database:
            for image in images:
                row = database.execute(
                    "SELECT output, scores FROM ledger_answers "
                    "WHERE question = :question AND image = :image",
                    {"question": question, "image": image},
                ).fetchone()
                if row is not None:
                    kept[image] = Answer(whole(row[0]), scores=floats(row[1]))
        return kept

    def keep_answers(
        self, challenge: Challenge, answers: Mapping[bytes, Answer], relearned: bytes = b""
    ) -> None:
        """Keep answers by the image's SHA-256; the first one stands, and a problem is none."""
        question = question_digest(challenge, relearned)
        rows = [
            {
                "question": question,
                "image": image,
                "output": answer.output,
                "scores": None
                if answer.scores is None
                else answer.scores.astype(np.float64).tobytes(),
            }
            for image, answer in answers.items()
            if answer.output is not None
        ]
        with self._storage.transaction(question) as database:
            database.executemany(
                "INSERT INTO ledger_answers (question, image, output, scores) "
                "VALUES (:question, :image, :output, :scores) ON CONFLICT DO NOTHING",
                rows,
            )

    def askings(self, challenge: Challenge) -> int:
        """How often the suspect was asked anything for this challenge."""
        with self._storage.transaction() as database:
            return _askings(database, challenge.digest)

    def count_asking(self, challenge: Challenge) -> int:
        """Count that the suspect is about to be asked; return how often it was before."""
        with self._storage.transaction(challenge.digest) as database:
            before = _askings(database, challenge.digest)
            database.execute(
                "INSERT INTO ledger_askings (challenge, count) VALUES (:challenge, :count) "
                "ON CONFLICT (challenge) DO UPDATE SET count = excluded.count",
                {"challenge": challenge.digest, "count": before + 1},
            )
            return before

    def record_opening(self, challenge: Challenge, blocks: Sequence[int]) -> None:
        """Keep that these blocks were opened to this judge, about this suspect."""
        suspect, now = suspect_digest(challenge.suspect), _now()
        with self._storage.transaction(challenge.commitment) as database:
            database.executemany(
                "INSERT INTO ledger_openings (commitment, suspect, block, first) "
                "VALUES (:commitment, :suspect, :block, :first) ON CONFLICT DO NOTHING",
                [
                    {
                        "commitment": challenge.commitment,
                        "suspect": suspect,
                        "block": block,
                        "first": now,
                    }
                    for block in blocks
                ],
            )

    def opened_blocks(
        self, commitment: bytes, suspect: SuspectIdentity | None = None
    ) -> tuple[int, ...]:
        """The blocks of commitment D that were opened to this judge, about this suspect or any."""
        statement = "SELECT DISTINCT block FROM ledger_openings WHERE commitment = :commitment"
        values = {"commitment": commitment}
        if suspect is not None:
            statement += " AND suspect = :suspect"
            values["suspect"] = suspect_digest(suspect)
        with self._storage.transaction() as database:
            rows = database.execute(f"{statement} ORDER BY block", values).fetchall()
            return tuple(whole(row[0]) for row in rows)

    def record_verdict(self, challenge: bytes, proof: bytes, outcome: str) -> None:
        """Keep the outcome of a proof (its SHA-256) that answers a challenge (its digest)."""
        with self._storage.transaction(challenge) as database:
            database.execute(
                "INSERT INTO ledger_verdicts (challenge, number, proof, outcome, checked) "
                "SELECT :challenge, COALESCE(MAX(number), 0) + 1, :proof, :outcome, :checked "
                "FROM ledger_verdicts WHERE challenge = :challenge",
                {"challenge": challenge, "proof": proof, "outcome": outcome, "checked": _now()},
            )

    def verdicts(self, challenge: bytes) -> tuple[str, ...]:
        """The outcomes of the verifications of a challenge, in order."""
        with self._storage.transaction() as database:
            rows = database.execute(
                "SELECT outcome FROM ledger_verdicts WHERE challenge = :challenge ORDER BY number",
                {"challenge": challenge},
            ).fetchall()
            return tuple(text(row[0]) for row in rows)

    def see_commitment(self, commitment: bytes) -> None:
        """Keep when a commitment D was first seen."""
        with self._storage.transaction(commitment) as database:
            _see_digest(database, commitment)

    def see_suspect(self, suspect: SuspectIdentity) -> None:
        """Keep when a suspect was first seen, for example when it was offered."""
        digest = suspect_digest(suspect)
        with self._storage.transaction(digest) as database:
            _see_digest(database, digest)

    def first_seen(self, challenge: Challenge) -> FirstSeen:
        """When commitment and suspect of a challenge were first seen; now, where they were not."""
        names = challenge.commitment, suspect_digest(challenge.suspect)
        with self._storage.transaction(challenge.commitment) as database:
            _see(database, challenge)
            rows = [
                database.execute(
                    "SELECT first FROM ledger_sights WHERE digest = :digest", {"digest": name}
                ).fetchone()
                for name in names
            ]
            return FirstSeen(*(whole(row and row[0]) for row in rows))


def function_digest(challenge: Challenge, repetition: int = 0) -> bytes:
    """The digest of what answers a challenge asks about, 32 bytes: its function (SPEC.md 8.2).

    Suspect, preprocessing, class map, statistic, and an argument's integer network, which is
    another function than the file. An address pins no model, and the probes of a mark follow from
    the nonce: there each challenge has a function of its own.
    """
    network = challenge.network if isinstance(challenge, ArgumentChallenge) else None
    described = {
        "suspect": _pinned(challenge.suspect),
        "preprocessing": challenge.preprocessing.to_map(),
        "class_map": list(challenge.class_map),
        "statistic": challenge.statistic,
        "mode": challenge.mode,
        "network": network,
        "nonce": _varying(challenge),
        "repetition": repetition,
    }
    return hashlib.sha256(encode(described)).digest()


def question_digest(challenge: Challenge, relearned: bytes = b"") -> bytes:
    """The digest of all that an answer depends on apart from the image, 32 bytes."""
    described: dict[str, object] = {
        "suspect": _pinned(challenge.suspect),
        "preprocessing": challenge.preprocessing.to_map(),
        "nonce": _varying(challenge),
    }
    if relearned:
        described["relearned"] = relearned
    return hashlib.sha256(encode(described)).digest()


def suspect_digest(suspect: SuspectIdentity) -> bytes:
    """The digest of a suspect's kind and digest, 32 bytes: the same file, or the same address."""
    return hashlib.sha256(encode([suspect.kind, suspect.digest])).digest()


def _pinned(suspect: SuspectIdentity) -> dict[str, object]:
    """All fields of an identity but the description, which is for people."""
    return {name: value for name, value in suspect.to_map().items() if name != "description"}


def _varying(challenge: Challenge) -> bytes:
    """The nonce, where suspect and preprocessing do not fix the function."""
    varying = challenge.suspect.kind in (SuspectKind.HTTP, SuspectKind.EXTRACTION)
    return challenge.nonce if varying else b""


def _number(database: Transaction, challenge: Challenge, repetition: int) -> int:
    """The number of a function that was counted, else the next one."""
    function = function_digest(challenge, repetition)
    row = database.execute(
        "SELECT number FROM ledger_functions "
        "WHERE commitment = :commitment AND function = :function",
        {"commitment": challenge.commitment, "function": function},
    ).fetchone()
    if row is None:
        row = database.execute(
            "SELECT COALESCE(MAX(number), 0) + 1 FROM ledger_functions "
            "WHERE commitment = :commitment",
            {"commitment": challenge.commitment},
        ).fetchone()
    return whole(row and row[0])


def _askings(database: Transaction, challenge: bytes) -> int:
    """How often the suspect was asked for the challenge with this digest."""
    row = database.execute(
        "SELECT count FROM ledger_askings WHERE challenge = :challenge", {"challenge": challenge}
    ).fetchone()
    return 0 if row is None else whole(row[0])


def _see(database: Transaction, challenge: Challenge) -> None:
    """Keep when commitment and suspect were first seen."""
    for digest in (challenge.commitment, suspect_digest(challenge.suspect)):
        _see_digest(database, digest)


def _see_digest(database: Transaction, digest: bytes) -> None:
    """Keep when a commitment or suspect was first seen."""
    database.execute(
        "INSERT INTO ledger_sights (digest, first) VALUES (:digest, :first) ON CONFLICT DO NOTHING",
        {"digest": digest, "first": _now()},
    )


def _now() -> int:
    """The judge's clock, in seconds since 1970."""
    return int(time.time())
