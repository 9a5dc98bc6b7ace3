"""Whole proofs by the sources of an older commit and by these, in turn, on one machine in one run.

Processor seconds, the least of all warm proofs, and of the first proof of a process; other work on
the machine can only add to them.

    python benchmarks/argument_compare.py 33698a3 --network lenet5 [--append FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import measure

ROOT = Path(__file__).parent.parent


def prove(root: Path, words: list[str], proof: Path) -> dict[str, Any]:
    """Figures of ``argument_process`` of one checkout."""
    path = os.pathsep.join(str(root / part) for part in ("", "protocols", "cli"))
    done = subprocess.run(
        [sys.executable, root / "benchmarks" / "argument_process.py", "prove", *words, proof],
        env={**os.environ, "PYTHONPATH": path},
        cwd=root / "benchmarks",
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def summary(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """The least of all turns of one side."""
    warm = [seconds for turn in turns for seconds in turn["processor_seconds"][1:]]
    return {
        "processor_seconds": round(min(warm), 2),
        "first_processor_seconds": round(min(turn["processor_seconds"][0] for turn in turns), 2),
        "seconds": round(min(seconds for turn in turns for seconds in turn["seconds"]), 2),
        "peak_bytes": min(turn["peak_bytes"] for turn in turns),
        "proof_bytes": turns[-1]["proof_bytes"],
    }


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commit", help="the older one")
    parser.add_argument("--network", required=True, help="tiny, dense, lenet5 or cifar")
    parser.add_argument("--triggers", default="100")
    parser.add_argument("--runs", default="3", help="proofs of a process; the first is cold")
    parser.add_argument("--turns", type=int, default=2, help="processes of each side")
    parser.add_argument("--append", type=Path, help="a file that gets the line as well")
    chosen = parser.parse_args()
    words = [chosen.network, chosen.triggers, chosen.runs]
    turns: dict[str, list[dict[str, Any]]] = {"before": [], "after": []}
    with tempfile.TemporaryDirectory() as folder:
        older = Path(folder) / "older"
        git = ["git", "-c", "advice.detachedHead=false"]
        subprocess.run([*git, "clone", "--quiet", ROOT, older], check=True)
        subprocess.run([*git, "-C", older, "checkout", "--quiet", chosen.commit], check=True)
        for _ in range(chosen.turns):
            for side, root in (("before", older), ("after", ROOT)):
                turns[side].append(prove(root, words, Path(folder) / side))
    result = measure.report(
        "argument, compared",
        older=chosen.commit,
        network=chosen.network,
        triggers=int(chosen.triggers),
        **{side: summary(found) for side, found in turns.items()},
    )
    if chosen.append:
        measure.append(chosen.append, result)


if __name__ == "__main__":
    main()
