"""What one more entry, witness, commitment or listing costs: the unit costs of docs/scale.md.

Two parts, one JSON line each, SQLite on this machine's disk:

``scale_log``          bytes of a log's files and index for an entry; processor time of the writer
                       and of a witness, and bytes to a witness, for a tree.
``scale_marketplace``  bytes of the database for a commitment and for a case; time of screening one
                       listing among many commitments of its shape.

    python benchmarks/scale.py
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

import marketplace
import measure
import registry
from sqlalchemy import insert, select

import zkwm
from zkwm.judge.key_file import JudgeKey
from zkwm.marketplace.registrations import SIGHTS
from zkwm.registry_database.tables import COMMITMENTS
from zkwm.transparency_log.disk import Disk
from zkwm.transparency_log.entries import Entry
from zkwm.transparency_log.log_folder import LogFolder
from zkwm.transparency_log.recovery import open_log
from zkwm.transparency_log.tree_key import KeyKind, TreeKey
from zkwm.transparency_log.witness import Witness
from zkwm.transparency_log.witness_state import WitnessState
from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.cose.statement import sign_statement
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.tiles import TileHashes
from zkwm_protocols.transparency.tree import prove_consistency
from zkwm_protocols.transparency.witness import AddCheckpoint, Status

ENTRIES = 102_400
BATCH = 100
COMMITMENTS_OF_A_SHAPE = 20_000
KIND = "application/vnd.zkwm.commitment"


def size_of(folder: Path) -> int:
    """Bytes of all files under a folder, as their lengths say."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class NotFlushed(Disk):
    """A disk that is not asked to keep anything: sizes are measured here, not its speed."""

    def flush(self, path: Path) -> None:
        """Nothing."""


def measure_log(place: Path) -> None:
    """A log of real statements, and one witness that is shown a tree after every batch."""
    folder = place / "log"
    registry.begin(folder, "")
    logs = LogFolder(folder)
    database = logs.database()

    def describe(data: bytes) -> Entry:
        return Entry(data, data[-32:], "issuer", registry.KEY.public.fingerprint(), KIND)

    statements = [
        sign_statement(CommitmentStatement(os.urandom(32)), registry.KEY).to_bytes()
        for _ in range(ENTRIES)
    ]
    witness_key = TreeKey.generate(KeyKind.WITNESS, "w.example")
    state = WitnessState(place / "witness.sqlite")
    witness = Witness(witness_key, {registry.ORIGIN: logs.verifiers()}, state)
    shown, asked, witnessed = 0, [], []
    with open_log(folder, logs.key(registry.PASSPHRASE), database, describe, NotFlushed()) as log:
        writer = time.process_time()
        for first in range(0, ENTRIES, BATCH):
            log.append([describe(data) for data in statements[first : first + BATCH]])
        writer = time.process_time() - writer
        signed = SignedCheckpoint.from_bytes(log.row.checkpoint)
        hashes = TileHashes(log.row.size, log.files.read)
        for _ in range(40):
            consistency = prove_consistency(shown, log.row.size, hashes) if shown else ()
            body = AddCheckpoint(shown, tuple(consistency), signed).to_bytes()
            begun = time.process_time()
            answer = witness.answer(body)
            witnessed.append(1000 * (time.process_time() - begun))
            assert answer.status == Status.COSIGNED, answer.text
            asked.append(len(body) + len(answer.text))
            shown = log.row.size
            log.append([describe(os.urandom(len(statements[0]))) for _ in range(BATCH)])
            signed = SignedCheckpoint.from_bytes(log.row.checkpoint)
            hashes = TileHashes(log.row.size, log.files.read)
        entries = log.row.size
    database.close()
    public = folder / "public"
    whole = size_of(public)
    held = size_of(public / "tile" / "entries")
    measure.report(
        "scale_log", entries=entries, batch=BATCH, statement_bytes=len(statements[0]),
        entry_bytes_in_bundles=round(held / entries, 1),
        tile_bytes_of_an_entry=round((whole - held) / entries, 1),
        index_bytes_of_an_entry=round((size_of(folder) - whole) / entries, 1),
        writer_cpu_ms_of_an_entry=round(1000 * writer / ENTRIES, 3),
        witness_cpu_ms_of_a_tree=round(statistics.median(witnessed), 2),
        witness_bytes_of_a_tree=round(statistics.median(asked)),
    )  # fmt: skip


def measure_marketplace(place: Path) -> None:
    """Commitments of one shape, all with standing on the next listing."""
    folder = place / "market"
    judge, policy = zkwm.Judge.from_key(JudgeKey.generate()), zkwm.Policy(threshold_bits=40)
    commitment = marketplace.a_commitment()
    suspect = marketplace.InstantSuspect("a listing")
    with zkwm.Marketplace(folder, judge, policy) as market:
        name = bytes.fromhex(market.register(commitment))
        alone = time.process_time()
        market.screen(suspect)
        alone = time.process_time() - alone
        with market._database.writing(name) as connection:
            row = dict(connection.execute(select(COMMITMENTS)).mappings().one())
            names = [os.urandom(32) for _ in range(COMMITMENTS_OF_A_SHAPE - 1)]
            connection.execute(insert(COMMITMENTS), [{**row, "digest": one} for one in names])
            connection.execute(insert(SIGHTS), [{"digest": one, "first": 0} for one in names])
        many = time.process_time()
        found = market.screen(suspect)
        many = time.process_time() - many
        assert len(found.standings) == COMMITMENTS_OF_A_SHAPE
    held = size_of(folder)  # closed: nothing waits in SQLite's log of writes
    measure.report(
        "scale_marketplace", commitments_of_a_shape=COMMITMENTS_OF_A_SHAPE,
        commitment_bytes=len(commitment.to_bytes()),
        database_bytes_of_a_commitment=round(held / COMMITMENTS_OF_A_SHAPE),
        screen_one_cpu_ms=round(1000 * alone, 2),
        screen_all_cpu_ms=round(1000 * many, 1),
        screen_cpu_us_of_a_commitment=round(1e6 * (many - alone) / len(names), 1),
    )  # fmt: skip


def main() -> None:
    """Print one JSON line a part."""
    with tempfile.TemporaryDirectory(prefix="zkwm-bench-") as place:
        measure_log(Path(place))
        measure_marketplace(Path(place))


if __name__ == "__main__":
    main()
