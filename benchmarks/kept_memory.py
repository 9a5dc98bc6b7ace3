"""What it saves to keep freed memory during a proof, each way in a process of its own.

Page faults can be counted on a busy machine; system seconds depend on how fast it has new pages.

    python benchmarks/kept_memory.py --network lenet5 [--append FILE]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import argument_process
import measure

WAYS = ("freed", "kept", "kept in huge pages")


def proofs(way: str, network: str, triggers: int) -> list[dict[str, Any]]:
    """Two proofs of this process: faults, seconds and peak of each."""
    from zkwm_protocols.argument import prover
    from zkwm_protocols.field.kernels.kept_memory import kept

    contexts = {
        "freed": lambda expected: nullcontext(),
        "kept": lambda expected: kept(),
        "kept in huge pages": kept,
    }
    prover.kept = contexts[way]  # type: ignore[assignment]
    chosen = argument_process.case(network, triggers)
    found = []
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_SELF)
        argument_process._prove_once(chosen, prover.prove)
        after = resource.getrusage(resource.RUSAGE_SELF)
        found.append(
            {
                "page_faults": after.ru_minflt - before.ru_minflt,
                "user_seconds": round(after.ru_utime - before.ru_utime, 2),
                "system_seconds": round(after.ru_stime - before.ru_stime, 2),
                "peak_mib": after.ru_maxrss >> 10,
            }
        )
    return found


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="lenet5", help="tiny, dense, lenet5 or cifar")
    parser.add_argument("--triggers", type=int, default=100)
    parser.add_argument("--append", type=Path, help="a file that gets the line as well")
    parser.add_argument("--way", choices=WAYS, help="in this process alone")
    chosen = parser.parse_args()
    if chosen.way:
        print(json.dumps(proofs(chosen.way, chosen.network, chosen.triggers)))
        return
    figures = {}
    for way in WAYS:
        words = ["--network", chosen.network, "--triggers", str(chosen.triggers), "--way", way]
        done = subprocess.run(
            [sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True
        )
        figures[way] = json.loads(done.stdout)
    result = measure.report(
        "kept memory", network=chosen.network, triggers=chosen.triggers, proofs=figures
    )
    if chosen.append:
        measure.append(chosen.append, result)


if __name__ == "__main__":
    main()
