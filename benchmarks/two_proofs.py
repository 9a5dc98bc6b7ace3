"""Two proofs by each of several ways, each way in a process of its own.

``codewords`` and ``kept_memory`` share it: what differs is how a process is told its way.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import argument_process
import measure


def main(
    name: str,
    about: str,
    program: str,
    ways: tuple[str, ...],
    choose: Callable[[str], None],
    *,
    network: str,
) -> None:
    """Print one JSON line.

    Args:
        name: Of the benchmark.
        about: What it measures, in its first line.
        program: The file that is started again for each way.
        ways: Their names.
        choose: Has this process prove in one of them.
        network: What is proven by default.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--network", default=network, help="tiny, dense, lenet5, cifar, resnet18")
    parser.add_argument("--triggers", type=int, default=100)
    parser.add_argument("--append", type=Path, help="a file that gets the line as well")
    parser.add_argument("--way", choices=ways, help="in this process alone")
    chosen = parser.parse_args()
    if chosen.way:
        choose(chosen.way)
        print(json.dumps(_proofs(chosen.network, chosen.triggers)))
        return
    figures = {}
    for way in ways:
        words = ["--network", chosen.network, "--triggers", str(chosen.triggers), "--way", way]
        done = subprocess.run(
            [sys.executable, program, *words], check=True, stdout=subprocess.PIPE, text=True
        )
        figures[way] = json.loads(done.stdout)
    result = measure.report(name, network=chosen.network, triggers=chosen.triggers, proofs=figures)
    if chosen.append:
        measure.append(chosen.append, result)


def _proofs(network: str, triggers: int) -> list[dict[str, Any]]:
    """Two proofs of this process: page faults, processor seconds and peak of each."""
    from zkwm_protocols.argument import prover

    case = argument_process.case(network, triggers)
    found = []
    for _ in range(2):
        argument_process.forget_peak()
        before = resource.getrusage(resource.RUSAGE_SELF)
        argument_process._prove_once(case, prover.prove)
        after = resource.getrusage(resource.RUSAGE_SELF)
        found.append(
            {
                "page_faults": after.ru_minflt - before.ru_minflt,
                "user_seconds": round(after.ru_utime - before.ru_utime, 2),
                "system_seconds": round(after.ru_stime - before.ru_stime, 2),
                "peak_mib": argument_process.peak_bytes() >> 20,
            }
        )
    return found
