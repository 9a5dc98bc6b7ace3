"""Run a log without a service as a process, watched (``observed``)."""

from __future__ import annotations

from collections.abc import Callable

from zkwm.registry_service.log_gauges import log_gauges
from zkwm.registry_service.metrics import Metrics
from zkwm.registry_service.observed import not_writing, observed
from zkwm.transparency_log.http_server import App
from zkwm.transparency_log.listening import Address
from zkwm.transparency_log.log_folder import LogFolder
from zkwm.transparency_log.log_service import LogService, application
from zkwm.transparency_log.serve import LogSettings, serve_log
from zkwm.transparency_log.tree_key import TreeKey


def serve_log_alone(
    folder: LogFolder,
    key: TreeKey,
    address: Address,
    started: Callable[[str, int], None],
    settings: LogSettings | None = None,
) -> None:
    """Run a log without a service. Arguments and errors are those of ``serve_log``."""
    policy = folder.policy()

    def answer(log: LogService) -> App:
        metrics = Metrics(log_gauges(log, policy))
        return observed(application(log), metrics, lambda: not_writing(log))

    serve_log(folder, key, address, started, settings, answer)
