"""ezkl on one image: its Poseidon hash and the network's scores are public.

From PyPI, in .venv-ezkl; its reference string is made here and counted separately. ``peers`` starts
it.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import peer_onnx
import peer_process

VERSION = "23.0.5"
STEP = Path(__file__).with_name("peer_ezkl_step.py")
STEPS = ("settings", "srs", "setup", "witness", "prove", "verify")
COLUMNS = {"dense": 3, "lenet5": 4}
"""Inner columns of the circuit: enough for it to fit into 2^18 rows; with ezkl's default of 2 it
needs 2^19, twice the keys and memory."""


def figures(network: str, limits: peer_process.Limits) -> dict[str, Any]:
    """All steps for one image: the figures of each, or why the rest is missing."""
    home = peer_process.environment(".venv-ezkl", (f"ezkl=={VERSION}",))
    with tempfile.TemporaryDirectory(dir=home) as name:
        folder = Path(name)
        peer_onnx.write(network, folder / "model.onnx")
        pixels = np.random.default_rng(1).integers(0, 256, 784) / 255
        (folder / "input.json").write_text(json.dumps({"input_data": [pixels.tolist()]}))
        columns = COLUMNS[network]
        start = [str(home / "bin" / "python"), str(STEP)]
        commands = {step: [*start, step, name, str(columns)] for step in STEPS}
        found = peer_process.steps(commands, limits)
        return {"version": VERSION, "columns": columns} | found | _sizes(folder)


def _sizes(folder: Path) -> dict[str, Any]:
    """Bytes of the files that are there, and rows of the circuit."""
    sizes: dict[str, Any] = {
        f"{file.stem}_bytes": file.stat().st_size
        for file in (folder / key for key in ("settings.json", "srs", "pk", "vk"))
        if file.exists()
    }
    if (folder / "settings.json").exists():
        chosen = json.loads((folder / "settings.json").read_text())
        sizes |= {"logrows": chosen["run_args"]["logrows"], "rows": chosen.get("num_rows")}
    if (folder / "proof.json").exists():
        proof = json.loads((folder / "proof.json").read_text())
        sizes["proof_bytes"] = len(proof["proof"])
    return sizes
