"""Times of whole commands: `zkwm --help`, both demos, `zkwm verify` of an opening and an argument.

Bars on two quiet cores: help 0.2 s; the demo, training included, 180 s and 2 GiB; `verify` of an
ONNX opening 1.1 s, of an argument about LeNet-5 with 100 triggers 1.8 s. `missed` names those that
were not held. Times are medians in seconds, processor seconds the least, of all processes of a
command; memory is that of the largest process, in MiB.

    python benchmarks/command_line.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import measure

ZKWM = str(Path(sys.executable).with_name("zkwm"))


BARS = {
    "help_seconds": 0.2,
    "demo_seconds": 180.0,
    "demo_peak_mib": 2048,
    "dispute_demo_seconds": 180.0,
    "verify_seconds": 1.1,
    "verify_argument_seconds": 1.8,
}
RUNS = 5
TRIGGERS = 100
EPOCHS = 5
"""Enough for nearly all of the triggers; what is trained further costs the same to verify."""
PASSPHRASE = "only-a-demo"


@dataclass(frozen=True)
class Run:
    """One run: seconds, processor seconds, MiB of its largest process."""

    seconds: float
    processor: float
    mib: float


def run(command: list[str], folder: Path) -> Run:
    """Run a command of zkwm in a folder. Raises CalledProcessError where it fails."""
    with subprocess.Popen(
        [ZKWM, *command],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "ZKWM_PASSPHRASE": PASSPHRASE},
    ) as process:
        start = time.perf_counter()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def repeated(command: list[str], folder: Path) -> list[Run]:
    """``RUNS`` runs after one that is not counted."""
    return [run(command, folder) for _ in range(RUNS + 1)][1:]


def verifying(name: str, model: str, proof: str) -> list[str]:
    """The command ``verify`` for the files of a case."""
    return ["verify", "--commitment", f"{name}.commitment", "--model", model,
            "--challenge", f"{proof}.challenge", "--proof", f"{proof}.proof",
            "--judge", "judge.key"]  # fmt: skip


def marked(folder: Path) -> None:
    """Make a.vault, a.commitment and marked/model.onnx: a LeNet-5 with the triggers, in seconds."""
    for command in (
        ["keygen", "--output", "a.vault"],
        ["commit", "--vault", "a.vault", "--generate", str(TRIGGERS), "--shape", "1,28,28",
         "--classes", "10", "--output", "a.commitment"],
        ["embed", "--vault", "a.vault", "--commitment", "a.commitment", "--architecture", "lenet5",
         "--data", "fashion-mnist-small", "--method", "plain", "--epochs", str(EPOCHS),
         "--output", "marked"],
    ):  # fmt: skip
        run(command, folder)


def argued(folder: Path) -> list[str]:
    """Make a case of an argument about LeNet-5; the command that verifies it."""
    marked(folder)
    model, case = "marked/model.onnx", ["--commitment", "a.commitment"]
    for command in (
        ["judge-key", "--output", "judge.key"],
        ["challenge", "--zero-knowledge", *case, "--model", model, "--judge", "judge.key",
         "--output", "a.challenge"],
        ["prove", "--zero-knowledge", "--vault", "a.vault", *case, "--challenge", "a.challenge",
         "--model", model, "--yes", "--output", "a.proof"],
    ):  # fmt: skip
        run(command, folder)
    return verifying("a", model, "a")


def figures(name: str, runs: list[Run]) -> dict[str, float]:
    """Median seconds, least processor seconds and largest memory of runs."""
    return {
        f"{name}_seconds": round(statistics.median(one.seconds for one in runs), 3),
        f"{name}_processor_seconds": round(min(one.processor for one in runs), 3),
        f"{name}_peak_mib": round(max(one.mib for one in runs)),
    }


def main() -> None:
    """Print one JSON line."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = figures("help", repeated(["--help"], folder))
        found |= figures("demo", [run(["demo", "--directory", "demo"], folder)])
        found |= figures(
            "dispute_demo", [run(["demo", "--dispute", "--directory", "dispute"], folder)]
        )
        opening = verifying("acme", "marked/model.onnx", "case")
        found |= figures("verify", repeated(opening, folder / "demo"))
        (folder / "argument").mkdir()
        command = argued(folder / "argument")
        found |= figures("verify_argument", repeated(command, folder / "argument"))
    missed = [bar for bar, most in BARS.items() if found[bar] > most]
    measure.report("command line", **found, bars=BARS, missed=missed)


if __name__ == "__main__":
    main()
