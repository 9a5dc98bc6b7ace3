"""Kernels on a GPU: equal to the processor's in CUDA's simulator, and on a GPU where there is one.

No GPU has run them yet. On a machine with one, and the extra ``cuda``: pytest -m gpu.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zkwm_protocols.field.kernels import native

ROOT = Path(__file__).parents[4]
COMPARED = ["transforms", "field_loops", "tree_loops", "leaves"]
pytestmark = pytest.mark.skipif(not native.available(), reason="no kernels from C beside them")


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Python with these arguments; sums of words that wrap around are meant."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables},
        timeout=600,
    )


def test_every_loop_writes_what_the_processors_does() -> None:
    done = run("-m", "tests.support.cuda_kernels", NUMBA_ENABLE_CUDASIM="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == COMPARED


def test_the_environment_asks_for_them() -> None:
    program = """
from zkwm_protocols.argument.logup_gkr import loops as tree
from zkwm_protocols.field.kernels import loops, native
from zkwm_cli.proof_progress import kernels
for loop in (loops.transform, loops.fold, tree.fold_bound, loops.equality_table, tree.gather_nodes):
    print(loop.__module__.removeprefix("zkwm_protocols."))
print(kernels())
"""
    done = run("-c", program, NUMBA_ENABLE_CUDASIM="1", ZKWM_KERNELS="cuda")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "field.kernels.by_cuda.transform",
        "field.kernels.by_cuda.sums",
        "argument.logup_gkr.cuda_rounds",
        "field.kernels.native_kernels",
        "argument.logup_gkr.native_kernels",
        f"on the GPU, and from C ({native.available()[-1]})",
    ]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("", "UsageError: ZKWM_KERNELS=cuda: no GPU, or no driver for it"),
        ("import sys; sys.modules['numba'] = None; ", "UsageError: ZKWM_KERNELS=cuda: import of"),
    ],
)
def test_without_a_gpu_or_numba_it_is_said(before: str, expected: str) -> None:
    program = f"{before}import zkwm_protocols.field.kernels.loops"
    done = run("-c", program, ZKWM_KERNELS="cuda", CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1
    assert expected in done.stderr.splitlines()[-1]


@pytest.mark.gpu
def test_every_loop_on_a_real_gpu() -> None:
    cuda = pytest.importorskip("numba.cuda")
    if not cuda.is_available():
        pytest.skip("no CUDA device")
    done = run("-m", "tests.support.cuda_kernels", "large")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == COMPARED
