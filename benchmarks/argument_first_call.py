"""What the first proof after an installation costs: the kernels are compiled, then cached.

A tiny proof with an empty cache of Numba, and again with the one that it left. Bar: 60 s more.
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
    """A whole process that proves something tiny."""
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
