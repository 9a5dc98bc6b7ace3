"""No test leaves torch's global state changed, and none imports torch for the sake of that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.support import torch_state
from tests.support.torch_state import TorchState

CHANGED = TorchState(
    threads=3,
    dtype=torch.float64,
    device=torch.device("meta"),
    deterministic=(True, True),
    gradients=False,
    anomalies=(True, False),
    autocast=(True, True),
    matmul_precision="medium",
    cudnn=(False, True, True),
    mkldnn=False,
)
FIRST = TorchState.now()
"""As it is when this file is collected."""


@pytest.mark.parametrize("turn", [1, 2])
def test_whatever_a_test_changes_the_next_one_does_not_see(turn: int) -> None:
    assert TorchState.now() == FIRST
    drawn = torch.rand(3)
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(0)))
    CHANGED.restore()
    assert TorchState.now() == CHANGED  # and it is undone by the fixture alone


def test_fresh_is_what_a_new_process_has() -> None:
    program = (
        "from tests.support.torch_state import TorchState as S, fresh; print(S.now() == fresh())"
    )
    assert python("-c", program) == "True\n"


def test_a_run_of_tests_without_torch_stays_without_it(tmp_path: Path) -> None:
    test = tmp_path / "test_nothing.py"
    test.write_text("import sys\ndef test_it(): assert 'torch' not in sys.modules\n")
    arguments = ("-q", "-p", "no:cacheprovider", "-p", "tests.conftest", "--rootdir", str(tmp_path))
    assert "1 passed" in python("-m", "pytest", *arguments, str(test))


def test_torch_imported_by_the_test_itself_is_reset(tmp_path: Path) -> None:
    test = tmp_path / "test_two.py"
    test.write_text(
        "def test_changes():\n"
        "    import torch\n"
        "    torch.set_num_threads(7), torch.set_default_dtype(torch.float64)\n"
        "def test_sees():\n"
        "    import torch\n"
        "    assert torch.get_num_threads() == 1 and torch.get_default_dtype() == torch.float32\n"
    )
    arguments = ("-q", "-p", "no:cacheprovider", "-p", "tests.conftest", "--rootdir", str(tmp_path))
    assert "2 passed" in python("-m", "pytest", *arguments, str(test), OMP_NUM_THREADS="2")


def python(*arguments: str, **environment: str) -> str:
    """What a Python of its own writes, started in the repository."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=Path(torch_state.__file__).parents[2],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
