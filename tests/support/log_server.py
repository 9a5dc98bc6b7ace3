"""A log that is served in a thread of the test's process, of entries without statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.faulty_disk import FaultyDisk
from tests.support.logs import describe
from tests.support.running_server import running
from zkwm.transparency_log.admission import Admission, Rate
from zkwm.transparency_log.cosigning import Cosigner
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.entries import Entry, HeadRow
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.log_service import LogService, application
from zkwm.transparency_log.readers import Readers
from zkwm.transparency_log.recovery import create_log, open_log
from zkwm.transparency_log.sequencer import Sequencer
from zkwm.transparency_log.tree_key import KeyKind, TreeKey
from zkwm_protocols.transparency.policy import LogPolicy

KEY = TreeKey.generate(KeyKind.LOG, "log.example/1")
POLICY = LogPolicy.from_bytes(
    "".join(f"log {key.to_text()}\n" for key in KEY.verifiers).encode() + b"quorum none\n"
)


class PlainStatements:
    """Entries of tests, and a receipt that says where they are."""

    def read(self, data: bytes) -> Entry:
        return describe(data)

    def receipt(self, _: Entry, index: int, row: HeadRow, path: Sequence[bytes]) -> bytes:
        return f"{index} of {row.size} by {len(path)}".encode()


@dataclass
class Served:
    """A running log."""

    url: str
    log: Log
    disk: FaultyDisk


@contextmanager
def served(
    folder: Path,
    policy: LogPolicy | None = None,
    admission: Admission | None = None,
    readers: Readers | None = None,
) -> Iterator[Served]:
    """A log in ``folder``, made where it is missing."""
    folder.mkdir(exist_ok=True)
    database = LogDatabase(folder / "database.sqlite")
    disk = FaultyDisk()
    try:
        if not (folder / "public").exists():
            create_log(folder, KEY, database, FaultyDisk())
        with open_log(folder, KEY, database, describe, disk) as log:
            sequencer = Sequencer(log)
            cosigner = Cosigner(log, policy)
            service = LogService(
                log, KEY.verifiers, sequencer, PlainStatements(), lambda: cosigner.witnessed,
                admission or Admission(folder, rate=Rate(10**6)), readers,
            )  # fmt: skip
            try:
                with cosigner.running(), running(application(service)) as url:
                    yield Served(url, log, disk)
            finally:
                sequencer.close()
                service.close()
    finally:
        database.close()
