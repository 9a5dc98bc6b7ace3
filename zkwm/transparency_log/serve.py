"""Run a log, or a witness, as a process: from its folder to a server, and a graceful end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from zkwm.transparency_log.admission import ADDRESS_RATE, Admission, Identify, Rate, by_address
from zkwm.transparency_log.cosigning import Cosigner
from zkwm.transparency_log.http_server import App, Server
from zkwm.transparency_log.listening import Address
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.log_folder import LogFolder
from zkwm.transparency_log.log_service import LogService, application
from zkwm.transparency_log.readers import READS_PER_MINUTE, KnownReader, Readers
from zkwm.transparency_log.recovery import open_log
from zkwm.transparency_log.sequencer import Sequencer
from zkwm.transparency_log.statements import CoseStatements, read_statement
from zkwm.transparency_log.tree_key import TreeKey
from zkwm.transparency_log.witness_folder import WitnessFolder
from zkwm.transparency_log.witness_service import witness_application
from zkwm_protocols.errors import CouldNotCheck

_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class LogSettings:
    """How a log is served.

    Args:
        without_witnesses: a person has said that folder and database are the newest, so that
            entries are taken before a quorum of witnesses has cosigned the tree of the start.
        rate: of registrations of one address.
        proxies: addresses of web servers of one's own before the log (``by_address``).
        identify: who asks; None where that is the address.
        reads: how much below ``/v1`` one address may read in a minute.
        known: who has a key, and reads at its rate.
    """

    without_witnesses: bool = False
    rate: Rate = ADDRESS_RATE
    proxies: tuple[str, ...] = ()
    identify: Identify | None = None
    reads: int = READS_PER_MINUTE
    known: KnownReader | None = None


@contextmanager
def opened_service(
    folder: LogFolder,
    key: TreeKey,
    admission: Admission,
    readers: Readers | None = None,
    *,
    without_witnesses: bool = False,
) -> Iterator[LogService]:
    """A log with its writer and its witnesses, for an app that serves it.

    The app ends when ``service.log.stopped`` says why. Raises CouldNotCheck where it cannot start,
    or a witness claims a larger tree; UsageError for a policy that names another log.
    """
    policy = folder.policy()
    folder.require_database()
    database = folder.database()
    try:
        with ExitStack() as stack:
            asking: list[Cosigner] = []

            def ask(log: Log) -> None:
                asking.append(Cosigner(log, policy, without_witnesses=without_witnesses))
                asking[0].require_newest()

            opening = open_log(folder.folder, key, database, read_statement, ask=ask)
            log, cosigner = stack.enter_context(opening), asking[0]
            sequencer = Sequencer(log)
            stack.callback(sequencer.close)
            service = LogService(
                log,
                key.verifiers,
                sequencer,
                CoseStatements(key),
                lambda: cosigner.witnessed,
                admission,
                readers,
            )
            stack.callback(service.close)
            stack.enter_context(cosigner.running())
            yield service
    finally:
        database.close()


def serve_log(
    folder: LogFolder,
    key: TreeKey,
    address: Address,
    started: Callable[[str, int], None],
    settings: LogSettings | None = None,
    answer: Callable[[LogService], App] = application,
) -> None:
    """Run a log until SIGINT or SIGTERM.

    Args:
        folder: of the log.
        key: its keys.
        address: where it listens; port 0 for a free one.
        started: called with its URL and the size of its tree, once it listens.
        settings: how it is served.
        answer: makes the app that answers requests.

    Raises CouldNotCheck where it cannot start, where a witness claims a larger tree, or where it
    has stopped writing, UsageError for a policy that names another log.
    """
    chosen = settings or LogSettings()
    identify = chosen.identify or by_address(chosen.proxies)
    admission = Admission(folder.folder, identify, chosen.rate)
    readers = Readers(by_address(chosen.proxies), chosen.reads, chosen.known)
    opening = opened_service(
        folder, key, admission, readers, without_witnesses=chosen.without_witnesses
    )
    with opening as service:
        log = service.log
        server = Server(answer(service), address)
        with _watched(server, lambda: log.stopped) as listening:
            listening(lambda url: started(url, log.row.size))
            server.run()
    if log.stopped:
        raise CouldNotCheck(
            f"the log has stopped writing: {log.stopped}",
            hint="see to the cause and start it again; what was acknowledged is kept",
        )


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
