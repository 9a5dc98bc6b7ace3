"""Executors: do tasks in this process, in local worker processes, or on a Ray cluster.

All three do the same with the same line, and leave the results in the cache. A worker that dies
takes no other task with it. ``runner`` orders the stages.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait

from zkwm.evaluation.run.tasks import run_task
from zkwm.ray_cluster import connect
from zkwm_protocols.errors import UsageError

Report = Callable[[str], None]
Executor = Callable[[Sequence[str], Report], dict[str, str]]
"""Does tasks (lines) and reports each result; returns why a task broke off, by its line."""

POLL_SECONDS = 1.0
_END_SECONDS = 10.0
"""For a process to end by itself once it has closed its pipe, or once it was killed."""


def in_this_process(lines: Sequence[str], report: Report) -> dict[str, str]:
    """One task after the other, on one thread."""
    for line in lines:
        run_task(line, report)
    return {}


def in_processes(workers: int) -> Executor:
    """An executor of ``workers`` processes, each doing one task after the other on one thread."""

    def run(lines: Sequence[str], report: Report) -> dict[str, str]:
        waiting, broken = list(lines), dict[str, str]()
        crew: list[_Worker] = []
        try:
            while waiting or crew:
                while waiting and len(crew) < workers:
                    crew.append(_Worker(waiting.pop(0)))
                ready = wait([worker.connection for worker in crew], timeout=POLL_SECONDS)
                for worker in [worker for worker in crew if worker.connection in ready]:
                    reason = worker.outcome()
                    if reason:
                        broken[worker.line] = reason
                    if reason or not waiting:
                        crew.remove(worker)
                        worker.end()
                    else:
                        worker.start(waiting.pop(0))
                report("")
        finally:
            for worker in crew:
                worker.end()
        return broken

    return run


class _Worker:
    """A process that does one task at a time and reports when it is done."""

    def __init__(self, line: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.start(line)

    def start(self, line: str) -> None:
        """Give it a task."""
        self.line = line
        with contextlib.suppress(OSError):  # it has died: outcome() will say so
            self.connection.send_bytes(line.encode())

    def outcome(self) -> str:
        """Why the task broke off, or an empty text; call it when the connection is ready."""
        try:
            return self.connection.recv_bytes().decode()
        except (EOFError, OSError):
            self._process.join(_END_SECONDS)
            return f"its process ended with the code {self._process.exitcode}"

    def end(self) -> None:
        """Stop the process, whatever it does."""
        self._process.kill()
        self._process.join(_END_SECONDS)
        self.connection.close()


def on_ray(gpus: float = 1.0) -> Executor:
    """An executor on a Ray cluster: the one of ``RAY_ADDRESS``, or one started here.

    Folder and data must have the same paths on all its machines, each with zkwm installed. A task
    of a grid whose device is ``cuda`` takes ``gpus`` GPUs of a machine, a part of one if it is
    below 1; with ``auto`` it does where the cluster has any.

    Its executor raises UsageError where Ray is not installed, or a grid asks for GPUs that the
    cluster does not have, and CouldNotCheck where there is no cluster.
    """

    def run(lines: Sequence[str], report: Report) -> dict[str, str]:
        if gpus > 1 and gpus != int(gpus):
            raise UsageError(
                f"a task cannot take {gpus:g} GPUs",
                hint="ask for whole GPUs, or for a part of one (`gpus`)",
            )
        ray = connect()
        there = float(ray.cluster_resources().get("GPU", 0))
        work = ray.remote(num_cpus=1, max_retries=1)(run_task)
        waiting = {}
        for line in lines:
            share = _gpus_of(json.loads(line)["grid"].get("device", "cpu"), gpus, there)
            waiting[work.options(num_gpus=share).remote(line)] = line
        broken = {}
        try:
            while waiting:
                done, _ = ray.wait(list(waiting), timeout=POLL_SECONDS)
                for reference in done:
                    line = waiting.pop(reference)
                    try:
                        ray.get(reference)
                    except ray.exceptions.RayError as error:
                        broken[line] = f"on Ray: {type(error).__name__}"
                report("")
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)
        return broken

    return run


def _gpus_of(device: str, wanted: float, there: float) -> float:
    """The GPUs that a task asks the cluster for. Raises UsageError where it has too few."""
    if device == "cpu" or (device == "auto" and there == 0):
        return 0.0
    if wanted > there:
        raise UsageError(
            f"a task takes {wanted:g} GPUs, and the Ray cluster has {there:g}",
            hint="let the grid's device be cpu, or ask for a smaller part of a GPU (`gpus`)",
        )
    return wanted


def _work(connection: Connection) -> None:
    """The loop of a worker: out of reach of the terminal's Ctrl-C, and ends with its parent."""
    if hasattr(os, "setsid"):
        os.setsid()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError):
        while True:
            run_task(connection.recv_bytes().decode())
            connection.send_bytes(b"")


def _end_with_parent() -> None:
    """Wait for the parent to end, and end this process: nobody would stop it otherwise."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
