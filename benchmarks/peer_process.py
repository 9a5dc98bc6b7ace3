"""Peers in virtual environments of their own: made once, and steps within limits.

A step is a process that prints one JSON line; it is ended where it and its children take more
memory or time than they were given.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent


class Limits(NamedTuple):
    """The most that one step of a peer may take."""

    seconds: float
    gibibytes: float


class OverLimit(Exception):
    """A step took more memory or time than it was given."""


def environment(name: str, *installs: tuple[str, ...]) -> Path:
    """The folder of a virtual environment below the repository, made if it is not there.

    Args:
        name: of the folder.
        installs: arguments of ``pip install``, call by call.
    """
    folder = ROOT / name
    done = folder / "installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        for arguments in installs:
            command = [folder / "bin" / "python", "-m", "pip", "install", "-q", *arguments]
            subprocess.run(command, check=True)
        done.touch()
    return folder


def steps(
    commands: dict[str, list[str]], limits: Limits, variables: dict[str, str] | None = None
) -> dict[str, Any]:
    """All steps in order: the figures of each by its name, and ``ended`` where one was.

    Args:
        commands: by their steps' names.
        limits: of one step.
        variables: of the environment, beside this process's own.

    Raises:
        CalledProcessError: a step failed.
    """
    figures: dict[str, Any] = {"steps": {}}
    for name, command in commands.items():
        try:
            figures["steps"][name] = _limited(command, limits, variables or {})
        except OverLimit as problem:
            return figures | {"ended": f"{name}: {problem}"}
        print(f"{name}: {figures['steps'][name]}", file=sys.stderr, flush=True)
    return figures


def _limited(command: list[str], limits: Limits, variables: dict[str, str]) -> dict[str, Any]:
    """Run a step in a session of its own. Raises OverLimit, CalledProcessError."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | variables,
    ) as process:  # fmt: skip
        start = time.monotonic()
        while process.poll() is None:
            time.sleep(0.5)
            resident, passed = _resident_bytes(process.pid), time.monotonic() - start
            if resident > limits.gibibytes * 2**30 or passed > limits.seconds:
                os.killpg(process.pid, signal.SIGKILL)
                raise OverLimit(f"ended at {resident / 2**30:.1f} GiB after {passed:.0f} s")
        output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    figures: dict[str, Any] = json.loads(output.splitlines()[-1])
    return figures


def _resident_bytes(session: int) -> int:
    """The resident memory of all processes of a session (Linux)."""
    pages = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        pages += int(fields[21]) if int(fields[3]) == session else 0
    return pages * os.sysconf("SC_PAGE_SIZE")
