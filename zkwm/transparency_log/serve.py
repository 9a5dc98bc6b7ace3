"""Run a log, or a witness, as a process: from its folder to a server, and a graceful end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zkwm.transparency_log.cosigning import Cosigner
from zkwm.transparency_log.http_server import Address, Server
from zkwm.transparency_log.log_folder import LogFolder
from zkwm.transparency_log.log_service import LogService, application
from zkwm.transparency_log.recovery import open_log
from zkwm.transparency_log.sequencer import Sequencer
from zkwm.transparency_log.statements import CoseStatements, read_statement
from zkwm.transparency_log.tree_key import TreeKey
from zkwm.transparency_log.witness_folder import WitnessFolder
from zkwm.transparency_log.witness_service import witness_application
from zkwm_protocols.errors import CouldNotCheck

_LOOK_SECONDS = 0.2


def serve_log(
    folder: LogFolder, key: TreeKey, address: Address, started: Callable[[str, int], None]
) -> None:
    """Run a log until SIGINT or SIGTERM.

    Args:
        folder: of the log.
        key: its keys.
        address: where it listens; port 0 for a free one.
        started: called with its URL and the size of its tree, once it listens.

    Raises CouldNotCheck where it cannot start, where a witness claims a larger tree, or where it
    has stopped writing, UsageError for a policy that names another log.
    """
    database = folder.database()
    try:
        with open_log(folder.folder, key, database, read_statement) as log:
            cosigner = Cosigner(log, folder.policy())
            cosigner.require_newest()
            sequencer = Sequencer(log)
            service = LogService(
                log, key.verifiers, sequencer, CoseStatements(key), lambda: cosigner.witnessed
            )
            server = Server(application(service), address)
            try:
                with cosigner.running(), _watched(server, lambda: log.stopped) as listening:
                    listening(lambda url: started(url, log.row.size))
                    server.run()
            finally:
                sequencer.close()
            if log.stopped:
                raise CouldNotCheck(
                    f"the log has stopped writing: {log.stopped}",
                    hint="see to the cause and start it again; what was acknowledged is kept",
                )
    finally:
        database.close()


def serve_witness(
    folder: WitnessFolder,
    key: TreeKey,
    logs: Iterable[Path],
    address: Address,
    started: Callable[[str], None],
) -> None:
    """Run a witness until SIGINT or SIGTERM.

    Args:
        folder: of the witness.
        key: its keys.
        logs: public files of the logs that it knows.
        address: where it listens; port 0 for a free one.
        started: called with its URL once it listens.

    Raises CouldNotCheck where it cannot start, UsageError for a log that is given twice.
    """
    with folder.opened(key, logs) as witness:
        server = Server(witness_application(witness), address)
        with _watched(server, lambda: "") as listening:
            listening(started)
            server.run()


@contextmanager
def _watched(
    server: Server, stopped: Callable[[], str]
) -> Iterator[Callable[[Callable[[str], None]], None]]:
    """Beside a running server: say once that it listens, and end it when its work has stopped."""
    ended = threading.Event()
    said: list[Callable[[str], None]] = []

    def watch() -> None:
        while not ended.wait(_LOOK_SECONDS):
            if server.started and said:
                said.pop()(server.url)
            if stopped():
                server.stop()

    thread = threading.Thread(target=watch, name="log-watch", daemon=True)
    thread.start()
    try:
        yield said.append
    finally:
        ended.set()
        thread.join()
