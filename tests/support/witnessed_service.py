"""A log of statements with one witness, both served in threads of the test's process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.faulty_disk import FaultyDisk
from tests.support.running_server import running
from zkwm.transparency_log.admission import Admission, Rate
from zkwm.transparency_log.cosigning import Cosigner
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.log_service import LogService, application
from zkwm.transparency_log.recovery import create_log, open_log
from zkwm.transparency_log.sequencer import Sequencer
from zkwm.transparency_log.statements import CoseStatements, read_statement
from zkwm.transparency_log.tree_key import KeyKind, TreeKey
from zkwm.transparency_log.witness import Witness
from zkwm.transparency_log.witness_service import witness_application
from zkwm.transparency_log.witness_state import WitnessState
from zkwm_protocols.transparency.policy import LogPolicy

LOG = TreeKey.generate(KeyKind.LOG, "log.example/keys")
WITNESS = TreeKey.generate(KeyKind.WITNESS, "witness.example/keys")


@dataclass(frozen=True)
class WitnessedService:
    """A running log, and the policy by which its witness counts."""

    url: str
    policy: str


@contextmanager
def witnessed_service(folder: Path) -> Iterator[WitnessedService]:
    """An empty log in ``folder``."""
    witness = Witness(WITNESS, {LOG.origin: LOG.verifiers}, WitnessState(folder / "witness.sqlite"))
    database = LogDatabase(folder / "database.sqlite")
    with running(witness_application(witness)) as asked:
        lines = [f"log {key.to_text()}" for key in LOG.verifiers]
        lines += [
            f"witness w{i} {key.to_text()} {asked}" for i, key in enumerate(WITNESS.verifiers)
        ]
        policy = "\n".join([*lines, "group both all w0 w1", "quorum both", ""])
        create_log(folder, LOG, database, FaultyDisk())
        try:
            asking: list[Cosigner] = []

            def ask(log: Log) -> None:
                asking.append(Cosigner(log, LogPolicy.from_bytes(policy.encode())))
                asking[0].require_newest()

            opening = open_log(folder, LOG, database, read_statement, FaultyDisk(), ask=ask)
            with opening as log:
                sequencer, cosigner = Sequencer(log), asking[0]
                service = LogService(
                    log, LOG.verifiers, sequencer, CoseStatements(LOG),
                    lambda: cosigner.witnessed, Admission(folder, rate=Rate(10**6)),
                )  # fmt: skip
                try:
                    with cosigner.running(), running(application(service)) as url:
                        yield WitnessedService(url, policy)
                finally:
                    sequencer.close()
                    service.close()
        finally:
            database.close()
