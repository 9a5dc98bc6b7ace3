"""ezkl, the usual proof system for networks, beside our argument on the same networks.

ezkl proves one image: its Poseidon hash and the network's scores are public. Ours proves a batch of
triggers: committed, scores hidden, matches counted. Both run on this machine with all of its cores;
prints one JSON line for each network, with the ratio per trigger. ezkl is installed from PyPI into
.venv-ezkl; its reference string is made here and counted separately. Steps that exceed the limits
of time and memory are ended, and the line says so.

    python benchmarks/peer_ezkl.py [--networks dense lenet5]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import measure
import numpy as np
import peer_onnx
from argument import measured

VERSION = "23.0.5"
ROOT = Path(__file__).parent.parent
VENV = ROOT / ".venv-ezkl"
STEP = Path(__file__).with_name("peer_ezkl_step.py")
STEPS = ("settings", "srs", "setup", "witness", "prove", "verify")
COLUMNS = {"dense": 3, "lenet5": 4}
"""Inner columns of the circuit: enough for it to fit into 2^18 rows; with ezkl's default of 2 it
needs 2^19, twice the keys and memory."""
RESULTS = Path(__file__).parent / "results" / "peer_ezkl.jsonl"


class OverLimit(Exception):
    """A step took more memory or time than it was given."""


def install() -> str:
    """Make the virtual environment if it is not there; the path of its Python."""
    python = VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", f"ezkl=={VERSION}"], check=True)
    return str(python)


def peer(network: str, seconds: float, gibibytes: float) -> dict[str, Any]:
    """All steps for one image: the figures of each, or why the rest is missing."""
    python = install()
    with tempfile.TemporaryDirectory(dir=ROOT / ".venv-ezkl") as name:
        folder = Path(name)
        peer_onnx.write(network, folder / "model.onnx")
        pixels = np.random.default_rng(1).integers(0, 256, 784) / 255
        (folder / "input.json").write_text(json.dumps({"input_data": [pixels.tolist()]}))
        columns = COLUMNS[network]
        figures: dict[str, Any] = {"version": VERSION, "columns": columns, "steps": {}}
        for step in STEPS:
            command = [python, str(STEP), step, name, str(columns)]
            try:
                figures["steps"][step] = _limited(command, seconds, gibibytes)
            except OverLimit as problem:
                figures["ended"] = f"{step}: {problem}"
                break
            _tell(f"ezkl {network} {step}: {figures['steps'][step]}")
        for key in ("settings.json", "srs", "pk", "vk", "proof.json"):
            file = folder / key
            if file.exists():
                figures[f"{file.stem}_bytes"] = file.stat().st_size
        if (folder / "settings.json").exists():
            chosen = json.loads((folder / "settings.json").read_text())
            figures["logrows"] = chosen["run_args"]["logrows"]
            figures["rows"] = chosen.get("num_rows")
        if (folder / "proof.json").exists():
            proof = json.loads((folder / "proof.json").read_text())
            figures["proof_bytes"] = len(proof["proof"])
    return figures


def _limited(command: list[str], seconds: float, gibibytes: float) -> dict[str, Any]:
    """Run a step. Raises OverLimit beyond a limit, CalledProcessError where it fails."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + seconds
        while process.poll() is None:
            time.sleep(0.5)
            resident = _resident_bytes(process.pid)
            if resident > gibibytes * 2**30 or time.monotonic() > end:
                process.kill()
                memory = f"{resident / 2**30:.1f} GiB"
                raise OverLimit(f"ended at {memory} after {seconds + time.monotonic() - end:.0f} s")
        output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    figures: dict[str, Any] = json.loads(output.splitlines()[-1])
    return figures


def _resident_bytes(process: int) -> int:
    """The resident memory of a process; 0 where it has ended."""
    try:
        text = Path(f"/proc/{process}/statm").read_text()
    except OSError:
        return 0
    return int(text.split()[1]) * 4096 if text else 0


def _tell(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Print one JSON line a network, and append it to the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=tuple(COLUMNS), default=list(COLUMNS))
    parser.add_argument("--triggers", type=int, default=100, help="of our proof")
    parser.add_argument("--seconds", type=float, default=600, help="the most for one step of ezkl")
    parser.add_argument("--gibibytes", type=float, default=12, help="the most for one of ezkl")
    chosen = parser.parse_args()
    for network in chosen.networks:
        ours, one = (measured(network, count, 3) for count in (chosen.triggers, 1))
        theirs = peer(network, chosen.seconds, chosen.gibibytes)
        per_trigger = ours["prove_seconds"] / chosen.triggers
        proven = theirs["steps"].get("prove")
        result = measure.report(
            "peer ezkl",
            network=network,
            triggers=chosen.triggers,
            ours=ours,
            ours_of_one_trigger=one,
            ours_seconds_per_trigger=round(per_trigger, 4),
            ezkl=theirs,
            ratio_per_trigger=round(proven["seconds"] / per_trigger) if proven else None,
        )
        measure.append(RESULTS, result)


if __name__ == "__main__":
    main()
