"""Times of whole commands: `zkwm --help`, the demo, `zkwm verify` of an ONNX suspect.

Bars: help under 0.3 s; the demo, training included, under 180 s and 2 GiB; verify without torch.
Times are medians in seconds; memory is that of the largest process, in MiB.

    python benchmarks/command_line.py
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure

ZKWM = str(Path(sys.executable).with_name("zkwm"))


def seconds(command: list[str], folder: Path) -> float:
    """Run a command in a folder; its seconds. Raises CalledProcessError where it fails."""
    start = time.perf_counter()
    subprocess.run(
        command,
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "ZKWM_PASSPHRASE": "demo"},
    )
    return time.perf_counter() - start


def main() -> None:
    """Print one JSON line."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        helps = [seconds([ZKWM, "--help"], folder) for _ in range(6)][1:]
        demo = seconds([ZKWM, "demo", "--directory", "demo"], folder)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        verify = [
            ZKWM, "verify", "--commitment", "acme.commitment", "--model", "marked/model.onnx",
            "--challenge", "case.challenge", "--proof", "case.proof", "--judge", "judge.key",
        ]  # fmt: skip
        verifies = [seconds(verify, folder / "demo") for _ in range(4)][1:]
    measure.report(
        "command line",
        help_seconds=round(statistics.median(helps), 3),
        demo_seconds=round(demo, 1),
        demo_peak_mib=round(peak),
        verify_seconds=round(statistics.median(verifies), 2),
    )


if __name__ == "__main__":
    main()
