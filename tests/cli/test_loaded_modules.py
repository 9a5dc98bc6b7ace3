"""What a verification must not load: each of these would cost more than the checks themselves.

A module that comes in by accident is named here, where a clock on a loaded machine would not see
it. Help is in ``tests/architecture/test_imports.py``.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.case_files import PASSPHRASE, Files

LARGE = {
    "torch", "onnx", "onnxruntime", "onnxscript", "safetensors", "scipy", "numba", "llvmlite",
    "matplotlib", "PIL", "jinja2", "urllib3", "yaml", "sqlalchemy", "psycopg", "keyring",
    "jsonschema", "lightning", "transformers", "ray", "google",
}  # fmt: skip
OF_OTHERS = {
    f"zkwm.{package}"
    for package in ("attacks", "evaluation", "marketplace", "nn", "owner", "training", "watermarks")
}
LOADED = """
import contextlib, io, sys
from zkwm_cli.main import main
with contextlib.redirect_stdout(io.StringIO()):
    code = main(sys.argv[1:])
print(code, *sys.modules)
"""


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_verify_of_an_opening(case: Files, options: tuple[str, ...]) -> None:
    command = [*map(str, case.verify_options()), *options]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *command],
        capture_output=True,
        text=True,
        env={**os.environ, "ZKWM_PASSPHRASE": PASSPHRASE},
        timeout=120,
        check=True,
    )
    code, *loaded = done.stdout.split()
    assert code == "0", done.stderr
    assert "zkwm.judge.check_opening" in loaded
    packages = {".".join(name.split(".")[:parts]) for name in loaded for parts in (1, 2)}
    assert not packages & (LARGE | OF_OTHERS)
    assert "zkwm_protocols.argument.verifier" not in loaded
