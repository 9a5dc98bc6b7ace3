"""The context of every benchmark's figures: commit, machine, versions, memory, load and date.

``report`` prints one JSON line; each benchmark does its own timing.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zkwm.training.versions import versions
from zkwm_protocols.field.kernels.native import GPU, LEVEL, ON_GPU

PACKAGES = ("torch", "numpy", "numba", "onnxruntime", "cryptography", "pynacl", "cbor2")


def machine() -> dict[str, Any]:
    """Processor, cores of this process, memory in GiB, system, kernels, torch's threads, GPU."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        names = [value.strip() for name, _, value in lines if name.strip() == "model name"]
        processor = names[0] if names else processor
    affinity = getattr(os, "sched_getaffinity", None)
    facts: dict[str, Any] = {
        "processor": processor,
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }
    facts["kernels"] = GPU if ON_GPU else LEVEL or "numba"
    torch = sys.modules.get("torch")
    if torch is not None:
        facts["threads"] = torch.get_num_threads()
        if torch.cuda.is_available():
            facts["gpu"] = torch.cuda.get_device_name()
    return facts


def commit() -> str:
    """The commit of the sources that are measured, with ``+`` where they were changed since.

    The version of an editable install is that of the day when it was installed.
    """
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    head = git("rev-parse", "--short=12", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no")
    return f"{head}{'+' if changed else ''}" or "unknown"


def peak_memory_mib() -> float:
    """The largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def line(name: str, **figures: object) -> dict[str, Any]:
    """A benchmark's figures, with the machine, versions and load they depend on."""
    return {
        "benchmark": name,
        **figures,
        "commit": commit(),
        "peak_memory_mib": peak_memory_mib(),
        "load_average": round(os.getloadavg()[0], 2),
        "machine": machine(),
        "versions": versions(PACKAGES),
        "date": datetime.now(UTC).date().isoformat(),
    }


def report(name: str, **figures: object) -> dict[str, Any]:
    """Print ``line`` as one line of JSON, and return it."""
    result = line(name, **figures)
    print(json.dumps(result), flush=True)
    return result


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines that a benchmark has appended to a file; none if there is no file."""
    return [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []


def append(path: Path, result: dict[str, Any]) -> None:
    """Append one line to a file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(result) + "\n")
