"""One step of JSTprove, in a process of its own and in JSTprove's virtual environment.

``python peer_jstprove_step.py STEP FOLDER`` prints one JSON line: seconds of the call itself,
processor seconds and peak memory of it and of the programs that it starts. Imports nothing of this
project; ``peer_jstprove.py`` starts it, and adds machine and versions.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import time
from pathlib import Path

import onnxruntime_extensions
import torch
from python.frontend import cli

FILES = {
    "model": "model.onnx", "circuit": "circuit", "input": "input.json", "output": "output.json",
    "witness": "witness", "proof": "proof",
}  # fmt: skip
STEPS = {
    "compile": ("model", "circuit"),
    "witness": ("circuit", "input", "output", "witness"),
    "prove": ("circuit", "witness", "proof"),
    "verify": ("circuit", "input", "output", "witness", "proof"),
}
"""Steps, and the files that each is given."""
IMPORTED = (torch, onnxruntime_extensions)
"""What the steps import when they need it: before the clock starts."""


def busy() -> float:
    """Processor seconds so far, of this process and of those that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Print one JSON line."""
    step, folder = sys.argv[1], Path(sys.argv[2])
    os.chdir(folder)
    arguments = [step]
    for name in STEPS[step]:
        arguments += [f"--{name}-path", FILES[name]]
    onnxruntime_extensions.get_library_path()
    said = io.StringIO()
    start, before = time.perf_counter(), busy()
    with contextlib.redirect_stdout(said):
        code = cli.main(arguments)
    seconds, processor = time.perf_counter() - start, busy() - before
    if code:
        sys.exit(said.getvalue())
    peaks = [
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    figures = {
        "seconds": round(seconds, 3),
        "processor_seconds": round(processor, 3),
        "peak_bytes": max(peaks) * 1024,
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
