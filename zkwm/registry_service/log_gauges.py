"""Figures of log, jobs and deliveries of now, for ``metrics``."""

from __future__ import annotations

import time
from collections.abc import Iterable

from zkwm.registry_database.database import Database
from zkwm.registry_service.deliveries import waiting_deliveries
from zkwm.registry_service.jobs import Jobs
from zkwm.registry_service.metrics import Gauge, Gauges
from zkwm.transparency_log.log_service import LogService
from zkwm.transparency_log.tile_folder import WITNESSED
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.policy import LogPolicy


def log_gauges(service: LogService, policy: LogPolicy | None) -> Gauges:
    """What tells whether a log takes entries, and whether its witnesses follow."""

    def read() -> Iterable[Gauge]:
        log = service.log
        yield Gauge("zkwm_log_tree_size", "Entries of the signed tree.", log.row.size)
        yield Gauge(
            "zkwm_log_waiting", "Entries that wait for the writer.", service.sequencer.waiting
        )
        writing = not (log.stopped or log.held)
        yield Gauge("zkwm_log_writing", "1 while the log takes entries.", int(writing))
        data = log.files.checkpoint(WITNESSED)
        if data is None or policy is None:
            return
        signed = SignedCheckpoint.from_bytes(data)
        yield Gauge(
            "zkwm_log_cosigned_size",
            "Entries of the tree with the cosignatures that the policy asks for.",
            signed.checkpoint.head.size,
        )
        last = _last_cosignature(signed, policy)
        if last is not None:
            yield Gauge(
                "zkwm_log_cosignature_age_seconds",
                "Since a witness has cosigned that tree.",
                max(0.0, time.time() - last),
            )

    return read


def work_gauges(database: Database) -> Gauges:
    """What waits in a registry's database."""
    jobs = Jobs(database)

    def read() -> Iterable[Gauge]:
        for (kind, state), count in sorted(jobs.counts().items()):
            labels = {"kind": kind, "state": state}
            yield Gauge("zkwm_jobs", "Jobs by kind and state.", count, labels)
        yield Gauge(
            "zkwm_jobs_oldest_wait_seconds",
            "How long the job that is due longest has waited.",
            jobs.oldest_wait(),
        )
        yield Gauge(
            "zkwm_deliveries_waiting",
            "Messages to webhooks that are neither delivered nor given up.",
            waiting_deliveries(database),
        )

    return read


def _last_cosignature(signed: SignedCheckpoint, policy: LogPolicy) -> int | None:
    """The time of the newest line of a witness of the policy; None without one."""
    times = []
    for witness in policy.witnesses:
        try:
            by = signed.signed_by(witness.key)
        except ZkwmError:
            continue
        if by is not None and by.time is not None:
            times.append(by.time)
    return max(times, default=None)
