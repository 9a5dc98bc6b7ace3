"""Run a registry as a process: the log, and beside it the service; what passes in time; its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from sqlalchemy import select

from zkwm.registry_database.database import Database
from zkwm.registry_service.api_keys import ApiKeys
from zkwm.registry_service.application import application
from zkwm.registry_service.callers import by_key, known_reader
from zkwm.registry_service.claims import tell_overdue
from zkwm.registry_service.deliveries import Deliveries
from zkwm.registry_service.folder import ServiceFolder
from zkwm.registry_service.jobs import Jobs
from zkwm.registry_service.log_gauges import log_gauges, work_gauges
from zkwm.registry_service.logged_verdicts import logging_verdicts
from zkwm.registry_service.metrics import Metrics
from zkwm.registry_service.observed import not_writing, observed
from zkwm.registry_service.pages.database_view import DatabaseView
from zkwm.registry_service.pages.page_frame import Pages, PagesSettings
from zkwm.registry_service.pages.visitors import Visitors
from zkwm.registry_service.registry import Registry
from zkwm.registry_service.verdict_jobs import LOGGED_VERDICT
from zkwm.registry_service.webhooks import remove_ended, webhook_key
from zkwm.registry_service.worker import Worker
from zkwm.transparency_log.admission import by_address
from zkwm.transparency_log.http_server import App
from zkwm.transparency_log.listening import Address
from zkwm.transparency_log.log_folder import LogFolder
from zkwm.transparency_log.log_service import LogService
from zkwm.transparency_log.serve import LogSettings, serve_log
from zkwm.transparency_log.tree_key import TreeKey
from zkwm_protocols.errors import ZkwmError

SWEEP_SECONDS = 10.0


def serve_registry(
    folder: LogFolder,
    key: TreeKey,
    address: Address,
    started: Callable[[str, int], None],
    settings: LogSettings | None = None,
    url: str = "",
) -> None:
    """Run the log in a folder with its service until SIGINT or SIGTERM.

    Args:
        folder: of the log, with a service.
        key: the log's keys.
        address: where it listens; port 0 for a free one.
        started: called with its URL and the size of its tree, once it listens.
        settings: how the log is served.
        url: by which visitors reach it, for badges and printed pages; empty where nobody said.

    Raises what ``serve_log`` raises, and CouldNotCheck, Malformed or Unsupported for the service's
    database, a judge's file, or the trust folder.
    """
    service = ServiceFolder(folder.folder)
    judges, trust, database = service.judges(), service.trust(), service.database()
    policy, chosen = folder.policy(), settings or LogSettings()
    keys, box = ApiKeys(database), webhook_key(key)
    identify = by_key(keys, by_address(chosen.proxies))
    chosen = replace(chosen, identify=identify, known=known_reader(keys))

    def answer(log: LogService) -> App:
        view = DatabaseView(database, log.log, log.keys, policy, judges)
        visitors = Visitors(by_address(chosen.proxies))
        pages = Pages(view, PagesSettings(key.origin, url), visitors)
        registry = Registry(database, log, judges, box.public, trust, policy)
        app = application(registry, pages=pages)
        metrics = Metrics(log_gauges(log, policy), work_gauges(database))
        handlers = {LOGGED_VERDICT: logging_verdicts(log, folder.folder, judges)}
        stack.enter_context(working(Worker(Jobs(database), handlers, Deliveries(database, box))))
        return observed(app, metrics, lambda: not_writing(log) or _unread(database))

    try:
        with ExitStack() as stack, sweeping(database):
            serve_log(folder, key, address, started, chosen, answer)
    finally:
        database.close()


@contextmanager
def working(worker: Worker) -> Iterator[None]:
    """Until the block ends, send webhooks what happens and log verdicts; what is begun is ended."""
    thread = threading.Thread(target=worker.run, name="registry-worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join()


def _unread(database: Database) -> str:
    """Read something of the database. Raises CouldNotCheck; what is returned is empty."""
    with database.reading() as connection:
        connection.execute(select(1))
    return ""


@contextmanager
def sweeping(database: Database, seconds: float = SWEEP_SECONDS) -> Iterator[None]:
    """Until the block ends, add events for deadlines that pass, and remove ended webhooks."""
    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(seconds):
            try:
                tell_overdue(database)
                remove_ended(database)
            except ZkwmError:
                continue  # the database is away: requests say so, and it is tried again

    thread = threading.Thread(target=sweep, name="registry-sweep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
