"""Cost of the first proof after an installation, when Numba compiles the kernels.

A tiny proof with an empty cache, and again with the cache that it left. Bar: 60 s more.

    python benchmarks/argument_first_call.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure

PROCESS = Path(__file__).with_name("argument_process.py")


def tiny_proof_seconds(cache: Path) -> float:
    """Seconds of a whole process that proves a tiny network, with this cache of Numba's."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, PROCESS, "prove", "tiny", "4", "1", cache / "proof"],
        check=True,
        capture_output=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
    )
    return time.perf_counter() - start


def main() -> None:
    """Print one JSON line."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = (tiny_proof_seconds(Path(folder)) for _ in range(2))
    measure.report(
        "argument, first call",
        first_seconds=round(first, 1),
        second_seconds=round(second, 1),
        compile_seconds=round(first - second, 1),
    )


if __name__ == "__main__":
    main()
