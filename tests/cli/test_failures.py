"""What ends a command: errors, interrupts, closed or full streams, a broken installation."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.case_files import Command, Files
from zkwm_cli import exits, main
from zkwm_protocols import errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("m"), 2),
        (errors.NotProven("m"), 3),
        (errors.CouldNotCheck("m"), 3),
        (errors.Malformed("m"), 3),
        (errors.InvalidSignature("m"), 3),
        (errors.InvalidOpening("m"), 3),
        (errors.SuspectUnusable("m"), 3),
        (errors.Unsupported("m"), 3),
        (errors.VaultUnusable("m"), 3),
        (errors.TrustMaterialMissing("m"), 4),
        (errors.Cancelled("m"), 5),
    ],
)
def test_exit_code_of_each_error(
    zkwm: Command, monkeypatch: pytest.MonkeyPatch, error: errors.ZkwmError, code: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("zkwm_cli.commands.inspect.read_parsed", fail)
    result = zkwm("inspect", __file__)
    assert result.code == code
    assert result.stdout == ""
    word = "cancelled" if code == 5 else "error"
    assert result.stderr.splitlines()[0] == f"zkwm: {word}: m"


def test_a_message_cannot_break_its_line(zkwm: Command, tmp_path: Path) -> None:
    result = zkwm("inspect", tmp_path / "a\nzkwm: verified\x1b[2J")
    assert result.code == 3
    assert len(result.stderr.splitlines()) == 2
    assert "\x1b" not in result.stderr


def test_internal_error_is_one_line(zkwm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkwm_cli.inspection.inspect_file", lambda *_, **__: 1 // 0)
    result = zkwm("inspect", __file__)
    assert (result.code, result.stdout) == (3, "")
    first, second = result.stderr.splitlines()
    assert (
        first
        == "zkwm: error: internal error: ZeroDivisionError: integer division or modulo by zero"
    )
    assert "ZKWM_DEBUG=1" in second


def test_debug_shows_where(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZKWM_DEBUG", "1")
    monkeypatch.setattr("zkwm_cli.inspection.inspect_file", lambda *_, **__: 1 // 0)
    assert main.main(["inspect", __file__]) == 3
    assert "Traceback (most recent call last)" in capfd.readouterr().err


def test_memory_that_is_not_there(zkwm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("zkwm_cli.inspection.inspect_file", fail)
    result = zkwm("inspect", __file__)
    assert result.code == 3
    assert "not enough memory" in result.stderr


def test_interrupt_in_a_command(zkwm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zkwm_cli.inspection.inspect_file", interrupt)
    result = zkwm("inspect", __file__, "--json")
    assert result.code == 5
    assert result.json["exit_code"] == 5
    assert "zkwm: cancelled: interrupted" in result.stderr


def test_control_c_exits_with_5(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    waiting = subprocess.Popen(
        [sys.executable, "-m", "zkwm_cli", "inspect", str(pipe)],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with pipe.open("wb"):  # opens as soon as the command reads
        time.sleep(0.2)
        waiting.send_signal(signal.SIGINT)
        _, err = waiting.communicate(timeout=20)
    assert waiting.returncode == 5
    assert b"zkwm: cancelled: interrupted" in err
    assert b"Traceback" not in err


def test_closed_stdout_is_no_success(case: Files) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "zkwm_cli", "inspect", str(case.commitment)],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 141, "as if SIGPIPE had ended it: neither 0, 1 nor 10"
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_stdout_is_no_success(process: Command, case: Files) -> None:
    with Path("/dev/full").open("wb") as full:
        result = process("inspect", case.commitment, stdout=full, stderr=subprocess.PIPE)
    assert result.code == 3
    assert "No space left on device" in result.stderr
    assert "Traceback" not in result.stderr


def test_each_code_has_one_meaning() -> None:
    codes = [int(code) for code, _ in exits.EXIT_CODES]
    assert len(set(codes)) == len(exits.Exit)
    assert 1 not in codes


def test_not_proven_without_a_verdict_is_no_verdict() -> None:
    """An error of that class from anywhere else never becomes the code of a verdict."""
    assert exits.exit_code(errors.NotProven("m")) == exits.Exit.COULD_NOT_CHECK


def test_a_broken_installation_is_an_error_like_others() -> None:
    script = (
        "import sys; sys.modules['click'] = None;"
        "from zkwm_cli.start import run; sys.argv = ['zkwm', '--help']; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True
    )
    assert done.returncode == 3
    assert done.stderr.startswith("zkwm: error: this installation is broken: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("code", [0, 1, 10])
def test_a_library_that_leaves_gives_no_verdict(code: int) -> None:
    script = (
        "import sys; from zkwm_cli.start import run\n"
        "class Leaving:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == 'click': sys.exit({code})\n"
        "sys.meta_path.insert(0, Leaving()); sys.argv = ['zkwm', '--help']; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("zkwm: error: this installation is broken: ")


def test_a_library_that_cannot_be_imported_is_a_broken_installation(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zkwm_cli.inspection", None)
    result = zkwm("inspect", case.commitment)
    assert result.code == 3
    assert "this installation is broken" in result.stderr
    assert "install zkwm again" in result.stderr


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ENOSPC, errno.EPIPE])
def test_an_error_of_the_system_names_what_it_is(
    zkwm: Command, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Too many open files, or a bad disk, is no fault of standard output (verdict.md, 5.5)."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("zkwm_cli.inspection.inspect_file", fail)
    result = zkwm("inspect", __file__, "--json")
    assert result.code == 3
    assert f"refused: {os.strerror(number)}" in result.stderr
    assert "standard output" not in result.stderr
    assert result.json["exit_code"] == 3
