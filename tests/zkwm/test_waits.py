"""Waits that end: for a lock, a process that will not die, a process whose starter is gone."""

from __future__ import annotations

import errno
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zkwm import locks
from zkwm.locks import file_lock
from zkwm.suspects import limited_process
from zkwm.suspects.limited_process import (
    NoResultError,
    run_limited,
    stop_process,
    worker_environment,
)
from zkwm.suspects.onnx_frames import write_frame

PATIENCE = 60.0
CHILD = """
import subprocess, sys, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
Path({told!r}).write_text(str(child.pid))
time.sleep(600 * {lives})
"""
AT_WORK = """
import time
from zkwm.suspects.limited_worker import serve
serve(1, lambda question: time.sleep(600))
"""


def test_a_lock_file_that_is_replaced_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that names an open file otherwise, or a cleaner without pause."""
    monkeypatch.setattr(locks, "is_open_as", lambda *_: False)
    with pytest.raises(OSError, match="again and again") as caught:
        file_lock(tmp_path / "lock", wait_seconds=0.1).__enter__()
    assert caught.value.errno == errno.ESTALE
    monkeypatch.undo()
    with file_lock(tmp_path / "lock", wait_seconds=0) as held:
        assert not held.lost


def test_a_lock_that_is_held_for_long(tmp_path: Path) -> None:
    with file_lock(tmp_path / "lock", wait_seconds=0), pytest.raises(TimeoutError):
        file_lock(tmp_path / "lock", wait_seconds=0.1).__enter__()


def test_a_process_that_the_system_keeps_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGKILL takes effect when the system call ends that the process is in, for all that long."""
    monkeypatch.setattr(limited_process, "_END_SECONDS", 0.1)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        with monkeypatch.context() as patch:
            patch.setattr(process, "kill", lambda: None)
            stop_process(process)
        assert process.poll() is None
        stop_process(process)


@pytest.mark.parametrize("lives", [True, False])
def test_a_child_of_the_process_that_keeps_its_pipe_open_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lives: bool
) -> None:
    """The process works on, or has ended, and something that it started holds its output."""
    told = tmp_path / "child"
    (tmp_path / "leaves_a_child.py").write_text(CHILD.format(told=str(told), lives=lives))
    monkeypatch.syspath_prepend(tmp_path)
    began = time.monotonic()
    with pytest.raises(NoResultError) as caught:
        run_limited("leaves_a_child", [b"?"], memory=1 << 30, seconds=3, result_limit=10)
    assert caught.value.late
    assert time.monotonic() - began < PATIENCE
    child = int(told.read_text())
    while runs(child):
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.02)


def runs(child: int) -> bool:
    """Whether it exists and is no zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_work_ends_with_whoever_asked_for_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-P", "-c", AT_WORK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=worker_environment(),
    ) as process:
        assert process.stdin is not None
        write_frame(process.stdin, b"a question")
        process.stdin.flush()
        time.sleep(0.5)
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(timeout=PATIENCE) == 0
