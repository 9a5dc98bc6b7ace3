"""One proof by 1, 2, ... workers of a Ray cluster on this machine: processor time, bytes, memory.

Each proof runs in a process of its own with a cluster of its own, after a tiny proof that loads the
workers' code; workers have one thread, and the prover's priority. Bytes are those of arrays in
arguments and results; what workers get by reference (the tableau) is counted once a machine, here
once. ``0`` workers is the prover without Ray, on one thread.

    python benchmarks/proof_on_ray.py --network lenet5 --triggers 1000 --workers 0 1 2
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import measure
import numpy as np

TICK = os.sysconf("SC_CLK_TCK")


def processor_seconds(process: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak_bytes(process: int) -> int:
    """The most resident memory of a process so far, with what it has mapped of Ray's (Linux)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    held = {name: text for name, _, text in (line.partition(":") for line in lines)}
    return int(held["VmHWM"].split()[0]) * 1024


def array_bytes(value: object) -> int:
    """Bytes of all arrays and bytes in a value."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, list | tuple):
        return sum(array_bytes(one) for one in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return sum(array_bytes(getattr(value, one.name)) for one in dataclasses.fields(value))
    return sum(array_bytes(one) for one in vars(value).values()) if "Rows" in repr(value) else 0


def prove(network: str, triggers: int, workers: int) -> dict[str, Any]:
    """One proof, in this process and its workers."""
    os.environ |= {"NUMBA_NUM_THREADS": "1", "RAY_worker_niceness": "0"}
    import argument_process

    chosen = argument_process.case(network, triggers)
    tiny = argument_process.case("tiny", 4)
    settings: dict[str, Any] = {"secret": bytes(32), "release": "benchmark"}
    if not workers:
        from zkwm_protocols.argument.prover import prove as alone

        alone(tiny.statement, tiny.images, tiny.salts, **settings)
        started, before = time.perf_counter(), time.process_time()
        alone(chosen.statement, chosen.images, chosen.salts, **settings)
        return {
            "seconds": time.perf_counter() - started,
            "prover_processor_seconds": time.process_time() - before,
            "prover_peak_bytes": peak_bytes(os.getpid()),
        }
    from zkwm.owner.proof_on_ray import RayCrew
    from zkwm_protocols.argument.sharding.prover import prove_by_crew

    class CountingCrew(RayCrew):
        """Counts what is sent."""

        sent = received = shared = calls = 0

        def call(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
            results = super().call(method, arguments)
            self.calls += len(results)
            self.sent += sum(array_bytes(given) for given in arguments)
            self.received += array_bytes(results)
            return results

        def share(self, value: object) -> object:
            self.shared += array_bytes(value)
            return super().share(value)

    with CountingCrew(workers) as crew:
        assert crew.size == workers, f"this machine has processors for {crew.size} workers"
        prove_by_crew(tiny.statement, tiny.images, tiny.salts, crew=crew, **settings)
        crew.sent = crew.received = crew.shared = crew.calls = 0
        started, before = time.perf_counter(), time.process_time()
        earlier = [processor_seconds(process) for process in crew.processes]
        prove_by_crew(chosen.statement, chosen.images, chosen.salts, crew=crew, **settings)
        taken = time.process_time() - before
        seconds = time.perf_counter() - started
        spent = [
            processor_seconds(process) - then
            for process, then in zip(crew.processes, earlier, strict=True)
        ]
        return {
            "seconds": seconds,
            "prover_processor_seconds": taken,
            "worker_processor_seconds": [round(one, 2) for one in spent],
            "calls": crew.calls,
            "bytes_to_workers": crew.sent,
            "bytes_from_workers": crew.received,
            "bytes_to_each_machine": crew.shared,
            "prover_peak_bytes": peak_bytes(os.getpid()),
            "worker_peak_bytes": max(peak_bytes(process) for process in crew.processes),
        }


def main() -> None:
    """Print one JSON line for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", required=True, help="as for argument.py")
    parser.add_argument("--triggers", type=int, default=100)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.alone:
        print(json.dumps(prove(chosen.network, chosen.triggers, chosen.workers[0])), flush=True)
        return
    for workers in chosen.workers:
        command = [
            sys.executable, __file__, "--network", chosen.network,
            "--triggers", str(chosen.triggers), "--workers", str(workers), "--alone",
        ]  # fmt: skip
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        figures = json.loads(done.stdout.splitlines()[-1])
        rounded = {
            name: round(value, 2) if isinstance(value, float) else value
            for name, value in figures.items()
        }
        measure.report(
            "proof_on_ray",
            network=chosen.network,
            triggers=chosen.triggers,
            workers=workers,
            **rounded,
        )


if __name__ == "__main__":
    main()
