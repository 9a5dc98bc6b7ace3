"""Files that zkwm keeps for itself, and that somebody else may have touched."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from tests.fuzz.byte_changes import chosen, headed, mixed
from tests.fuzz.cbor_changes import change_cbor
from tests.fuzz.disk import folder, from_disk
from tests.fuzz.harness import DOCUMENT_ERRORS, Kind
from tests.fuzz.protocol_files import documents
from tests.fuzz.text_changes import change_json
from tests.fuzz.trees import INTEGERS, TEXTS
from tests.support.dispute import PASSPHRASE
from tests.support.spec_documents import LIMIT
from tests.support.stored_vectors import cases
from zkwm.evaluation.results.cell import Cell
from zkwm.evaluation.run.cache import Cache
from zkwm.judge.judge import Judge
from zkwm.judge.key_file import JudgeKey, open_judge_key
from zkwm.judge.ledger import JudgeLedger
from zkwm.marketplace import Marketplace
from zkwm.owner.vault import Vault
from zkwm.owner.vault.high_water_mark import (
    FOLDER_VARIABLE,
    KIND,
    HighWaterMark,
    marks_of,
    tag_key,
)
from zkwm.owner.vault.ledger import MAXIMUM_COUNTER
from zkwm.owner.vault.state import VaultState
from zkwm.secret_files import encrypted
from zkwm.secret_files.encrypted import Cost, FileKey
from zkwm.suspects import Answer
from zkwm.transparency_log.tree_key import KeyKind, open_tree_key
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.encoding import decode, encode, pack
from zkwm_protocols.errors import CouldNotCheck, VaultUnusable

_IMAGE = bytes(32)
_CHEAP = Cost(operations=1, memory_kib=8 * 1024)
_NOTE = "Argon2id is replaced by one hash"


@contextmanager
def _fast_keys() -> Iterator[None]:
    """Derive keys by one hash, so that what comes behind the passphrase is read often."""

    def fast(password: bytes, salt: bytes, **_: int) -> bytes:
        return hashlib.sha256(password + salt).digest()

    with patch.object(encrypted, "password_key", fast):
        yield


def _quickly(read: Callable[[Path], object]) -> Callable[[Path], object]:
    def reader(path: Path) -> object:
        with _fast_keys():
            return read(path)

    return reader


def secret_kinds() -> list[Kind]:
    """Vault and key file, whole, with contents that were changed and sealed again."""

    @functools.cache
    def key() -> FileKey:
        with _fast_keys():
            return FileKey(PASSPHRASE, _CHEAP, bytes(16))

    def sealed(kind: str) -> Callable[[Random], bytes]:
        def made(random: Random) -> bytes:
            value = documents()[kind].data
            if random.random() < 0.7:
                value = change_cbor(value, random)
            with patch.object(encrypted, "encode_large", lambda _: value):
                return key().seal(kind, None)

        return made

    def mostly_sealed(kind: str) -> Callable[[Random], bytes]:
        made, changed = sealed(kind), mixed(sealed(kind), headed(change_cbor))
        return lambda random: made(random) if random.random() < 0.7 else changed(random)

    errors = (*DOCUMENT_ERRORS, VaultUnusable)
    return [
        Kind("vault file", mostly_sealed("vault"),
             from_disk("owner.vault", _quickly(lambda path: Vault.open(path, PASSPHRASE).state)),
             errors, note=_NOTE),
        Kind("judge's key file", mostly_sealed("judge-key"),
             from_disk("judge.key", _quickly(lambda path: open_judge_key(path, PASSPHRASE))),
             errors, note=_NOTE),
        Kind("log's key file", mostly_sealed("log-key"),
             from_disk("log.key",
                       _quickly(lambda path: open_tree_key(path, KeyKind.LOG, PASSPHRASE))),
             errors, note=_NOTE),
    ]  # fmt: skip


def mark_kind() -> Kind:
    """The high-water mark of a vault, also with contents that the vault itself could have made."""
    state = VaultState.from_map(decode(documents()["vault"].data, limit=LIMIT))
    state = replace(state, ledger=[state.ledger[0], *state.older_copies()[:1]])  # short is quick
    key, marks = tag_key(state), list(marks_of(state))
    place = folder() / "state"
    place.mkdir(exist_ok=True)
    with patch.dict(os.environ, {FOLDER_VARIABLE: str(place)}):
        mark = HighWaterMark(folder() / "owner.vault", state)
    assert mark.path is not None

    def make(random: Random) -> bytes:
        made = marks[-1] if random.random() < 0.4 else random.choice(marks)
        if random.random() < 0.6:
            return made.to_bytes(key)
        counter = random.choice([0, 7, made.counter, MAXIMUM_COUNTER - 2, MAXIMUM_COUNTER + 1, -1])
        fields = {"counter": counter, "digest": random.choice([made.digest, bytes(32), b""])}
        return pack(KIND, {**fields, "tag": hmac.digest(key, encode(fields), "sha256")})

    def read(_: Path) -> object:
        try:
            told = mark.require_newest(state)
        except VaultUnusable:  # the owner overrules it, and it then stands for the longer ledger
            longer = replace(state, ledger=[*state.ledger, mark.accept(state, 1)])
            assert mark.lift(longer) == mark.require_newest(longer) == ""
            raise
        assert told == ""
        return told

    return Kind("vault's mark", mixed(make, headed(change_cbor)),
                from_disk(f"state/{mark.path.name}", read), (VaultUnusable,))  # fmt: skip


def ledger_kind() -> Kind:
    """The SQLite file beside a judge's key."""
    stored: Any = Challenge.from_bytes(cases()[0].challenge)
    challenge = replace(stored, suspect_classes=None, test_accuracy=None)  # short is quick
    path = folder() / "new.ledger"
    ledger = JudgeLedger(path)
    ledger.record_challenge(challenge)
    ledger.count_function(challenge)
    ledger.count_asking(challenge)
    ledger.keep_answers(challenge, {_IMAGE: Answer(1)})
    ledger.record_opening(challenge, [0, 2])
    ledger.record_verdict(challenge.digest, bytes(32), "proven")
    good = path.read_bytes()

    def change(data: bytes, random: Random) -> bytes:
        """A value of another type or range, or another table."""
        changed = folder() / "changed.ledger"
        changed.write_bytes(data)
        with closing(sqlite3.connect(changed)) as database, database:
            tables = dict(
                database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
            )
            table = random.choice(sorted(tables))
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            new = random.choice([*INTEGERS[:28], *TEXTS, None, b"", bytes(31), 1.5, -1])
            way = random.randrange(6)
            if way == 0:
                database.execute(f"DROP TABLE {table}")
            elif way == 1:
                database.execute(f"PRAGMA user_version = {random.choice([0, 1, -1])}")
            elif way == 2:
                database.execute(f"ALTER TABLE {table} DROP COLUMN {columns[-1]}")
            else:
                column = random.choice(columns)
                database.execute(f"UPDATE OR REPLACE {table} SET {column} = ?", (new,))
        return changed.read_bytes()

    def safe(data: bytes, random: Random) -> bytes:
        try:
            return change(data, random)
        except sqlite3.Error:
            return data

    def read(path: Path) -> object:
        found = JudgeLedger(path)
        return (
            found.next_number(challenge),
            found.first_answers(challenge, [_IMAGE]),
            found.askings(challenge),
            found.opened_blocks(challenge.commitment),
            found.opened_blocks(challenge.commitment, challenge.suspect),
            found.verdicts(challenge.digest),
            found.first_seen(challenge),
            found.count_function(challenge),
            found.count_asking(challenge),
        )

    return Kind("judge's ledger", mixed(chosen([good]), safe), from_disk("judge.ledger", read),
                (CouldNotCheck,))  # fmt: skip


def json_kinds() -> list[Kind]:
    """Kept verdicts and results."""
    verdict = json.dumps(
        {
            "commitment": "00",
            "outcome": "proven",
            "blocks": [0],
            "checks": [{"id": "opening.leaves", "status": "passed", "title": "", "detail": ""}],
        }
    ).encode()
    cell = json.dumps(
        {
            "digest": "00",
            "watermark": "Adi",
            "scheme": "adi",
            "parameters": {},
            "attack": "none",
            "attack_name": "none",
            "attack_parameters": {"share": 0.5},
            "seed": 0,
            "architecture": "lenet5",
            "attacker_images": 100,
            "accuracy_before": 0.9,
            "error": "",
        }
    ).encode()
    market = folder() / "market"
    kept = Marketplace(market, Judge(JudgeKey.generate()))
    cache = Cache(folder() / "grid")

    def read_verdicts(path: Path) -> object:
        document = path.read_bytes().decode("utf-8", "replace")
        with closing(sqlite3.connect(market / "marketplace.sqlite")) as database, database:
            database.execute(
                "INSERT OR REPLACE INTO verdicts (challenge, outcome, progress, checked, document, "
                "file, digest, report, report_public) VALUES (?, 'proven', 2, 0, ?, '', ?, '', '')",
                (bytes(32), document, bytes(32)),
            )
        return kept.verdicts()

    def read_cell(path: Path) -> object:
        where = folder() / "grid" / "cache" / "00" / f"{'0' * 64}.json"
        where.parent.mkdir(parents=True, exist_ok=True)
        path.replace(where)
        found = cache.result("0" * 64)
        return None if found is None else Cell.from_map(found)

    return [
        Kind("kept verdict", mixed(chosen([verdict]), change_json),
             from_disk("verdict.json", read_verdicts)),
        Kind("cached result of a grid", mixed(chosen([cell]), change_json),
             from_disk("cell.json", read_cell)),
    ]  # fmt: skip


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [*secret_kinds(), mark_kind(), ledger_kind(), *json_kinds()]
