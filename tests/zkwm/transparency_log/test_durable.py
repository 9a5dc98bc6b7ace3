"""The real disk: no acknowledgment leaves before the flushes; a limit of a file's size."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.logs import begin, contents, describe, entries, opened

ROOT = Path(__file__).parents[3]
_CALL = re.compile(r"(fsync|fdatasync|rename)\w*\((?:\d+<)?\"?(/[^\">]+)")


def appending(
    folder: Path, *before: str, end: int, limit: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``tests.support.append_entries``, after another command, or with limits."""
    command = [*before, sys.executable, "-m", "tests.support.append_entries"]
    return subprocess.run(
        [*command, str(folder), "0", str(end)], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=120, preexec_fn=limit,
    )  # fmt: skip


def test_no_acknowledgment_leaves_before_all_is_flushed(tmp_path: Path) -> None:
    """The system calls as strace sees them: each step's flush stands before the next step."""
    if shutil.which("strace") is None:
        pytest.skip("no strace: apt install strace")
    begin(tmp_path)
    trace = tmp_path / "trace"
    traced = "trace=fsync,fdatasync,rename,renameat,renameat2,write"
    options = ["-f", "-y", "-s", "64", "-e", traced, "-o", str(trace)]
    done = appending(tmp_path, "strace", *options, end=2)
    if "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr[:100]}")
    assert done.stdout == "ACK 0\nACK 1\n"
    lines = trace.read_text().splitlines()
    first, second = (at for at, line in enumerate(lines) if '"ACK ' in line)
    calls_between = [found for line in lines[first:second] if (found := _CALL.search(line))]
    calls = [(call[1], call[2].removeprefix(f"{tmp_path}/")) for call in calls_between]
    assert sorted(calls[:2]) == [  # at the same time
        ("fsync", "public/tile/0/000.p/.2.tmp"),
        ("fsync", "public/tile/entries/000.p/.2.tmp"),
    ]
    assert calls[2:] == [
        ("rename", "public/tile/entries/000.p/.2.tmp"),
        ("fsync", "public/tile/entries/000.p"),
        ("rename", "public/tile/0/000.p/.2.tmp"),
        ("fsync", "public/tile/0/000.p"),
        ("fdatasync", "database.sqlite-wal"),
        ("fsync", "public/.checkpoint.tmp"),
        ("rename", "public/.checkpoint.tmp"),
        ("fsync", "public"),
    ]


def test_a_limit_of_a_file_s_size_stops_the_log_and_loses_nothing(tmp_path: Path) -> None:
    begin(tmp_path)
    limit = 2**19  # SQLite's write-ahead log stays below it
    large = [describe(b"entry " + bytes([number]) * 52_000) for number in range(10)]
    length = sum(len(entry.data) + 2 for entry in large)
    with opened(tmp_path) as log:
        log.append([*large, describe(b"entry " + b"x" * (limit - length - 100))])
    done = appending(
        tmp_path, end=20, limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    acknowledged = done.stdout.count("ACK")
    assert "File too large" in done.stdout
    assert 0 < acknowledged < 20
    with opened(tmp_path) as log:
        held = contents(log)
        assert held[11 : 11 + acknowledged] == [one.data for one in entries(0, acknowledged)]
