"""Cost of the first proof after an installation: with an empty cache, and again with what it left.

Kernels from C are compiled with the package, those by Numba (ZKWM_KERNELS=numba) now. Bar: 3 s more
of processor time, which other work on the machine changes less than the time on the clock.

    python benchmarks/argument_first_call.py
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import measure

PROCESS = Path(__file__).with_name("argument_process.py")


def processor_seconds() -> float:
    """What the processes that this one started have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tiny_proof_seconds(cache: Path) -> float:
    """Processor seconds of a process that proves a tiny network, with this cache of Numba's."""
    start = processor_seconds()
    subprocess.run(
        [sys.executable, PROCESS, "prove", "tiny", "4", "1", cache / "proof"],
        check=True,
        capture_output=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
    )
    return processor_seconds() - start


def main() -> None:
    """Print one JSON line."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = (tiny_proof_seconds(Path(folder)) for _ in range(2))
    measure.report(
        "argument, first call",
        first_seconds=round(first, 2),
        second_seconds=round(second, 2),
        compile_seconds=round(first - second, 2),
    )


if __name__ == "__main__":
    main()
