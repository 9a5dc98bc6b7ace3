"""The mark in own loops of two processes (torchrun, gloo, CPU): one network, and the mark in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.own_loop_ddp import PROGRAM

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("loop", ["loss", "lightning", "trainer"])
def test_two_processes_embed_one_mark(tmp_path: Path, loop: str) -> None:
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        PROGRAM, loop, "robust", tmp_path,
    ]  # fmt: skip
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        start_new_session=True,
    ) as running:  # fmt: skip
        try:
            _, said = running.communicate(timeout=900)
        except BaseException:
            os.killpg(running.pid, signal.SIGKILL)  # torchrun's end alone leaves its two at work
            raise
    assert running.returncode == 0, said[-3000:]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["weights"] == second["weights"]
    assert first["matches"] == second["matches"]
    assert first["matches"] >= 9  # of 10; unmarked twins have 1 to 6
