"""One step of ezkl, in a process of its own and in ezkl's virtual environment.

``python peer_ezkl_step.py STEP FOLDER COLUMNS`` prints one JSON line: seconds of the call itself,
processor seconds, peak memory. Imports nothing of this project; ``peer_ezkl.py`` starts it, and
adds machine and versions.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ezkl

SCALE = 13
"""Bits of fixed-point fractions: what ezkl's own calibration chooses for these networks."""


def settings(folder: Path, columns: int) -> None:
    """Settings, calibration and the compiled circuit."""
    arguments = ezkl.PyRunArgs()
    arguments.input_visibility = "hashed"
    arguments.param_visibility = "fixed"
    arguments.output_visibility = "public"
    arguments.num_inner_cols = columns
    model, chosen = str(folder / "model.onnx"), str(folder / "settings.json")
    ezkl.gen_settings(model, chosen, py_run_args=arguments)
    ezkl.calibrate_settings(
        str(folder / "input.json"), model, chosen, "resources",
        lookup_safety_margin=2, scales=[SCALE],
    )  # fmt: skip
    ezkl.compile_circuit(model, str(folder / "circuit"), chosen)


def srs(folder: Path, columns: int) -> None:
    """A structured reference string made here: fit for measuring, not for trust."""
    chosen = json.loads((folder / "settings.json").read_text())
    ezkl.gen_srs(str(folder / "srs"), chosen["run_args"]["logrows"])


def setup(folder: Path, columns: int) -> None:
    """Proving and verifying key."""
    ezkl.setup(str(folder / "circuit"), str(folder / "vk"), str(folder / "pk"), str(folder / "srs"))


def witness(folder: Path, columns: int) -> None:
    """Run the circuit on the input."""
    ezkl.gen_witness(
        str(folder / "input.json"), str(folder / "circuit"), str(folder / "witness.json"),
        str(folder / "vk"), str(folder / "srs"),
    )  # fmt: skip


def prove(folder: Path, columns: int) -> None:
    """One proof for one image."""
    ezkl.prove(
        str(folder / "witness.json"), str(folder / "circuit"), str(folder / "pk"),
        str(folder / "proof.json"), str(folder / "srs"),
    )  # fmt: skip


def verify(folder: Path, columns: int) -> None:
    """Raises unless the proof holds."""
    accepted = ezkl.verify(
        str(folder / "proof.json"), str(folder / "settings.json"), str(folder / "vk"),
        str(folder / "srs"),
    )  # fmt: skip
    if accepted is not True:
        raise SystemExit("ezkl rejected its own proof")


STEPS: dict[str, Callable[[Path, int], None]] = {
    "settings": settings,
    "srs": srs,
    "setup": setup,
    "witness": witness,
    "prove": prove,
    "verify": verify,
}


def main() -> None:
    """Print one JSON line."""
    step, folder, columns = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    start, busy = time.perf_counter(), time.process_time()
    STEPS[step](folder, columns)
    figures = {
        "seconds": round(time.perf_counter() - start, 3),
        "processor_seconds": round(time.process_time() - busy, 3),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
