"""Text is as wide as the terminal, between 60 and 100 columns; in a pipe it is always the same."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.support.case_files import Command, Files
from zkwm_cli.layout import NARROWEST, PIPE, WIDEST, fit

WIDTHS = (60, 80, 100)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> object:
    """``terminal(80)``: from now on stdout and stderr are a terminal of 80 columns."""

    def have(columns: int) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))
        for stream in (sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: True)

    return have


def commands(case: Files) -> list[tuple[object, ...]]:
    """Commands with long lines."""
    return [
        ("inspect", case.commitment),
        ("inspect", case.challenge),
        ("inspect", case.model),
        tuple(case.verify_options()),
        ("verify", "--help"),
        ("evaluate", "--list"),
    ]


@pytest.mark.parametrize("columns", [*WIDTHS, 40, 120])
def test_lines_fit_the_terminal(zkwm: Command, case: Files, terminal: object, columns: int) -> None:
    width = min(max(columns, NARROWEST), WIDEST)
    plain = [" ".join(zkwm(*one).stdout.split()) for one in commands(case)]
    terminal(columns)
    for command, unwrapped in zip(commands(case), plain, strict=True):
        shown = zkwm(*command)
        for line in shown.stdout.splitlines():
            whole = max(map(len, line.split()), default=0) > width - 30
            assert len(line) <= width or whole, (command, line)
        if command[0] == "inspect":
            assert " ".join(shown.stdout.split()) == unwrapped, "nothing is lost or broken"


def test_digests_and_fingerprints_are_never_broken(
    zkwm: Command, case: Files, terminal: object
) -> None:
    terminal(60)
    shown = zkwm("inspect", case.challenge).stdout.split()
    values = zkwm("inspect", case.challenge, "--json").json["fields"]
    for digest in (values["digest"], values["commitment"], values["judge"]):
        assert digest in shown


def test_a_pipe_gets_one_width(zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever COLUMNS says: verdicts in 92 columns, lists with one field a line."""
    shown = []
    for columns in ("60", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        verdict = zkwm(*case.verify_options()).stdout
        shown.append((verdict.partition("Versions")[0], zkwm("inspect", case.commitment).stdout))
        assert max(map(len, verdict.splitlines())) <= PIPE
    assert shown[0][1] == shown[1][1]


@pytest.mark.parametrize("columns", [60, 120])
def test_a_real_terminal(case: Files, columns: int) -> None:
    """The size that the system tells, without COLUMNS."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    arguments = [sys.executable, "-m", "zkwm_cli", "inspect", str(case.challenge)]
    running = subprocess.Popen(arguments, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(controller, 65_536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(controller)
    assert running.wait(60) == 0
    lines = shown.decode().splitlines()
    words = [max(map(len, line.split())) for line in lines]
    width = min(columns, WIDEST)
    assert all(len(line) <= width or word > 30 for line, word in zip(lines, words, strict=True))


def test_fields_continue_below_their_value(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "60")
    line = "  purpose    one two three four five six seven eight nine ten eleven"
    assert fit(line, Terminal()) == (
        "  purpose    one two three four five six seven eight nine\n             ten eleven"
    )
    long = "  digest     " + "a" * 64
    assert long.split()[1] in fit(long, Terminal()).split()


@pytest.fixture(autouse=True)
def _skip_without_terminals() -> None:
    if not Path("/dev/ptmx").exists():
        pytest.skip("no terminals here")
